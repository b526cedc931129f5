"""Pictures or recordings in folders, one for each class, as a source.

The layout is that of many a download, and of torchvision's `ImageFolder`::

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
from dshub.catalog.manifest import Manifest
from dshub.datasets.decoding import recording_feature
from dshub.datasets.split_expressions import parse_split, same, unknown_split
from dshub.errors import ArgumentError, ReadError, SchemaError
from dshub.tables.columns import Values

PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
RECORDINGS = (".wav", ".flac")


class FolderSource:
    """Files of a folder, read when their rows are.

    Args:
        root: the folder.
        files: below it, with `/`.
        classes: int64, of each file; None where there are none.
        features: the column of files first, then that of classes.
    """

    manifest: Manifest | None = None
    files: Sequence[Path] = ()

    def __init__(
        self,
        root: Path,
        files: Sequence[str],
        classes: np.ndarray | None,
        features: Mapping[str, Feature],
    ) -> None:
        self._root, self._files, self._classes = root, files, classes
        self.features = features

    @property
    def rows(self) -> int:
        return len(self._files)

    @cached_property
    def identity(self) -> list[str]:
        """Names, sizes and times of change: to read every file would take too long."""
        hasher = hashlib.sha256(msgspec.json.encode(self.features))
        for row, file in enumerate(self._files):
            try:
                facts = self._path(row).stat()
            except OSError as error:
                _refuse(self._path(row), error)
            hasher.update(msgspec.json.encode([file, facts.st_size, facts.st_mtime_ns]))
        return [hasher.hexdigest()]

    def where(self, row: int) -> str:
        return str(self._path(row))

    def gather(self, name: str, rows: np.ndarray) -> Values:
        if self._classes is not None and name == "label":
            chosen: np.ndarray = self._classes[rows]
            return chosen
        return [_content(self._path(row)) for row in rows.tolist()]

    def whole(self, name: str) -> None:
        """Never in one piece."""

    def arrow(self, name: str) -> None:
        """Nothing of Arrow's."""

    def span(self, name: str, start: int, stop: int) -> Values:
        return self.gather(name, np.arange(start, stop))

    def _path(self, row: int) -> Path:
        return self._root / self._files[row]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        _refuse(path, error)


def _refuse(path: Path, error: OSError) -> NoReturn:
    hint = "the folder changed, or may not be read"
    reason = error.strerror or str(error)
    raise ReadError(file=str(path), reason=reason, hint=hint) from error


Row = tuple[str, str]
"""The class of a file, empty where it has none; and the file, below the root, with `/`."""


def from_folder(root: Path, split: str | None) -> tuple[FolderSource, tuple[str, str] | None]:
    """The files of a folder, or of some splits in it, and what `(x, y)` means."""
    folders = _folders(root)
    if split is not None:
        found = {folder.name: _rows(root, folder) for folder in folders}
        rows = _chosen(root, found, split)
    elif folders and all(same(folder.name) for folder in folders):
        expected = f"one of the splits in {root}: {', '.join(folder.name for folder in folders)}"
        hint = f"name one, such as split={folders[0].name!r}"
        raise ArgumentError(name="split", value=None, expected=expected, hint=hint)
    else:
        found = {"": _rows(root, root)}
        rows = found[""]
    every = [row for rows in found.values() for row in rows]
    return _source(root, rows, every)


def _source(
    root: Path, rows: Sequence[Row], every: Sequence[Row]
) -> tuple[FolderSource, tuple[str, str] | None]:
    """The chosen rows as a source; every row of the folder decides what columns hold."""
    files = [file for _, file in rows]
    column, feature = _feature(root, files or [file for _, file in every])
    loose = [file for name, file in rows if not name]
    if loose and len(loose) < len(rows):
        reason = "it lies in no folder of a class, as others do"
        raise ReadError(file=str(root / loose[0]), reason=reason, hint="move it into one, or out")
    if loose:
        return FolderSource(root, files, None, {column: feature}), None
    names = sorted({name for name, _ in every if name})
    numbers = {name: number for number, name in enumerate(names)}
    classes = np.array([numbers[name] for name, _ in rows], np.int64)
    features = {column: feature, "label": LabelFeature(names=tuple(names))}
    return FolderSource(root, files, classes, features), (column, "label")


def _chosen(root: Path, found: Mapping[str, Sequence[Row]], expression: str) -> list[Row]:
    """The rows that a split expression means."""
    chosen: list[Row] = []
    for part in parse_split(expression):
        wanted = {part.split, *same(part.split)}
        name = next((name for name in found if name == part.split), None)
        name = name or next((name for name in found if name.lower() in wanted), None)
        if name is None:
            raise unknown_split(str(root), part.split, found)
        rows = part.rows(len(found[name]))
        chosen += found[name][rows.start : rows.stop]
    return chosen


def _folders(root: Path) -> list[Path]:
    """The folders in a folder, sorted; hidden ones are none."""
    try:
        found = [path for path in root.iterdir() if path.is_dir()]
    except OSError as error:
        _refuse(root, error)
    return sorted((path for path in found if path.name[0] != "."), key=lambda path: path.name)


def _rows(root: Path, folder: Path) -> list[Row]:
    """Pictures and recordings of a folder, sorted by class and name."""
    found: list[tuple[str, ...]] = []

    def refuse(error: OSError) -> NoReturn:
        _refuse(Path(error.filename or folder), error)

    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [name for name in folders if name[0] != "."]
        parts = Path(place).relative_to(folder).parts
        found += [(*parts, name) for name in names if _is_media(name)]
    before = folder.relative_to(root).parts
    return [
        (parts[0] if len(parts) > 1 else "", "/".join((*before, *parts))) for parts in sorted(found)
    ]


def _is_media(name: str) -> bool:
    return name[0] != "." and name.lower().endswith((*PICTURES, *RECORDINGS))


def _feature(root: Path, files: Sequence[str]) -> tuple[str, Feature]:
    """The column that files make, and what it holds."""
    if not files:
        endings = " ".join((*PICTURES, *RECORDINGS))
        raise ReadError(
            file=str(root),
            reason="there is no picture and no recording in it",
            hint=f"files are told by their endings: {endings}",
        )
    kinds: dict[str, str] = {}
    for file in files:
        ending = file[file.rindex(".") :].lower()
        kinds.setdefault("picture" if ending in PICTURES else f"{ending} recording", file)
    if len(kinds) > 1:
        got = " and ".join(f"a {kind} ({file})" for kind, file in kinds.items())
        raise SchemaError(
            where=str(root), expected="files of one kind", got=got, hint="put them apart"
        )
    if "picture" in kinds:
        return "image", ImageFeature(encoding="any")
    first = root / files[0]
    return "audio", recording_feature(_content(first), str(first))
