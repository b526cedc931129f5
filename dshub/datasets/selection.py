"""Which rows and columns of a source a dataset has, and their fingerprint.

A selection maps positions to rows of the source. A `range` and `Shuffled` take constant memory
for any number of rows; an array lists the rows, int64.
"""

import hashlib
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

import msgspec
import numpy as np

from dshub.catalog.manifest import Manifest
from dshub.errors import ArgumentError, UnknownNameError
from dshub.loading.order import key_of, permute


@dataclass(frozen=True)
class Shuffled:
    """Some positions of the order that a seed gives to the rows of another selection."""

    inner: "Selection"
    seed: int
    positions: range

    def __len__(self) -> int:
        return len(self.positions)


Selection = range | np.ndarray | Shuffled


def rows_at(selection: Selection, positions: np.ndarray) -> np.ndarray:
    """The source rows at some positions of a selection, int64."""
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


def sliced(selection: Selection, positions: slice) -> Selection:
    """The selection of a slice of a selection's positions."""
    if isinstance(selection, Shuffled):
        return replace(selection, positions=selection.positions[positions])
    return selection[positions]


def positions_of(key: Any, length: int) -> np.ndarray:
    """The positions that a list of whole numbers, or a mask, selects among `length`, int64.

    Raises:
        IndexError: a row is out of range, or the mask has another length.
        TypeError: the key is neither.
    """
    numbers = _array_of(key)
    if numbers.dtype == bool and numbers.ndim == 1:
        if len(numbers) != length:
            raise IndexError(f"a mask for {len(numbers):,} rows does not fit {length:,}")
        return np.flatnonzero(numbers)
    if numbers.ndim != 1 or (numbers.size and not np.issubdtype(numbers.dtype, np.integer)):
        shown = textwrap.shorten(repr(key), 80, placeholder=" …")
        message = f"rows are selected by whole numbers, slices and lists, not {shown}"
        if isinstance(key, list | tuple) and all(isinstance(name, str) for name in key):
            message += f"; ds.columns({list(key)}) selects columns"
        raise TypeError(message)
    wrong = numbers[(numbers < -length) | (numbers >= length)]
    if len(wrong):
        message = f"there is no row {wrong[0]} among {length:,}"
        raise IndexError(f"{message}: they are numbered from 0" if length else message)
    positions = numbers.astype(np.int64)
    return np.where(positions < 0, positions + length, positions)


def position_of(key: Any, length: int) -> np.ndarray:
    """The position that one whole number selects among `length`, int64 (1,); errors as above."""
    number = np.asarray(key)
    if number.ndim or number.dtype == bool:  # True would be a mask for a dataset of one row
        raise TypeError(f"a row is selected by a whole number, not {key!r}")
    return positions_of([key], length)


def _array_of(key: Any) -> np.ndarray:
    """A key as an array; (0, 1) if it is a list of lists of several lengths."""
    try:
        return np.asarray(key)
    except ValueError:
        return np.empty((0, 1), object)


def _describe(selection: Selection) -> list[object]:
    """Plain values that tell two selections apart, for a fingerprint."""
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
    """SHA-256 of some rows and columns of a source; see `Dataset.fingerprint`."""
    parts: list[Any] = [list(identity), _describe(selection), list(names)]
    parts += [] if decoded else [["files"]]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def table_identity(recipe: Mapping[str, Any]) -> str:
    """Identifies a table by the content of its recipe."""
    return msgspec.json.encode(recipe, order="sorted").decode()


def split_fingerprint(recipe: Mapping[str, Any], rows: int, names: Sequence[str]) -> str:
    """The fingerprint of a whole split as `load` returns it, prepared or not.

    Args:
        recipe: content of its recipe.
        rows: number of rows.
        names: of its columns, in order.
    """
    return fingerprint([table_identity(recipe)], range(rows), names, decoded=True)


def unknown_column(
    name: Any, known: Collection[str], manifest: Manifest | None = None
) -> UnknownNameError:
    """The error for a column that a dataset lacks.

    Args:
        name: as given.
        known: the columns of the dataset.
        manifest: of the dataset, which can have a split of that name.
    """
    hint = ""
    if manifest is not None and name in manifest.splits:
        hint = f'{name} is a split: load("{manifest.name}", "{name}")'
    return UnknownNameError(kind="column", name=name, known=tuple(known), hint=hint)


def check_columns(
    names: Any, known: Collection[str], manifest: Manifest | None = None
) -> tuple[str, ...]:
    """The columns that one name or several select.

    Raises:
        UnknownNameError: there is no such column.
        ArgumentError: a column is named twice.
    """
    several = isinstance(names, Iterable) and not isinstance(names, str)
    columns = tuple(names) if several else (names,)
    for name in columns:
        if name not in known:
            raise unknown_column(name, known, manifest)
    if len(set(columns)) < len(columns):
        raise ArgumentError(name="names", value=names, expected="columns, each of them once")
    return columns
