"""Which rows and columns of a source a dataset has, and a fingerprint of them.

A selection of rows is a function of positions. `Span` and `Shuffled` take constant memory for any
number of rows; `Picked` holds a list.
"""

import hashlib
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import msgspec
import numpy as np

from dshub.catalog.manifest import Manifest
from dshub.errors import ArgumentError, UnknownNameError
from dshub.loading.order import key_of, permute


@dataclass(frozen=True)
class Span:
    """Every `step`-th row from `start`, `length` of them."""

    start: int
    length: int
    step: int = 1


@dataclass(frozen=True, eq=False)
class Picked:
    """Rows listed one by one, int64."""

    rows: np.ndarray

    @property
    def length(self) -> int:
        """How many rows are meant."""
        return len(self.rows)


@dataclass(frozen=True)
class Shuffled:
    """The rows of another selection in the order of a seed; a slice of that order."""

    inner: "Selection"
    seed: int
    start: int
    length: int
    step: int = 1


Selection = Span | Picked | Shuffled


def rows_at(selection: Selection, positions: np.ndarray) -> np.ndarray:
    """The source rows at some positions of a selection, int64."""
    match selection:
        case Span():
            return positions * selection.step + selection.start
        case Picked():
            chosen: np.ndarray = selection.rows[positions]
            return chosen
        case Shuffled():
            shuffled = positions * selection.step + selection.start
            inner = selection.inner
            key = key_of(selection.seed, 0)
            return rows_at(inner, permute(shuffled, inner.length, key))
        case _:
            assert_never(selection)


def stretch_of(selection: Selection) -> range | None:
    """The source rows of a selection, where they lie side by side in its order."""
    if isinstance(selection, Span) and selection.step == 1:
        return range(selection.start, selection.start + selection.length)
    return None


def positions_of(key: Any, length: int) -> np.ndarray:
    """The positions that a list of whole numbers, or a mask, means among `length`, int64.

    Raises:
        IndexError: there is no such row, or the mask is of another length.
        TypeError: it is neither.
    """
    wanted = _array_of(key)
    if wanted.dtype == bool and wanted.ndim == 1:
        if len(wanted) != length:
            raise IndexError(f"a mask for {len(wanted):,} rows does not fit {length:,}")
        return np.flatnonzero(wanted)
    if wanted.ndim != 1 or (wanted.size and not np.issubdtype(wanted.dtype, np.integer)):
        told = textwrap.shorten(repr(key), 80, placeholder=" …")
        told = f"rows are chosen by whole numbers, slices and lists, not {told}"
        named = isinstance(key, list | tuple) and all(isinstance(name, str) for name in key)
        raise TypeError(f"{told}; ds.columns({list(key)}) chooses columns" if named else told)
    wrong = np.flatnonzero((wanted < -length) | (wanted >= length))
    if len(wrong):
        told = f"there is no row {wanted[wrong[0]]} among {length:,}"
        raise IndexError(f"{told}: they are numbered from 0" if length else told)
    positions = wanted.astype(np.int64)
    return np.where(positions < 0, positions + length, positions)


def position_of(key: Any, length: int) -> np.ndarray:
    """The position that a single whole number means among `length`, int64 (1,); errors as above."""
    wanted = np.asarray(key)
    if wanted.ndim or wanted.dtype == bool:  # True would be a mask for a dataset of one row
        raise TypeError(f"a row is chosen by a whole number, not {key!r}")
    return positions_of([key], length)


def _array_of(key: Any) -> np.ndarray:
    """A key as an array; one of objects where it is none of numbers, text or bools."""
    try:
        return np.asarray(key)
    except ValueError:  # a list of lists of several lengths
        return np.empty(0, object).reshape(0, 1)


def sliced(selection: Selection, positions: range) -> Selection:
    """The selection of a range of a selection's positions."""
    length = len(positions)
    match selection:
        case Span():
            start = selection.start + positions.start * selection.step
            return Span(start, length, selection.step * positions.step)
        case Picked():
            return Picked(
                selection.rows[np.arange(positions.start, positions.stop, positions.step)]
            )
        case Shuffled():
            start = selection.start + positions.start * selection.step
            step = selection.step * positions.step
            return Shuffled(selection.inner, selection.seed, start, length, step)
        case _:
            assert_never(selection)


def picked(selection: Selection, positions: np.ndarray) -> Selection:
    """The selection of listed positions of a selection."""
    return Picked(rows_at(selection, positions))


def describe(selection: Selection) -> list[object]:
    """Plain values that tell two selections apart, for a fingerprint."""
    match selection:
        case Span():
            return ["span", selection.start, selection.length, selection.step]
        case Picked():
            return ["picked", selection.rows.tobytes().hex()]
        case Shuffled():
            inner = describe(selection.inner)
            own = [selection.seed, selection.start, selection.length, selection.step]
            return ["shuffled", *own, inner]
        case _:
            assert_never(selection)


def fingerprint(
    identity: Sequence[str], selection: Selection, names: Sequence[str], *, decoded: bool
) -> str:
    """SHA-256 over some rows and columns of a source; see `Dataset.fingerprint`."""
    parts: list[Any] = [list(identity), describe(selection), list(names)]
    parts += [] if decoded else [["files"]]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def table_identity(recipe: Mapping[str, Any]) -> str:
    """Identifies a table by the content of its recipe."""
    return msgspec.json.encode(recipe, order="sorted").decode()


def split_fingerprint(recipe: Mapping[str, Any], rows: int, names: Sequence[str]) -> str:
    """The fingerprint of a whole split as `load` gives it; it need not be prepared.

    Args:
        recipe: content of its recipe.
        rows: number of rows.
        names: of its columns, in order.
    """
    return fingerprint([table_identity(recipe)], Span(0, rows), names, decoded=True)


def unknown_column(
    name: Any, known: Collection[str], manifest: Manifest | None = None
) -> UnknownNameError:
    """The error for a column that a dataset lacks.

    Args:
        name: as given.
        known: the columns of the dataset.
        manifest: of the dataset; one of its splits may have been meant.
    """
    hint = ""
    if manifest is not None and name in manifest.splits:
        hint = f'{name} is a split: load("{manifest.name}", "{name}")'
    return UnknownNameError(kind="column", name=name, known=tuple(known), hint=hint)


def known_columns(
    names: Any, known: Collection[str], manifest: Manifest | None = None
) -> tuple[str, ...]:
    """The named columns, one or several.

    Raises:
        UnknownNameError: there is no such column.
        ArgumentError: one is named twice.
    """
    several = isinstance(names, Iterable) and not isinstance(names, str)
    chosen = tuple(names) if several else (names,)
    for name in chosen:
        if name not in known:
            raise unknown_column(name, known, manifest)
    if len(set(chosen)) < len(chosen):
        raise ArgumentError(name="names", value=names, expected="columns, each of them once")
    return chosen
