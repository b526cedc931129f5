"""Create sources from folders of text files, with one row per file.

The folders are those of `dshub.datasets.folders`::

    train/pos/0_9.txt  train/neg/1_3.txt  …       splits with classes, as in aclImdb
    a.md  notes/b.md                              documents without classes
"""

import codecs
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from dshub.catalog.features import Feature, LabelFeature, TextFeature
from dshub.catalog.manifest import Pair
from dshub.datasets.folders import FolderSource
from dshub.datasets.media import AUDIO, IMAGES
from dshub.datasets.sources import ColumnSource
from dshub.datasets.split_expressions import parse_split, synonyms, unknown_split
from dshub.errors import ArgumentError, ReadError
from dshub.tables.columns import ArrayColumn, Values

Encoding = Literal["utf-8", "latin-1", "cp1252", "utf-16"]
"""Encodings of text, as in the readers of manifests."""

TEXTS = (".txt", ".md", ".text", ".rst")
_NOT_DOCUMENTS = ("readme", "license", "licence", "changelog")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

Row = tuple[str, str]
"""Class of a document ("" if it has none), and its path below the root, with `/` separators."""


def has_documents(root: Path) -> bool:
    """Return True if most files of a folder are text, and none are images or audio."""
    documents = others = 0
    for _, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if name[0] != "."]
        shown = [name.lower() for name in names if name[0] != "."]
        if any(name.endswith(IMAGES + AUDIO) for name in shown):
            return False
        found = sum(map(_is_document, shown))
        documents, others = documents + found, others + len(shown) - found
    return documents > others


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
    root: Path, split: str | None, encoding: Encoding | None
) -> tuple[DocumentSource, Pair | None]:
    """Create the source of a folder or of splits in it, and return it with its supervised pair."""
    folders = sorted(path.name for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    if split is not None:
        splits = {name: _rows(root, name) for name in folders}
        chosen = _select(root, splits, split)
    elif folders and all(map(synonyms, folders)):
        expected = f"one of the splits in {root}: {', '.join(folders)}"
        hint = f"pass a split, such as split={folders[0]!r}"
        raise ArgumentError(name="split", value=None, expected=expected, hint=hint)
    else:
        splits = {"": _rows(root, "")}
        chosen = splits[""]
    names = sorted({label for part in splits.values() for label, _ in part if label})
    files = [file for _, file in chosen]
    if not names or not all(label for label, _ in chosen):
        return DocumentSource(root, files, encoding, None), None
    numbers = {name: number for number, name in enumerate(names)}
    classes = np.array([numbers[label] for label, _ in chosen], np.int64)
    classes.flags.writeable = False
    feature = LabelFeature(names=tuple(names))
    labels = ColumnSource({"label": ArrayColumn(classes)}, {"label": feature}, len(files))
    return DocumentSource(root, files, encoding, labels), ("text", "label")


def _select(root: Path, splits: Mapping[str, Sequence[Row]], expression: str) -> list[Row]:
    """Return the rows that a split expression selects."""
    selected: list[Row] = []
    for part in parse_split(expression):
        names = {part.split, *synonyms(part.split)}
        similar = (name for name in splits if name.lower() in names)
        name = part.split if part.split in splits else next(similar, None)
        if name is None:
            raise unknown_split(str(root), part.split, splits)
        rows = part.rows(len(splits[name]))
        selected += splits[name][rows.start : rows.stop]
    return selected


def _rows(root: Path, split: str) -> list[Row]:
    """Return the class and the path of each document in a folder, sorted.

    Files beside several class folders, such as a list of addresses, are not documents.
    """
    documents: list[tuple[str, ...]] = []
    for place, folders, names in os.walk(root / split, followlinks=True):
        folders[:] = [name for name in folders if name[0] != "."]
        parts = Path(place).relative_to(root / split).parts
        documents += [(*parts, name) for name in names if _is_document(name)]
    classes = {parts[0] for parts in documents if len(parts) > 1}
    has_classes = len(classes) > 1
    prefix = (split,) if split else ()
    return [
        (parts[0] if has_classes else "", "/".join((*prefix, *parts)))
        for parts in sorted(documents)
        if len(parts) > 1 or not has_classes
    ]


def _is_document(name: str) -> bool:
    lower = name.lower()
    return name[0] != "." and lower.endswith(TEXTS) and not lower.startswith(_NOT_DOCUMENTS)
