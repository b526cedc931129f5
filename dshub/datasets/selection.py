"""Select rows and columns of a source, and compute their fingerprint.

A selection maps positions to rows of the source. It is a `range` or a `Shuffled`, which take
constant memory, or an int64 array of row numbers.
"""

import hashlib
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

import msgspec
import numpy as np

from dshub.catalog.features import Feature
from dshub.catalog.manifest import Manifest
from dshub.errors import ArgumentError, UnknownNameError
from dshub.loading.order import key_of, permute


@dataclass(frozen=True)
class Shuffled:
    """A range of positions in the shuffled order of another selection."""

    inner: "Selection"
    seed: int
    positions: range

    def __len__(self) -> int:
        return len(self.positions)


Selection = range | np.ndarray | Shuffled


def rows_at(selection: Selection, positions: np.ndarray) -> np.ndarray:
    """Return the source row at each position of a selection, int64."""
    match selection:
        case range():
            return positions * selection.step + selection.start
        case np.ndarray():
            return selection.take(positions)
        case Shuffled():
            shuffled = rows_at(selection.positions, positions)
            key = key_of(selection.seed, 0)
            return rows_at(selection.inner, permute(shuffled, len(selection.inner), key))
        case _:
            assert_never(selection)


def slice_positions(selection: Selection, positions: slice) -> Selection:
    """Return the part of a selection at a slice of positions."""
    if isinstance(selection, Shuffled):
        return replace(selection, positions=selection.positions[positions])
    return selection[positions]


def positions_of(key: Any, length: int) -> np.ndarray:
    """Return the positions among `length` rows that a list of integers or a mask selects, int64.

    Raises:
        IndexError: a row is out of range, or the mask has the wrong length.
        TypeError: `key` is not a list of integers or a mask.
    """
    numbers = _array_of(key)
    if numbers.dtype == bool and numbers.ndim == 1:
        if len(numbers) != length:
            raise IndexError(f"a mask of {len(numbers):,} values does not fit {length:,} rows")
        return np.flatnonzero(numbers)
    if numbers.ndim != 1 or (numbers.size and not np.issubdtype(numbers.dtype, np.integer)):
        shown = textwrap.shorten(repr(key), 80, placeholder=" …")
        message = f"rows are selected by integers, slices, lists or masks, not {shown}"
        if isinstance(key, list | tuple) and all(isinstance(name, str) for name in key):
            message += f"; ds.columns({list(key)}) selects columns"
        raise TypeError(message)
    wrong = numbers[(numbers < -length) | (numbers >= length)]
    if len(wrong):
        raise IndexError(f"row {wrong[0]} is out of range for {length:,} rows")
    positions = numbers.astype(np.int64)
    return np.where(positions < 0, positions + length, positions)


def position_of(key: Any, length: int) -> np.ndarray:
    """Return the position among `length` rows that an integer selects, int64 (1,)."""
    number = np.asarray(key)
    if number.ndim or number.dtype == bool:  # a list [True] would be a mask
        raise TypeError(f"a row is selected by an integer, not {key!r}")
    return positions_of([key], length)


def _array_of(key: Any) -> np.ndarray:
    """Convert a key to an array, or to an invalid array (0, 1) if its lists differ in length."""
    try:
        return np.asarray(key)
    except ValueError:
        return np.empty((0, 1), object)


def _describe(selection: Selection) -> list[object]:
    """Return plain values that identify a selection, for a fingerprint."""
    match selection:
        case range():
            return ["span", selection.start, len(selection), selection.step]
        case np.ndarray():
            return ["picked", selection.tobytes().hex()]
        case Shuffled():
            _, *positions = _describe(selection.positions)
            return ["shuffled", selection.seed, *positions, _describe(selection.inner)]
        case _:
            assert_never(selection)


def fingerprint(
    identity: Sequence[str], selection: Selection, names: Sequence[str], *, decoded: bool
) -> str:
    """Return the SHA-256 of rows and columns of a source; see `Dataset.fingerprint`."""
    parts: list[Any] = [list(identity), _describe(selection), list(names)]
    parts += [] if decoded else [["files"]]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def digest(*texts: str) -> str:
    """Return the SHA-256 of texts in order."""
    return hashlib.sha256(msgspec.json.encode(texts)).hexdigest()


def row_identity(identity: str, selection: Selection, rows: int) -> str:
    """Return a text that identifies selected rows; see `Source.row_identity`.

    Args:
        identity: text that identifies all rows of the source.
        selection: selected rows.
        rows: number of rows of the source.
    """
    described = _summary(selection)
    return identity if described == _summary(range(rows)) else digest(identity, described)


def _summary(selection: Selection) -> str:
    """Return a short text that identifies a selection; equal for ranges and equal arrays."""
    match selection:
        case range():
            step = selection.step if len(selection) > 1 else 1
            return f"{selection.start} {len(selection)} {step}"
        case np.ndarray():
            return _summary_of_array(selection)
        case Shuffled():
            inner, positions = _summary(selection.inner), _summary(selection.positions)
            return digest("shuffled", str(selection.seed), positions, inner)
        case _:
            assert_never(selection)


def _summary_of_array(rows: np.ndarray) -> str:
    count = len(rows)
    start, step = (int(rows[0]), int(rows[1] - rows[0])) if count > 1 else (0, 1)
    even = count > 1 and step and int(rows[-1]) == start + step * (count - 1)
    if count == 1 or (even and np.array_equal(rows, np.arange(count) * step + start)):
        return _summary(range(int(rows[0]), int(rows[0]) + step * count, step))
    return hashlib.blake2b(rows.astype("<i8", copy=False).tobytes()).hexdigest()


def table_identity(recipe: Mapping[str, Any]) -> str:
    """Return a text that identifies a table by its recipe."""
    return msgspec.json.encode(recipe, order="sorted").decode()


def split_fingerprint(recipe: Mapping[str, Any], rows: int, names: Sequence[str]) -> str:
    """Return the fingerprint of a whole split as `load` returns it, even if it is not prepared.

    Args:
        recipe: recipe of the split's table.
        rows: number of rows.
        names: column names, in order.
    """
    return fingerprint([table_identity(recipe)], range(rows), names, decoded=True)


def encoded_features(features: Mapping[str, Feature]) -> bytes:
    """Encode features for a fingerprint, with their default values.

    msgspec omits a text only if it is the same object as the default, and it is not after pickling.
    """
    return msgspec.json.encode({name: _fields(item) for name, item in features.items()})


def _fields(value: Any) -> Any:
    if not isinstance(value, msgspec.Struct):
        return value
    return [type(value).__name__, *map(_fields, msgspec.structs.astuple(value))]


def unknown_column(
    name: Any, columns: Collection[str], manifest: Manifest | None = None
) -> UnknownNameError:
    """Return the error for a column that does not exist.

    Args:
        name: requested name.
        columns: columns of the dataset.
        manifest: manifest of the dataset, to detect the name of a split.
    """
    hint = ""
    if manifest is not None and name in manifest.splits:
        hint = f'{name} is a split; open it with load("{manifest.name}", "{name}")'
    return UnknownNameError(kind="column", name=name, known=tuple(columns), hint=hint)


def check_columns(
    names: Any, columns: Collection[str], manifest: Manifest | None = None
) -> tuple[str, ...]:
    """Return one column name or several as a tuple, after checking them.

    Raises:
        UnknownNameError: a column does not exist.
        ArgumentError: a column is named twice.
    """
    several = isinstance(names, Iterable) and not isinstance(names, str)
    selected = tuple(names) if several else (names,)
    for name in selected:
        if name not in columns:
            raise unknown_column(name, columns, manifest)
    if len(set(selected)) < len(selected):
        raise ArgumentError(name="names", value=names, expected="columns without duplicates")
    return selected
