"""NLTK: a corpus reader over a zip file of the rows.

Texts become a `PlaintextCorpusReader`, texts with a label a `CategorizedPlaintextCorpusReader`, and
words with tags a `TaggedCorpusReader`. Files are in dataset order, one for each row if there are at
most 100,000; `dshub.export.nltk` describes the files. Categories are the class names.

Nothing is downloaded: NLTK's own sentence tokenizer needs a model, so sentences are split by Punkt
without a model, which knows no abbreviations. Pass `sent_tokenizer` for another one.
"""

import atexit
import tempfile
from pathlib import Path
from shutil import rmtree
from typing import Any

from dshub.catalog.features import LabelFeature, TextFeature
from dshub.datasets.dataset import Dataset
from dshub.errors import needs
from dshub.export import export
from dshub.export._rows import folder_names

with needs("nltk", extra="nltk"):
    import nltk
    from nltk.corpus.reader import (
        CategorizedPlaintextCorpusReader,
        PlaintextCorpusReader,
        TaggedCorpusReader,
    )
    from nltk.tokenize.punkt import PunktSentenceTokenizer


def rows(dataset: Dataset, *, folder: str | Path | None = None, **options: Any) -> Any:
    """Write the rows to a zip file, and return a reader of it.

    Args:
        dataset: texts, texts and a label, or words and tags.
        folder: folder of NLTK data, as for ``dshub export --to nltk``. It is appended to
            `nltk.data.path`. By default, a temporary folder that is removed when the process ends.
        options: options of the reader, such as `word_tokenizer`.

    Raises:
        DshubError: a column does not fit a corpus, or the folder has another corpus of this name.
        StoreError: the folder cannot be written.
    """
    data = Path(folder).absolute() if folder is not None else _temporary()
    path = export({"rows": dataset}, "nltk", data)["rows"].files[0]
    if str(data) not in nltk.data.path:  # NLTK refuses files of other folders
        nltk.data.path.append(str(data))
    root = nltk.data.find(f"corpora/{path.name}/{path.stem}/rows/", [str(data)])
    start = len(f"{path.stem}/rows/")
    return _reader(dataset, root, [name[start:] for name in root.zipfile.namelist()], options)


def _temporary() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="dshub-nltk-"))
    atexit.register(rmtree, folder, ignore_errors=True)  # lazy views outlive their reader
    return folder


def _reader(dataset: Dataset, root: Any, files: list[str], options: dict[str, Any]) -> Any:
    """Return the reader of files, in the order of the list."""
    kinds = list(dataset.features.values())
    if not any(isinstance(kind, TextFeature) for kind in kinds):
        return TaggedCorpusReader(root, files, **options)
    options = {"sent_tokenizer": PunktSentenceTokenizer(), **options}
    label = next((kind for kind in kinds if isinstance(kind, LabelFeature)), None)
    if label is None:
        return PlaintextCorpusReader(root, files, **options)
    names = dict(zip(folder_names(label.names), label.names, strict=True))
    categories = {file: [names[file.split("/")[0]]] for file in files}
    return CategorizedPlaintextCorpusReader(root, files, cat_map=categories, **options)
