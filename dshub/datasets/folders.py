"""Create sources from folders of image or audio files, with one folder per class.

Many downloads have this layout, and torchvision's `ImageFolder` reads it::

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
AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aiff", ".aif", ".aifc")

Row = tuple[str, str]
"""Class of a file ("" if it has none), and its path below the root, with `/` separators."""


class FolderSource(ColumnSource):
    """Rows of files in a folder, with their classes.

    Args:
        root: path of the folder.
        files: paths below `root`, with `/` separators.
        classes: int64 class of each file, or None if there are no classes.
        features: features of the file column and of the label column, in this order.
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
        """Hash of file names, sizes and modification times; hashing contents would be slow."""
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
    hint = "check that it exists and that you can read it"
    reason = error.strerror or str(error)
    raise ReadError(file=str(path), reason=reason, hint=hint) from error


def from_folder(root: Path, split: str | None) -> tuple[FolderSource, tuple[str, str] | None]:
    """Create the source of a folder or of splits in it, and return it with its supervised pair."""
    folders = _folders(root)
    if split is not None:
        splits = {folder.name: _rows(root, folder) for folder in folders}
        rows = _select(root, splits, split)
    elif folders and all(synonyms(folder.name) for folder in folders):
        expected = f"one of the splits in {root}: {', '.join(folder.name for folder in folders)}"
        hint = f"pass a split, such as split={folders[0].name!r}"
        raise ArgumentError(name="split", value=None, expected=expected, hint=hint)
    else:
        rows = _rows(root, root)
        splits = {"": rows}
    return _source(root, rows, [row for part in splits.values() for row in part])


def _source(
    root: Path, rows: Sequence[Row], all_rows: Sequence[Row]
) -> tuple[FolderSource, tuple[str, str] | None]:
    """Create a source of the selected rows, with the classes of all rows."""
    files = [file for _, file in rows]
    column, feature = _feature(root, files or [file for _, file in all_rows])
    loose = [file for name, file in rows if not name]
    if loose and len(loose) < len(rows):
        reason = "it is not in a class folder, but other files are"
        hint = "move it into a class folder, or out of this folder"
        raise ReadError(file=str(root / loose[0]), reason=reason, hint=hint)
    if loose:
        return FolderSource(root, files, None, {column: feature}), None
    names = sorted({name for name, _ in all_rows if name})
    numbers = {name: number for number, name in enumerate(names)}
    classes = np.array([numbers[name] for name, _ in rows], np.int64)
    classes.flags.writeable = False
    features = {column: feature, "label": LabelFeature(names=tuple(names))}
    return FolderSource(root, files, classes, features), (column, "label")


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


def _folders(root: Path) -> list[Path]:
    """Return the subfolders of a folder that are not hidden, sorted by name."""
    try:
        folders = [path for path in root.iterdir() if path.is_dir() and path.name[0] != "."]
    except OSError as error:
        _refuse(root, error)
    return sorted(folders, key=lambda path: path.name)


def _rows(root: Path, folder: Path) -> list[Row]:
    """Return the class and path of each image and audio file in a folder, sorted."""

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
    """Return the name and feature of the file column."""
    if not files:
        raise ReadError(
            file=str(root),
            reason="it contains no image or audio files",
            hint=f"add files with the extensions {' '.join(IMAGES + AUDIO)}",
        )
    kinds: dict[str, str] = {}
    extensions: set[str] = set()
    for file in files:
        extension = Path(file).suffix.lower()
        kinds.setdefault("image" if extension in IMAGES else "audio", file)
        extensions.add(extension)
    if len(kinds) > 1:
        got = " and ".join(f"{kind} ({file})" for kind, file in kinds.items())
        hint = "move files of one kind to another folder"
        raise SchemaError(where=str(root), expected="files of one kind", got=got, hint=hint)
    if "image" in kinds:
        return "image", ImageFeature(encoding="any")
    first = root / files[0]
    feature = detect_audio(_read(first), str(first))
    if len(extensions) > 1:
        feature = msgspec.structs.replace(feature, encoding="any")
    return "audio", feature
