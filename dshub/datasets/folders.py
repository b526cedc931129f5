"""Sources over folders of image or audio files, one folder for each class.

The layout is common for downloads, and that of torchvision's `ImageFolder`::

    cat/1.jpg  cat/more/2.jpg  dog/7.jpg          classes
    train/cat/1.jpg  …  test/dog/7.jpg            splits, with the same classes
    1.jpg  2.jpg                                  no classes
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import msgspec
import numpy as np

from dshub.catalog.features import Feature, ImageFeature, LabelFeature
from dshub.datasets.decoding import detect_audio
from dshub.datasets.sources import ColumnSource
from dshub.datasets.split_expressions import parse_split, synonyms, unknown_split
from dshub.errors import ArgumentError, ReadError, SchemaError
from dshub.tables.columns import ArrayColumn, Values

IMAGES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
AUDIO = (".wav", ".flac")

Row = tuple[str, str]
"""The class of a file, or "" if it has none; and its path below the root, with `/`."""


class FolderSource(ColumnSource):
    """Files of a folder, and their classes.

    Args:
        root: the folder.
        files: their paths below it, with `/`.
        classes: int64, of each file; None if there are none.
        features: the column of files, then that of classes.
    """

    def __init__(
        self,
        root: Path,
        files: Sequence[str],
        classes: np.ndarray | None,
        features: Mapping[str, Feature],
    ) -> None:
        labels = {} if classes is None else {"label": ArrayColumn(classes)}
        super().__init__(labels, features, len(files))
        self._root, self._files = root, files

    @cached_property
    def identity(self) -> list[str]:
        """Names, sizes and modification times: reading every file would take too long."""
        hasher = hashlib.sha256(msgspec.json.encode(self.features))
        for file in self._files:
            try:
                status = (self._root / file).stat()
            except OSError as error:
                _refuse(self._root / file, error)
            hasher.update(msgspec.json.encode([file, status.st_size, status.st_mtime_ns]))
        return [hasher.hexdigest()]

    def where(self, row: int) -> str:
        return str(self._root / self._files[row])

    def read(self, name: str, rows: range | np.ndarray) -> Values:
        if name == "label":
            return super().read(name, rows)
        return [_read(self._root / self._files[row]) for row in np.asarray(rows).tolist()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        _refuse(path, error)


def _refuse(path: Path, error: OSError) -> NoReturn:
    hint = "check that it still exists, and its permissions"
    reason = error.strerror or str(error)
    raise ReadError(file=str(path), reason=reason, hint=hint) from error


def from_folder(root: Path, split: str | None) -> tuple[FolderSource, tuple[str, str] | None]:
    """The source of a folder, or of some splits in it, and its supervised pair."""
    folders = _folders(root)
    if split is not None:
        splits = {folder.name: _rows(root, folder) for folder in folders}
        rows = _select(root, splits, split)
    elif folders and all(synonyms(folder.name) for folder in folders):
        expected = f"one of the splits in {root}: {', '.join(folder.name for folder in folders)}"
        hint = f"pass one, such as split={folders[0].name!r}"
        raise ArgumentError(name="split", value=None, expected=expected, hint=hint)
    else:
        rows = _rows(root, root)
        splits = {"": rows}
    return _source(root, rows, [row for part in splits.values() for row in part])


def _source(
    root: Path, rows: Sequence[Row], every: Sequence[Row]
) -> tuple[FolderSource, tuple[str, str] | None]:
    """Make a source of selected rows; every row of the folder counts for the features."""
    files = [file for _, file in rows]
    column, feature = _feature(root, files or [file for _, file in every])
    loose = [file for name, file in rows if not name]
    if loose and len(loose) < len(rows):
        reason = "it is not in a class folder, but other files are"
        hint = "move it into a class folder, or out of this one"
        raise ReadError(file=str(root / loose[0]), reason=reason, hint=hint)
    if loose:
        return FolderSource(root, files, None, {column: feature}), None
    names = sorted({name for name, _ in every if name})
    numbers = {name: number for number, name in enumerate(names)}
    classes = np.array([numbers[name] for name, _ in rows], np.int64)
    classes.flags.writeable = False
    features = {column: feature, "label": LabelFeature(names=tuple(names))}
    return FolderSource(root, files, classes, features), (column, "label")


def _select(root: Path, splits: Mapping[str, Sequence[Row]], expression: str) -> list[Row]:
    """The rows that a split expression selects."""
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


def _folders(root: Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones."""
    try:
        folders = [path for path in root.iterdir() if path.is_dir() and path.name[0] != "."]
    except OSError as error:
        _refuse(root, error)
    return sorted(folders, key=lambda path: path.name)


def _rows(root: Path, folder: Path) -> list[Row]:
    """The image and audio files of a folder, sorted by class and name."""

    def refuse(error: OSError) -> NoReturn:
        _refuse(Path(error.filename or folder), error)

    files: list[tuple[str, ...]] = []
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [name for name in folders if name[0] != "."]
        parts = Path(place).relative_to(folder).parts
        files += [
            (*parts, name)
            for name in names
            if name[0] != "." and name.lower().endswith(IMAGES + AUDIO)
        ]
    prefix = folder.relative_to(root).parts
    return [(file[0] if len(file) > 1 else "", "/".join(prefix + file)) for file in sorted(files)]


def _feature(root: Path, files: Sequence[str]) -> tuple[str, Feature]:
    """The name and the feature of the column of files."""
    if not files:
        raise ReadError(
            file=str(root),
            reason="it contains no image and no audio file",
            hint=f"files are recognized by their extensions: {' '.join(IMAGES + AUDIO)}",
        )
    kinds: dict[str, str] = {}
    for file in files:
        extension = Path(file).suffix.lower()
        kinds.setdefault("image" if extension in IMAGES else f"{extension} file", file)
    if len(kinds) > 1:
        got = " and ".join(f"{kind} ({file})" for kind, file in kinds.items())
        hint = "move one kind to another folder"
        raise SchemaError(where=str(root), expected="files of one kind", got=got, hint=hint)
    if "image" in kinds:
        return "image", ImageFeature(encoding="any")
    first = root / files[0]
    return "audio", detect_audio(_read(first), str(first))
