"""Read tables that have the values of image or audio files, such as `metadata.csv`.

A column has the names of the files, with or without folder and extension. Tables in files `.txt`
have fields separated by tabs or commas.
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
from dshub.errors import ReadError

TABLES = (".csv", ".tsv", ".jsonl")
LABELS = ("label", "labels", "class", "classes", "target", "category", "y")
MAX_CLASSES = 1000  # maximum number of classes of a column
_NAMES = {"file_name", "filename", "file", "path", "image", "img", "audio"}  # columns of only names
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_BEGINNING = 10_000  # bytes of a text to look into
_DIGITS = re.compile(r"0|-?[1-9][0-9]*")


FileRow = tuple[str, dict[str, Any]]
"""Path of a file and a row about it."""


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


class Table:
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


def read_tables(root: Path, paths: Sequence[str], all_files: Sequence[str]) -> list[Table]:
    """Read the tables that describe files; tables named `metadata` replace all others.

    Args:
        root: folder that all paths are relative to.
        paths: paths of tables, and of files `.txt` that can be tables.
        all_files: paths of the files of all splits.

    Raises:
        ReadError: a table cannot be read, or a name in it means several files.
    """
    files = names_of(all_files) if any(map(_is_text, paths)) else frozenset()
    read = [
        Table(root, path, all_files)
        for path in paths
        if "submission" not in path.rpartition("/")[2].lower()
        and (not _is_text(path) or is_text_table(_beginning(root / path), files))
    ]
    stated = [table for table in read if table.described and table.stem == "metadata"]
    return stated or [table for table in read if table.described]


def rows_of_files(files: Sequence[str], tables: Sequence[Table]) -> list[FileRow]:
    """Return the rows of files in tables, in the order of files.

    Raises:
        ReadError: a file has no row, or a row has no file.
    """
    rows: dict[str, list[dict[str, Any]]] = {file: [] for file in files}
    for table in tables:
        for line, (row, file) in enumerate(zip(table.rows, table.paths, strict=True), 1):
            if file is None:
                reason = f"row {line} names {row[table.key]!r}, which does not exist"
                table.refuse(reason, "the row")
            if file in rows:
                rows[file].append(row)
    missing = next((file for file, lines in rows.items() if not lines), None)
    if missing is not None:
        tables[0].refuse(f"it has no row for {missing}", "the file, or add a row")
    return [(file, row) for file, lines in rows.items() for row in lines]


def columns_of(rows: Sequence[FileRow], tables: Sequence[Table], family: Sequence[Table]) -> Beside:
    """Return rows of tables as columns.

    Args:
        rows: rows with their files.
        tables: tables of the rows.
        family: tables of the same columns, which decide their types and classes.

    Raises:
        ReadError: a label is missing.
    """
    done = Beside([file for file, _ in rows])
    done.sources = [table.path for table in tables]
    key, columns = tables[0].key, tables[0].columns
    for column in columns:
        if column != key or column.lower() not in _NAMES:
            lone = len(columns) == 2 and column != key
            _add(done, column, [row.get(column) for _, row in rows], family, lone=lone)
    named = [name for name, item in done.features.items() if isinstance(item, LabelFeature)]
    done.target = next(
        iter(named), next(iter(done.columns), None) if len(done.columns) == 1 else None
    )
    return done


def _is_text(path: str) -> bool:
    return path.lower().endswith(".txt")


def names_of(files: Sequence[str]) -> frozenset[str]:
    """Return the last parts of paths, with and without extension."""
    bases = {file.rpartition("/")[2] for file in files}
    return frozenset(bases | {base.rpartition(".")[0] for base in bases})


def is_text_table(beginning: bytes, names: frozenset[str]) -> bool:
    """Return True if a text has a header of several columns, and then the name of a file.

    Args:
        beginning: first bytes of the text.
        names: names from `names_of`.
    """
    lines = beginning.decode("utf-8-sig", "replace").splitlines()[:2]
    if len(lines) < 2:
        return False
    delimiter = "\t" if "\t" in lines[0] else ","
    header, first = (line.strip().split(delimiter) for line in lines)
    is_header = len(header) > 1 and not any(field.strip() in names for field in header)
    return is_header and any(field.strip().rpartition("/")[2] in names for field in first)


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_BEGINNING)
    except OSError:  # a file that cannot be read is not a table
        return b""


def _add(
    done: Beside, column: str, values: list[Any], family: Sequence[Table], *, lone: bool
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
                yield from _records(file, _delimiter(path, file))
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "save it as UTF-8 with a header, or move it to another folder"
        raise ReadError(file=str(path), reason=reason, hint=hint) from error


def _delimiter(path: Path, file: TextIO) -> str:
    """Return the text between fields; the header of a file `.txt` shows it."""
    if not _is_text(path.name):
        return "\t" if path.suffix.lower() == ".tsv" else ","
    header = file.readline()
    file.seek(0)
    return "\t" if "\t" in header else ","


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
