"""Create sources from folders of image or audio files, with one folder per class.

Many downloads have this layout, and torchvision's `ImageFolder` reads it::

    cat/1.jpg  cat/more/2.jpg  dog/7.jpg          classes
    train/cat/1.jpg  …  test/dog/7.jpg            splits, with the same classes
    1.jpg  2.jpg                                  no classes

`dshub.datasets.beside` adds tables, captions and masks.
"""

import hashlib
import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import numpy as np

from dshub.catalog.features import Feature, LabelFeature, TextFeature
from dshub.catalog.manifest import Pair
from dshub.datasets.audio_features import audio_feature
from dshub.datasets.beside import pair_masks, read_beside
from dshub.datasets.decoding import detect_audio
from dshub.datasets.depths import image_feature, mask_feature
from dshub.datasets.file_tables import LABELS, Beside, columns_of, read_tables
from dshub.datasets.from_memory import from_arrays
from dshub.datasets.labels import class_order
from dshub.datasets.media import IMAGES, MediaTree, refuse_pointer
from dshub.datasets.selection import digest, encoded_features
from dshub.datasets.sources import ColumnSource, Source
from dshub.datasets.split_expressions import Part
from dshub.datasets.split_folders import Chosen, choose
from dshub.datasets.stated_splits import StatedRows, StatedSplits, find_stated_splits
from dshub.datasets.trees import empty_classes, find_splits, lone_folder, shown
from dshub.errors import ReadError, SchemaError
from dshub.importing.walking import Place
from dshub.tables.columns import Values

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
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
        data = path.read_bytes()
    except OSError as error:
        _refuse(path, error)
    refuse_pointer(data, str(path))
    return data


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


def from_folder(
    tree: MediaTree, split: str | None, dtype: str | None = None
) -> tuple[FolderSource, Pair | None]:
    """Create the source of files or of splits of them, and return it with its supervised pair.

    Raises:
        DshubError: see `Dataset.from_folder`.
    """
    root = tree.root
    if not tree.files:
        tree.refuse()
    groups = find_splits(tree.files)
    stated = StatedSplits(root, {}, {}) if groups.splits else _stated_splits(tree)
    listed = stated.choose(split)
    found = _find_rows(tree, choose(root, groups, split if listed is None else None))
    if listed is not None:
        chosen = set(listed.files)
        found = replace(found, rows=[row for row in found.all_rows if row[1] in chosen])
    files, all_files = ([file for _, file in rows] for rows in (found.rows, found.all_rows))
    column = _kind_of(root, files or all_files)
    if column == "image" and (pairs := pair_masks(all_files if listed else files)):
        _log(root, tree.notes(), found.chosen.notes)
        return _masked(root, _listed_pairs(pairs, listed), dtype), ("image", "mask")
    _log(root, tree.notes(), found.notes())
    feature = _feature(root, column, files or all_files, dtype)
    if listed is not None and listed.tables:
        beside = columns_of(listed.rows, listed.tables, listed.family)
    else:
        files = listed.files if listed is not None else files
        tables = read_tables(root, tree.possible_tables, all_files)
        beside = read_beside(root, files, tables) or Beside(files)
    return _described(found, column, feature, beside)


def _log(root: Path, *notes: Iterable[str]) -> None:
    for note in chain(*notes):
        logging.getLogger("dshub").warning("%s: %s", root, note)


def split_names(tree: MediaTree) -> list[str]:
    """Return the names of the splits that folders, tables or lists state, or nothing."""
    return find_splits(tree.files).splits or [*_stated_splits(tree).rows]


def _stated_splits(tree: MediaTree) -> StatedSplits:
    files, texts = tree.paths, tree.possible_lists
    pairs = pair_masks(files) if texts else None
    tables = read_tables(tree.root, tree.possible_tables, files)
    return find_stated_splits(tree.root, pairs[0] if pairs else files, tables, texts)


def _find_rows(tree: MediaTree, chosen: Chosen) -> "_Found":
    try:
        for name, _ in chosen.parts:
            tree.check_pointers(chosen.splits[name])
    except OSError as error:
        _refuse(Path(error.filename or tree.root), error)
    by_split = {name: tree.rows(item) for name, item in chosen.splits.items()}
    rows = [row for name, part in chosen.parts for row in _sliced(by_split[name], part)]
    return _Found(tree, chosen, rows, [row for part in by_split.values() for row in part])


def _listed_pairs(
    pairs: tuple[list[str], list[str]], listed: StatedRows | None
) -> tuple[list[str], list[str]]:
    """Return the pairs of the images in a list."""
    if listed is None:
        return pairs
    masks = dict(zip(*pairs, strict=True))
    images = [file for file in listed.files if file in masks]
    return images, [masks[file] for file in images]


def _sliced(rows: list[Row], part: Part | None) -> list[Row]:
    chosen = part.rows(len(rows)) if part else range(len(rows))
    return rows[chosen.start : chosen.stop]


@dataclass(frozen=True)
class _Found:
    """Rows of a folder.

    Attributes:
        rows: selected rows.
        all_rows: rows of all splits with the same classes.
    """

    tree: MediaTree
    chosen: Chosen
    rows: Sequence[Row]
    all_rows: Sequence[Row]

    @cached_property
    def _empty(self) -> tuple[set[str], set[str]]:
        """Names of folders without files: empty classes, and folders of other kinds."""
        tree, splits = self.tree, self.chosen.splits.values()
        found = [empty_classes(split, tree.folders, tree.others) for split in splits]
        return set().union(*(empty for empty, _ in found)), set().union(
            *(used for _, used in found)
        )

    @cached_property
    def classes(self) -> list[str]:
        """Names of the classes, in order; empty for a single class."""
        names = {name for name, _ in self.all_rows} - {""}
        return class_order(names | self._empty[0]) if len(names) > 1 else []

    @property
    def loose(self) -> list[str]:
        """Selected files outside of class folders, if there are any class folders."""
        loose = [file for name, file in self.rows if not name]
        return loose if self.classes or len(loose) < len(self.rows) else []

    @property
    def columns(self) -> dict[str, dict[Place, str]]:
        """Values of folders such as `year=2024` in all splits, by key and folder."""
        columns: dict[str, dict[Place, str]] = {}
        for split in self.chosen.splits.values():
            for key, values in split.columns.items():
                columns.setdefault(key, {}).update(values)
        return columns

    def notes(self) -> Iterator[str]:
        """Yield what is uncertain."""
        yield from self.chosen.notes
        with_files = {name for name, _ in self.all_rows}
        if not self.classes and (lone := lone_folder(self.chosen.splits.values())):
            yield f"no labels, because there is only one class folder: {lone}"
        if self.classes and (empty := sorted(self._empty[0] - with_files)):
            yield f"classes without files: {shown(empty)}"
        if self.classes and (used := sorted(self._empty[1])):
            yield f"folders without image or audio files, which are not classes: {shown(used)}"


def _masked(
    root: Path, pairs: tuple[Sequence[str], Sequence[str]], dtype: str | None
) -> FolderSource:
    images, masks = pairs
    features: dict[str, Feature] = {"image": image_feature(root, images, dtype)}
    features["mask"] = mask_feature(root, masks)
    return FolderSource(root, dict(zip(features, pairs, strict=True)), features)


def _described(
    found: _Found, column: str, feature: Feature, beside: Beside
) -> tuple[FolderSource, Pair | None]:
    """Create the source of files with their classes and the data beside them."""
    root, values, features = found.tree.root, dict(beside.columns), dict(beside.features)
    target = beside.target
    for name, texts in found.columns.items():
        places = [tuple(file.split("/")[:-1]) for file in beside.files]
        values[name] = _column(name, [texts.get(place, "") for place in places], texts, features)
        target = target or (name if name in features else None)
    described = bool(values or beside.paths)
    if found.loose and not described and len(found.loose) < len(found.rows):
        reason = "it is not in a class folder, but other files are"
        hint = "move it into a class folder, or out of this folder"
        raise ReadError(file=str(root / found.loose[0]), reason=reason, hint=hint)
    if found.classes and not found.loose and "label" not in values:
        numbers = {name: number for number, name in enumerate(found.classes)}
        classes = {file: name for name, file in found.rows}
        values["label"] = np.array([numbers[classes[file]] for file in beside.files], np.int64)
        features["label"] = LabelFeature(names=tuple(found.classes))
        target = target or "label"
    paths = {column: beside.files, **beside.paths}
    kinds = {column: feature} | {name: TextFeature() for name in beside.paths}
    clash = next((name for name in values if name in paths), None)
    if clash is not None:
        got = f"a column {clash!r} in {', '.join(beside.sources) or 'the names of folders'}"
        hint = f"rename this column of the table, because {clash!r} holds the files"
        raise SchemaError(where=str(root), expected="other names of columns", got=got, hint=hint)
    source = FolderSource(
        root, paths, kinds, from_arrays(values, features) if values else None, others=beside.sources
    )
    return source, (column, target) if target else None


def _column(
    name: str, texts: Sequence[str], every: Mapping[Place, str], features: dict[str, Feature]
) -> Any:
    """Return a column of folders such as `year=2024`: classes, integers or text.

    Args:
        name: name of the column.
        texts: value of each row; empty if it is missing.
        every: values of all splits, which decide the type.
        features: receives the feature of classes.
    """
    if name.lower() in LABELS and "" not in every.values() and "" not in texts:
        classes = class_order(every.values())
        features[name] = LabelFeature(names=tuple(classes))
        numbers = {text: number for number, text in enumerate(classes)}
        return np.array([numbers[text] for text in texts], np.int64)
    convert = int if all(not text or _INTEGER.fullmatch(text) for text in every.values()) else str
    return [convert(text) if text else None for text in texts]


def _extensions(files: Sequence[str]) -> set[str]:
    return {file[file.rfind(".") :] for file in files}


def _kind_of(root: Path, files: Sequence[str]) -> str:
    """Return the name of the file column, `image` or `audio`."""
    extensions = _extensions(files)
    images = {extension for extension in extensions if extension.lower() in IMAGES}
    if images and images != extensions:
        examples = {"image": images, "audio": extensions - images}
        got = " and ".join(
            f"{kind} ({next(file for file in files if file.endswith((*endings,)))})"
            for kind, endings in examples.items()
        )
        hint = "move files of one kind to another folder"
        raise SchemaError(where=str(root), expected="files of one kind", got=got, hint=hint)
    return "image" if images else "audio"


def _feature(root: Path, column: str, files: Sequence[str], dtype: str | None) -> Feature:
    """Return the feature of the file column."""
    if column == "image":
        return image_feature(root, files, dtype)
    first = root / files[0]
    return audio_feature(root, files, detect_audio(_read(first), str(first)))
