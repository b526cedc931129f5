"""Create sources from folders of text files, with one row per file.

The folders are those of `dshub.datasets.folders`::

    train/pos/0_9.txt  train/neg/1_3.txt  …       splits with classes, as in aclImdb
    a.md  notes/b.md                              documents without classes
"""

import codecs
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from dshub.catalog.features import Feature, LabelFeature, TextFeature
from dshub.catalog.manifest import Pair
from dshub.datasets.folders import FolderSource
from dshub.datasets.labels import class_order
from dshub.datasets.media import AUDIO, IMAGES, MediaTree
from dshub.datasets.sources import ColumnSource
from dshub.datasets.split_expressions import Part
from dshub.datasets.split_folders import choose
from dshub.datasets.trees import find_splits
from dshub.errors import ReadError
from dshub.importing.walking import Listing
from dshub.tables.columns import ArrayColumn, Values

Encoding = Literal["utf-8", "latin-1", "cp1252", "utf-16"]
"""Encodings of text, as in the readers of manifests."""

TEXTS = (".txt", ".md", ".text", ".rst")
_NOT_DOCUMENTS = ("readme", "license", "licence", "changelog")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

Row = tuple[str, str]
"""Class of a document ("" if it has none), and its path below the root, with `/` separators."""


def find_documents(root: Path, listing: Listing) -> MediaTree | None:
    """Find the text files in a folder; None if most files are others, or if any is a medium."""
    names = [name.lower() for names in listing.places.values() for name in names]
    if any(name.endswith(IMAGES + AUDIO) for name in names):
        return None
    if 2 * sum(map(_is_document, names)) <= len(names):
        return None
    files = {
        place: [name for name in names if _is_document(name)]
        for place, names in listing.places.items()
    }
    return MediaTree(root, {place: names for place, names in files.items() if names})


class DocumentSource(FolderSource):
    """Rows of text files, with their classes.

    Args:
        root: path of the folder.
        files: paths below `root`, with `/` separators.
        encoding: encoding of the files; None for UTF-8, or UTF-16 with a byte order mark.
        labels: classes in memory; None without classes.
    """

    def __init__(
        self,
        root: Path,
        files: Sequence[str],
        encoding: Encoding | None,
        labels: ColumnSource | None,
    ) -> None:
        features: dict[str, Feature] = {"text": TextFeature()}
        super().__init__(root, {"text": files}, features, labels)
        self._encoding = encoding

    @property
    def identity(self) -> list[str]:
        """Identity of the files and their encoding."""
        return [*super().identity, self._encoding or ""]

    def read(self, name: str, rows: range | np.ndarray) -> Values:
        """Read the documents of rows; see `Source`."""
        if name != "text":
            return super().read(name, rows)
        return [read_document(self.where(row), self._encoding) for row in np.asarray(rows).tolist()]


def read_document(path: str, encoding: Encoding | None) -> str:
    """Read a text file without its byte order mark.

    Raises:
        ReadError: the file cannot be read, or does not have the encoding.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        hint = "check that it exists and that you can read it"
        raise ReadError(file=path, reason=error.strerror or str(error), hint=hint) from error
    found = encoding or ("utf-16" if data.startswith(_UTF16) else "utf-8")
    try:
        return data.decode("utf-8-sig" if found == "utf-8" else found)
    except UnicodeDecodeError as error:
        hint = "state the encoding, such as encoding='cp1252' for Western Windows text"
        reason = f"byte {error.start + 1:,}, {data[error.start]:#04x}, is not {found}"
        raise ReadError(file=path, reason=reason, hint=hint) from None


def from_documents(
    tree: MediaTree, split: str | None, encoding: Encoding | None
) -> tuple[DocumentSource, Pair | None]:
    """Create the source of text files or of splits of them, with its supervised pair.

    Files beside several class folders, such as a list of addresses, are not documents.

    Raises:
        ArgumentError, UnknownNameError, SplitError: `split` is missing, unknown or invalid.
        SchemaError: folders of splits are inside those of classes.
    """
    chosen = choose(tree.root, find_splits(tree.files), split)
    for note in chosen.notes:
        logging.getLogger("dshub").warning("%s: %s", tree.root, note)
    splits = {name: tree.rows(item) for name, item in chosen.splits.items()}
    names = class_order({label for rows in splits.values() for label, _ in rows} - {""})
    if len(names) > 1:
        splits = {name: [row for row in rows if row[0]] or rows for name, rows in splits.items()}
    selected = [row for name, part in chosen.parts for row in _sliced(splits[name], part)]
    files = [file for _, file in selected]
    if len(names) < 2 or not all(label for label, _ in selected):
        return DocumentSource(tree.root, files, encoding, None), None
    numbers = {name: number for number, name in enumerate(names)}
    classes = np.array([numbers[label] for label, _ in selected], np.int64)
    classes.flags.writeable = False
    feature = LabelFeature(names=tuple(names))
    labels = ColumnSource({"label": ArrayColumn(classes)}, {"label": feature}, len(files))
    return DocumentSource(tree.root, files, encoding, labels), ("text", "label")


def _sliced(rows: Sequence[Row], part: Part | None) -> Sequence[Row]:
    bounds = part.rows(len(rows)) if part else range(len(rows))
    return rows[bounds.start : bounds.stop]


def _is_document(name: str) -> bool:
    lower = name.lower()
    return name[0] != "." and lower.endswith(TEXTS) and not lower.startswith(_NOT_DOCUMENTS)
