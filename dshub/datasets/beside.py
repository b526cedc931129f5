"""Find the data of image or audio files in tables, captions and masks beside them.

These layouts are common::

    1.jpg  2.jpg  metadata.csv           a table with a column of file names, such as `file_name`
    train/1.jpg  …  train.csv            or of names without extension, such as `id`
    1.jpg  1.txt  2.jpg  2.txt           captions, in UTF-8
    images/1.jpg  …  masks/1.png         pairs of an image and a mask
    1.jpg  1_mask.png  2.jpg  …
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, TextIO, cast

import numpy as np

from dshub.catalog.features import Feature, LabelFeature, NumberFeature
from dshub.catalog.file_names import FileNames
from dshub.errors import ReadError, SchemaError

TABLES = (".csv", ".tsv", ".jsonl")
LABELS = ("label", "labels", "class", "classes", "target", "category", "y")
MAX_CLASSES = 1000  # maximum number of classes of a column
_NAMES = {"file_name", "filename", "file", "path", "image", "img", "audio"}  # columns of only names
_IMAGES = {"image", "images", "img", "imgs", "jpegimages", "rgb", "input", "inputs"}
_MASKS = {"mask", "masks", "segmentation", "segmentationclass", "seg", "gt", "groundtruth"}
_MASKS |= {"ground_truth", "annotations", "labels", "targets"}
_ENDINGS = ("mask", "masks", "seg", "segmentation", "gt")
_MASK_END = re.compile(rf"[-_ ]({'|'.join(_ENDINGS)})\Z", re.IGNORECASE)
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DIGITS = re.compile(r"0|-?[1-9][0-9]*")


@dataclass
class Beside:
    """Rows of files with the data beside them.

    Attributes:
        files: path of the file of each row.
        columns: values by column, one for each row.
        features: features of columns, if they are not inferred from the values.
        paths: paths of other files by column, one for each row.
        sources: paths of the tables.
        target: column that a model predicts; None if it is unclear.
    """

    files: Sequence[str]
    columns: dict[str, Any] = field(default_factory=dict)
    features: dict[str, Feature] = field(default_factory=dict)
    paths: dict[str, Sequence[str]] = field(default_factory=dict)
    sources: Sequence[str] = ()
    target: str | None = None


def read_beside(
    root: Path, files: Sequence[str], all_files: Sequence[str], tables: Sequence[str]
) -> Beside | None:
    """Return the data of files, or None if there is none.

    Args:
        root: folder that all paths are relative to.
        files: paths of the files of the rows.
        all_files: paths of the files of all splits.
        tables: paths of tables.

    Raises:
        SchemaError: several tables describe the files.
        ReadError: a table cannot be read, a file has no row or caption but others have, or a row
            has no file.
    """
    read = [
        _Table(root, path, all_files)
        for path in tables
        if "submission" not in path.rpartition("/")[2].lower()
    ]
    stated = [table for table in read if table.described and table.stem == "metadata"]
    read = stated or [table for table in read if table.described]
    chosen = set(files)
    found = [table for table in read if chosen & table.described]
    if not found:
        return _captions(root, files)
    for table in found[1:]:
        if table.columns != found[0].columns or found[0].described & table.described:
            got, hint = f"{found[0].path} and {table.path}", "move one of them to another folder"
            raise SchemaError(
                where=str(root), expected="one table of the files", got=got, hint=hint
            )
    # tables of other splits decide the classes, too
    family = [table for table in read if table.columns == found[0].columns]
    return _joined(files, found, family)


class _Table:
    """A table with a column of file names, which is empty if it is not about the files.

    Attributes:
        described: paths of the files that have a row.
        paths: path of the file of each row; None if it is missing.
    """

    def __init__(self, root: Path, path: str, all_files: Sequence[str]) -> None:
        self.path, self.stem = path, PurePosixPath(path).stem.lower()
        self.place = root / path
        self.rows: list[dict[str, Any]] = list(_rows_of(self.place))
        self.columns = list(self.rows[0]) if self.rows else []
        names = _names(self._scope(all_files), path.rpartition("/")[0])
        spellings = FileNames(names)
        self.key = max(self.columns, key=lambda column: self._rank(column, spellings), default="")
        self.paths = [self._path(row, names, spellings) for row in self.rows]
        self.described = {file for file in self.paths if file is not None}
        if self.key.lower() not in _NAMES and 2 * len(self.described) < len(self.rows):
            self.described = set()  # numbers of epochs can be names of files by chance

    def _path(
        self, row: Mapping[str, Any], names: Mapping[str, str], spellings: FileNames
    ) -> str | None:
        """Return the path of the file that a row names, in any Unicode form and case."""
        name = str(row.get(self.key))
        paths = {names[spelling] for spelling in spellings.find(name)}
        if len(paths) > 1:
            reason = f"it names {name!r}, which could be {' or '.join(sorted(paths))}"
            raise ReadError(file=str(self.place), reason=reason, hint="rename one of these files")
        return next(iter(paths), None)

    def _rank(self, column: str, names: FileNames) -> tuple[int, bool, int]:
        """Return how likely a column has the names of files."""
        values = [str(row.get(column)) for row in self.rows]
        matches = sum(bool(names.find(value)) for value in values)
        return matches, column.lower() in _NAMES, len(set(values))

    def _scope(self, all_files: Sequence[str]) -> Sequence[str]:
        """Return the files that the table can describe.

        These are the files of the split that its name has, or those in its folder, or in the next
        folder above with any.
        """
        folder = self.path.rpartition("/")[0]
        if not folder:
            words = re.split(r"[^a-z0-9]+", self.stem)
            tops = {file.partition("/")[0] for file in all_files if "/" in file}
            named = [top for top in tops if top.lower() in words]
            folder = named[0] if len(named) == 1 else ""
        while folder:
            files = [file for file in all_files if file.startswith(f"{folder}/")]
            if files:
                return files
            folder = folder.rpartition("/")[0]
        return all_files

    def refuse(self, reason: str, action: str) -> NoReturn:
        """Raise the error for a fault of the table."""
        raise ReadError(file=str(self.place), reason=reason, hint=f"remove {action}")


def _joined(files: Sequence[str], found: Sequence[_Table], family: Sequence[_Table]) -> Beside:
    """Return the rows of files in the tables, in the order of files."""
    rows: dict[str, list[dict[str, Any]]] = {file: [] for file in files}
    for table in found:
        for line, (row, file) in enumerate(zip(table.rows, table.paths, strict=True), 1):
            if file is None:
                reason = f"row {line} names {row[table.key]!r}, which does not exist"
                table.refuse(reason, "the row")
            if file in rows:
                rows[file].append(row)
    missing = next((file for file, lines in rows.items() if not lines), None)
    if missing is not None:
        found[0].refuse(f"it has no row for {missing}", "the file, or add a row")
    chosen = [row for lines in rows.values() for row in lines]
    done = Beside([file for file, lines in rows.items() for _ in lines])
    done.sources = [table.path for table in found]
    key = found[0].key
    for column in found[0].columns:
        if column != key or column.lower() not in _NAMES:
            lone = len(found[0].columns) == 2 and column != key
            _add(done, column, [row.get(column) for row in chosen], family, lone=lone)
    named = [name for name, item in done.features.items() if isinstance(item, LabelFeature)]
    done.target = next(
        iter(named), next(iter(done.columns), None) if len(done.columns) == 1 else None
    )
    return done


def _add(
    done: Beside, column: str, values: list[Any], family: Sequence[_Table], *, lone: bool
) -> None:
    """Add a column, whose type is that of the column in all tables."""
    every = [row.get(column) for table in family for row in table.rows]
    names = _classes(column, every, lone=lone)
    if names is None:
        done.columns[column], feature = _typed(values, every)
        done.features |= {} if feature is None else {column: feature}
        return
    for table in family:
        if line := next((i for i, row in enumerate(table.rows, 1) if row[column] == ""), 0):
            table.refuse(f"row {line} has no {column}", "the row, or fill the cell")
    numbers = {name: number for number, name in enumerate(names)}
    done.columns[column] = np.array([numbers[str(value)] for value in values], np.int64)
    done.features[column] = LabelFeature(names=names)


def _rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table; the values of CSV and TSV are text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".jsonl":
                yield from (json.loads(line) for line in file if line.strip())
            else:
                yield from _records(file, "\t" if path.suffix.lower() == ".tsv" else ",")
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "save it as UTF-8 with a header, or move it to another folder"
        raise ReadError(file=str(path), reason=reason, hint=hint) from error


def _records(file: TextIO, delimiter: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of delimited text with a header."""
    lines = csv.reader(file, delimiter=delimiter, strict=True)
    header = [name.strip() for name in next(lines, [])]
    for fields in lines:
        if fields and len(fields) != len(header):
            reason = f"line {lines.line_num} has {len(fields)} fields, but the header {len(header)}"
            raise csv.Error(reason)
        if fields:
            yield dict(zip(header, fields, strict=True))


def _names(files: Sequence[str], folder: str) -> dict[str, str]:
    """Return the path of each file by its possible names, without names of several files."""
    paths: dict[str, str] = {}
    repeated = set[str]()
    for file in files:
        names = {file, file.rpartition("/")[2], file.removeprefix(f"{folder}/")}
        names |= {name.rpartition(".")[0] for name in names} - {""}
        repeated |= names & paths.keys()
        paths |= dict.fromkeys(names, file)
    return {name: file for name, file in paths.items() if name not in repeated}


def _classes(column: str, values: Sequence[Any], *, lone: bool) -> tuple[str, ...] | None:
    """Return the classes of a column in order, or None if it has no classes.

    A column has classes if it has the name of a label, or is the only one, and values repeat.
    """
    if column.lower() not in LABELS and not (lone and not _are_numbers(values)):
        return None
    if not all(isinstance(value, str | int) for value in values):
        return None
    counts = Counter(map(str, values))
    if not len(counts) <= MAX_CLASSES or 2 * len(counts) > len(values):
        return None
    numeric = all(_INTEGER.fullmatch(name) for name in counts)
    return tuple(sorted(counts, key=int if numeric else str))


def _are_numbers(values: Sequence[Any]) -> bool:
    return not any(isinstance(value, str) and not _INTEGER.fullmatch(value) for value in values)


def _typed(values: list[Any], every: Sequence[Any]) -> tuple[Any, Feature | None]:
    """Convert text to numbers if all rows of the table have numbers.

    Args:
        values: values of the rows.
        every: values of all rows of the table.

    Returns:
        The values, and their feature if it cannot be inferred. Empty text is a missing value.
        Integers stay integers, and those of more than 64 bits stay text.
    """
    texts = [value for value in every if value]
    if not texts or not all(isinstance(value, str) for value in every):
        return values, None
    if all(map(_DIGITS.fullmatch, texts)):
        return _integers(values, list(map(int, texts)), optional=len(texts) < len(every))
    if all(map(_is_float, texts)):
        return np.array([float(value) if value else np.nan for value in values]), None
    return values, None


def _integers(
    values: Sequence[str], every: Sequence[int], *, optional: bool
) -> tuple[Any, Feature | None]:
    bounds = {name: np.iinfo(name) for name in ("int64", "uint64")}
    low, high = min(every), max(every)
    dtype = next((n for n, ends in bounds.items() if ends.min <= low and high <= ends.max), None)
    if dtype is None:
        return values, None
    if not optional:
        return np.array(list(map(int, values)), dtype), None
    feature = NumberFeature(dtype=cast("Any", dtype), optional=True)
    return [int(value) if value else None for value in values], feature


def _is_float(text: str) -> bool:
    """Return True for a number that is not an identifier with leading zeros."""
    try:
        return bool(np.isfinite(float(text))) and not re.match(r"[-+]?0[0-9]", text)
    except ValueError:
        return False


def _captions(root: Path, files: Sequence[str]) -> Beside | None:
    """Return the captions of files, which have the same name with the extension `.txt`."""
    if not files or not (root / _caption(files[0])).is_file():
        return None
    paths = [_caption(file) for file in files]
    for file, path in zip(files, paths, strict=True):
        if not (root / path).is_file():
            hint = "add the caption, or move the file to another folder"
            reason = "it has no caption, but other files have"
            raise ReadError(file=str(root / file), reason=reason, hint=hint)
    return Beside(files, paths={"text": paths}, target="text")


def _caption(file: str) -> str:
    return f"{file.rpartition('.')[0]}.txt"


def pair_masks(files: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Return the paths of images and of their masks, or None if the files are not such pairs.

    Raises:
        SchemaError: most images have a mask, but some have not.
    """
    folders = {file.rpartition("/")[0] for file in files}
    words = {word.lower() for folder in folders for word in folder.split("/")}
    if not words & _MASKS and not any(map(_ends_like_mask, files)):
        return None
    images, masks = dict[str, str](), dict[str, str]()
    stems = {file.rpartition(".")[0] for file in files}
    for file in files:
        key, is_mask = _role(file, stems)
        (masks if is_mask else images)[key] = file
    common = [key for key in images if key in masks]
    if not masks or 2 * len(common) <= max(len(images), len(masks)):
        return None
    for present, absent, what in ((images, masks, "mask"), (masks, images, "image")):
        alone = next((path for key, path in present.items() if key not in absent), None)
        if alone is not None:
            hint = f"add the {what}, or move the file to another folder"
            expected = f"a {what} for each file"
            raise SchemaError(where=alone, expected=expected, got="none", hint=hint)
    return [images[key] for key in common], [masks[key] for key in common]


def _ends_like_mask(file: str) -> bool:
    """Return True if a file can have the ending of a mask, as a fast check of many files."""
    return file.rpartition(".")[0].lower().endswith(_ENDINGS)


def _role(file: str, stems: set[str]) -> tuple[str, bool]:
    """Return a key that an image and its mask share, and whether the file is a mask."""
    stem = file.rpartition(".")[0]
    plain = _MASK_END.sub("", stem)
    folders = stem.split("/")[:-1]
    words = [folder.lower() for folder in folders]
    place = next((i for i, word in enumerate(words) if word in _IMAGES | _MASKS), None)
    is_mask = plain != stem and plain in stems
    if place is not None:
        folders[place] = ""
        is_mask = is_mask or words[place] in _MASKS
    name = (plain if is_mask else stem).rpartition("/")[2]
    return "/".join([*folders, name]), is_mask
