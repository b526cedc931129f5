"""Export to a corpus for NLTK's readers: `corpora/NAME.zip`, with all splits.

Set `NLTK_DATA` to the output folder, or append the folder to `nltk.data.path`::

    from nltk.corpus.reader import CategorizedPlaintextCorpusReader
    from nltk.corpus.util import LazyCorpusLoader

    imdb = LazyCorpusLoader(
        "imdb", CategorizedPlaintextCorpusReader, r"train/.*", cat_pattern=r"train/([^/]+)/"
    )

Three kinds of datasets fit, each with its reader:

- texts (`PlaintextCorpusReader`): `NAME/train/00000012.txt` is row 12. Several columns of text are
  paragraphs of one file.
- texts and a label (`CategorizedPlaintextCorpusReader`): `NAME/train/pos/00000012.txt`.
- words and a tag for each (`TaggedCorpusReader`): `NAME/train/all.txt`, with a sentence for each
  row and an empty line after it. Blanks in words become `_`. NLTK changes tags to upper case.

NLTK refuses zip files of more than 100,000 files. Larger datasets have one file `all.txt` for each
split or class, with texts as paragraphs: empty lines within a text are removed, and empty texts are
lost.

NLTK also refuses links, and files and folders that other accounts can write to. So the zip file is
never a link, and only its owner can change it.
"""

import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import IO, Any

from dshub.catalog.features import Feature, LabelFeature, ListFeature, TextFeature
from dshub.errors import DshubError
from dshub.export._rows import Exporter, Rows, folder_names, kind_of

MOST_FILES = 100_000  # NLTK's limit
_DATE = (1980, 1, 1, 0, 0, 0)  # earliest date in ZIP files, fixed to make files reproducible
_LIMIT = "a corpus holds texts and one label for each, or words and one tag for each"


class Nltk(Exporter):
    """Exporter of one zip file for all splits of a dataset."""

    kind = "joined"
    suffixes = (".zip",)
    subfolder = "corpora"

    def check(self, rows: Rows) -> None:
        columns_of(rows)

    def prepare(self, dest: Path) -> None:
        _keep_private(dest)
        if (dest / self.subfolder).is_dir():
            _keep_private(dest / self.subfolder)

    def usage(self, dest: Path) -> str:
        return f"NLTK_DATA={dest.absolute()}"

    def join(self, path: Path, name: str, splits: Mapping[str, Rows]) -> None:
        target = path.with_suffix(".zip")
        merged = sum(rows.count for rows in splits.values()) > MOST_FILES
        with zipfile.ZipFile(target, "w") as archive:
            for split, rows in splits.items():
                columns = columns_of(rows)
                write = _write_merged if merged or columns.tags else _write_each
                write(archive, f"{name}/{split}", rows, columns)
        target.chmod(0o644)


@dataclass(frozen=True)
class Columns:
    """Columns of a corpus: texts and a label, or words and tags."""

    texts: tuple[str, ...] = ()
    label: str | None = None
    words: str | None = None
    tags: str | None = None


def columns_of(rows: Rows) -> Columns:
    """Return the columns of a corpus.

    Raises:
        DshubError: there are other columns, or too few.
    """
    texts = [name for name, item in rows.features.items() if isinstance(item, TextFeature)]
    label = next((n for n, item in rows.features.items() if isinstance(item, LabelFeature)), None)
    words = next((n for n, item in rows.features.items() if _is_list(item, TextFeature)), None)
    tags = next((n for n, item in rows.features.items() if _is_list(item, LabelFeature)), None)
    tagged = words is not None and tags is not None
    chosen = [words, tags] if tagged else [*texts, label]
    _refuse_others(rows, [name for name in chosen if name], complete=tagged or bool(texts))
    return Columns(words=words, tags=tags) if tagged else Columns(tuple(texts), label)


def _refuse_others(rows: Rows, chosen: list[str], *, complete: bool) -> None:
    """Raise DshubError for the first column that is not chosen, or if no column is."""
    others = [name for name in rows.features if name not in chosen]
    if not complete or others:
        column = f"column {others[0]} holds {kind_of(rows.features[others[0]])}; " if others else ""
        names = ",".join(chosen)
        raise DshubError(
            f"{rows.title}: {column}{_LIMIT}",
            hint=f"choose columns with --columns {names}"
            if complete
            else "choose another format, such as jsonl",
        )


def _is_list(feature: Feature, kind: type) -> bool:
    return isinstance(feature, ListFeature) and isinstance(feature.of, kind)


def _keep_private(folder: Path) -> None:
    """Check that only the owner can write to a folder; change the mode of an empty one.

    Raises:
        DshubError: other accounts can write to the folder, so NLTK would refuse it.
    """
    mode = stat.S_IMODE(folder.stat().st_mode)
    if os.name != "posix" or not mode & 0o022:
        return
    if any(folder.iterdir()):
        raise DshubError(
            f"{folder} is writable by other accounts, and NLTK does not read such folders",
            hint=f"run `chmod go-w {folder}`, or export to another folder",
        )
    folder.chmod(mode & ~0o022)


def _write_each(archive: zipfile.ZipFile, folder: str, rows: Rows, columns: Columns) -> None:
    """Write one file for each row."""
    for number, inner, text in _texts(rows, columns):
        info = _member(f"{folder}/{inner}{number:08d}.txt")
        archive.writestr(info, "\n\n".join(text).encode())


def _write_merged(archive: zipfile.ZipFile, folder: str, rows: Rows, columns: Columns) -> None:
    """Write one file for each class, with a paragraph for each row."""
    scratch = Path(str(archive.filename)).parent
    with ExitStack() as stack:
        files: dict[str, IO[bytes]] = {}
        for _, inner, text in _sentences(rows, columns) if columns.tags else _texts(rows, columns):
            if inner not in files:
                path = scratch / f"{len(files)}.txt"
                files[inner] = stack.enter_context(path.open("w+b"))
            lines = [line for part in text for line in part.splitlines() if line.strip()]
            files[inner].write("\n".join([*lines, "", ""]).encode() if lines else b"")
        for inner, file in files.items():
            file.seek(0)
            with archive.open(_member(f"{folder}/{inner}all.txt"), "w", force_zip64=True) as sink:
                copyfileobj(file, sink)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    return info


def _texts(rows: Rows, columns: Columns) -> Iterator[tuple[int, str, list[str]]]:
    """Yield the number, the class folder and the texts of each row."""
    feature = rows.features[columns.label] if columns.label else None
    folders = folder_names(feature.names) if isinstance(feature, LabelFeature) else []
    for number, row in rows.each():
        inner = f"{folders[int(row[columns.label])]}/" if columns.label else ""
        yield number, inner, [row[name] for name in columns.texts]


def _sentences(rows: Rows, columns: Columns) -> Iterator[tuple[int, str, list[str]]]:
    """Yield each row as a sentence of words with tags."""
    words_column, tags_column = str(columns.words), str(columns.tags)
    feature: Any = rows.features[tags_column]
    for number, row in rows.each():
        words = ["_".join(word.split()) or "_" for word in row[words_column]]
        tags = [feature.of.names[int(tag)] for tag in row[tags_column]]
        if len(words) != len(tags):
            counts = f"{len(words)} words and {len(tags)} tags"
            raise DshubError(f"{rows.title}, row {number}: it has {counts}")
        yield number, "", [" ".join(f"{word}/{tag}" for word, tag in zip(words, tags, strict=True))]


exporter = Nltk()
