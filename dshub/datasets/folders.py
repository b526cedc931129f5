"""Create sources from folders of image or audio files, with one folder per class.

Many downloads have this layout, and torchvision's `ImageFolder` reads it::

    cat/1.jpg  cat/more/2.jpg  dog/7.jpg          classes
    train/cat/1.jpg  …  test/dog/7.jpg            splits, with the same classes
    1.jpg  2.jpg                                  no classes

`dshub.datasets.beside` adds tables, captions and masks.
"""

import hashlib
import os
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import numpy as np

from dshub.catalog.features import Feature, ImageFeature, LabelFeature, TextFeature
from dshub.catalog.manifest import Pair
from dshub.datasets.beside import TABLES, Beside, pair_masks, read_beside
from dshub.datasets.decoding import detect_audio
from dshub.datasets.from_memory import from_arrays
from dshub.datasets.selection import digest, encoded_features
from dshub.datasets.sources import ColumnSource, Source
from dshub.datasets.split_expressions import parse_split, synonyms, unknown_split
from dshub.errors import ArgumentError, ReadError, SchemaError
from dshub.tables.columns import ArrayColumn, Values

IMAGES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aiff", ".aif", ".aifc")

Row = tuple[str, str]
"""Class of a file ("" if it has none), and its path below the root, with `/` separators."""


class FolderSource(Source):
    """Rows of files in a folder, with their classes and other values.

    Args:
        root: path of the folder.
        paths: paths below `root` of each column of files, with `/` separators. The first column
            has the files that name the rows in errors.
        features: features of the columns of files.
        values: columns in memory; None without one.
        others: paths of other files that the values come from.
    """

    def __init__(
        self,
        root: Path,
        paths: Mapping[str, Sequence[str]],
        features: Mapping[str, Feature],
        values: ColumnSource | None = None,
        *,
        others: Sequence[str] = (),
    ) -> None:
        self.features = {**features, **(values.features if values else {})}
        self._root, self._paths, self._values, self._others = root, dict(paths), values, others
        self._files = next(iter(self._paths.values()))
        self.rows = len(self._files)

    @cached_property
    def identity(self) -> list[str]:
        """Hash of file names, sizes and modification times; hashing contents would be slow."""
        hasher = hashlib.sha256(encoded_features(self.features))
        for file in chain(*self._paths.values(), self._others):
            try:
                status = (self._root / file).stat()
            except OSError as error:
                _refuse(self._root / file, error)
            hasher.update(msgspec.json.encode([file, status.st_size, status.st_mtime_ns]))
        return [hasher.hexdigest()]

    @cached_property
    def row_identity(self) -> str:
        """Hash of file names, which are the same after a copy to another machine."""
        names = "\n".join(chain(*self._paths.values()))
        return digest(names if names.isascii() else unicodedata.normalize("NFC", names))

    def where(self, row: int) -> str:
        return str(self._root / self._files[row])

    def file(self, name: str, row: int) -> str:
        """Return the path of a file other than the one that names the row."""
        paths = self._paths.get(name, self._files)
        return "" if paths is self._files else str(self._root / paths[row])

    def read(self, name: str, rows: range | np.ndarray) -> Values:
        if self._values is not None and name in self._values.features:
            return self._values.read(name, rows)
        files = [self._root / self._paths[name][row] for row in np.asarray(rows).tolist()]
        return [_text(file) if name == "text" else _read(file) for file in files]

    def contiguous(self, name: str) -> np.ndarray | None:
        in_memory = self._values is not None and name in self._values.features
        return self._values.contiguous(name) if self._values and in_memory else None

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        return _Files([self._root / self._paths[name][row] for row in rows.tolist()])


class _Files(Sequence[bytes]):
    """Contents of files, which the threads that decode them read."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: Any) -> Any:
        return _read(self._paths[index])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        _refuse(path, error)


def _text(path: Path) -> str:
    """Read a caption without the line break at its end."""
    try:
        return _read(path).decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        hint = "save it as UTF-8"
        raise ReadError(file=str(path), reason="it is not UTF-8", hint=hint) from error


def _refuse(path: Path, error: OSError) -> NoReturn:
    hint = "check that it exists and that you can read it"
    reason = error.strerror or str(error)
    raise ReadError(file=str(path), reason=reason, hint=hint) from error


def from_folder(root: Path, split: str | None) -> tuple[FolderSource, Pair | None]:
    """Create the source of a folder or of splits in it, and return it with its supervised pair."""
    folders = _folders(root)
    tables: list[str] = []
    if split is not None:
        splits = {folder.name: _rows(root, folder, tables) for folder in folders}
        tables += [path.name for path in root.iterdir() if _is_table(path.name)]
        rows = _select(root, splits, split)
    elif folders and all(synonyms(folder.name) for folder in folders):
        expected = f"one of the splits in {root}: {', '.join(folder.name for folder in folders)}"
        hint = f"pass a split, such as split={folders[0].name!r}"
        raise ArgumentError(name="split", value=None, expected=expected, hint=hint)
    else:
        rows = _rows(root, root, tables)
        splits = {"": rows}
    all_rows = [row for part in splits.values() for row in part]
    files = [file for _, file in rows]
    column, feature = _feature(root, files or [file for _, file in all_rows])
    if column == "image" and (pairs := pair_masks(files)):
        return _masked(root, pairs), ("image", "mask")
    beside = read_beside(root, files, [file for _, file in all_rows], sorted(tables))
    if beside is None:
        return _source(root, column, feature, rows=rows, all_rows=all_rows)
    return _described(root, column, feature, rows=rows, beside=beside)


def _masked(root: Path, pairs: tuple[Sequence[str], Sequence[str]]) -> FolderSource:
    feature = ImageFeature(encoding="any")
    paths = dict(zip(("image", "mask"), pairs, strict=True))
    return FolderSource(root, paths, dict.fromkeys(paths, feature))


def _described(
    root: Path, column: str, feature: Feature, *, rows: Sequence[Row], beside: Beside
) -> tuple[FolderSource, Pair | None]:
    """Create a source of files with the data beside them, and with several class folders."""
    values, features, target = dict(beside.columns), dict(beside.features), beside.target
    names = sorted({name for name, _ in rows})
    if len(names) > 1 and "" not in names and "label" not in values:
        numbers = {name: number for number, name in enumerate(names)}
        classes = {file: numbers[name] for name, file in rows}
        values["label"] = np.array([classes[file] for file in beside.files], np.int64)
        features["label"] = LabelFeature(names=tuple(names))
        target = target or "label"
    paths = {column: beside.files, **beside.paths}
    kinds = {column: feature} | {name: TextFeature() for name in beside.paths}
    clash = next((name for name in values if name in paths), None)
    if clash is not None:
        got = f"a column {clash!r} in {', '.join(beside.sources)}"
        hint = f"rename this column of the table, because {clash!r} holds the files"
        raise SchemaError(where=str(root), expected="other names of columns", got=got, hint=hint)
    source = FolderSource(
        root, paths, kinds, from_arrays(values, features) if values else None, others=beside.sources
    )
    return source, (column, target) if target else None


def _source(
    root: Path, column: str, feature: Feature, *, rows: Sequence[Row], all_rows: Sequence[Row]
) -> tuple[FolderSource, Pair | None]:
    """Create a source of the selected rows, with the classes of all rows."""
    files = [file for _, file in rows]
    loose = [file for name, file in rows if not name]
    if loose and len(loose) < len(rows):
        reason = "it is not in a class folder, but other files are"
        hint = "move it into a class folder, or out of this folder"
        raise ReadError(file=str(root / loose[0]), reason=reason, hint=hint)
    if loose:
        return FolderSource(root, {column: files}, {column: feature}), None
    names = sorted({name for name, _ in all_rows if name})
    numbers = {name: number for number, name in enumerate(names)}
    classes = np.array([numbers[name] for name, _ in rows], np.int64)
    classes.flags.writeable = False
    label = LabelFeature(names=tuple(names))
    values = ColumnSource({"label": ArrayColumn(classes)}, {"label": label}, len(files))
    return FolderSource(root, {column: files}, {column: feature}, values), (column, "label")


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


def _is_table(name: str) -> bool:
    return name[0] != "." and name.lower().endswith(TABLES)


def _rows(root: Path, folder: Path, tables: list[str]) -> list[Row]:
    """Return the class and path of each image and audio file in a folder, sorted.

    Paths of tables are appended to `tables`.
    """

    def refuse(error: OSError) -> NoReturn:
        _refuse(Path(error.filename or folder), error)

    files: list[tuple[str, ...]] = []
    prefix = folder.relative_to(root).parts
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [name for name in folders if name[0] != "."]
        parts = Path(place).relative_to(folder).parts
        files += [
            (*parts, name)
            for name in names
            if name[0] != "." and name.lower().endswith(IMAGES + AUDIO)
        ]
        tables += [
            "/".join((*prefix, *parts, name))
            for name in names
            if name.lower().endswith(TABLES) and name[0] != "."
        ]
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
        extension = f".{file.rpartition('.')[2].lower()}"  # a `Path` takes ten times as long
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
