"""Several datasets as one stream of batches, each with a share of its own."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from textwrap import shorten
from typing import Any, Self

import msgspec
import numpy as np

from dshub.catalog.features import Feature
from dshub.errors import ArgumentError, SchemaError
from dshub.loading.loader import Loader
from dshub.loading.options import BatchOptions, Rows, takes
from dshub.loading.order import PATTERN, Mixed
from dshub.loading.transforms.transform import Batch
from dshub.tables.columns import Values


class Mixture:
    """Rows of several datasets with equal columns, numbered one behind the other.

    Get one from `Dataset.mix`. `batches` takes rows of each dataset in its share, at places that
    are shuffled; the rows of one dataset come in an order of its own, about once each before any
    comes again (`dshub.loading.order.Mixed`). An epoch has as many rows as all datasets together;
    in the next one each dataset goes on where it was.

    Args:
        parts: datasets whose features are equal.
        weights: the share of each, of any sum; its number of rows where not given.

    Raises:
        SchemaError: a column holds something else in another dataset, or is not there.
        ArgumentError: weights that cannot be, or a dataset without rows.
    """

    def __init__(self, parts: Sequence[Rows], weights: Sequence[float] | None = None) -> None:
        self.parts = _checked_parts(parts)
        self.weights = _checked_weights(weights, self.parts)
        self._starts = np.cumsum([0, *map(len, parts)]).astype(np.int64)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __repr__(self) -> str:
        return f"<Mixture of {len(self.parts)} datasets: {len(self):,} rows>"

    @property
    def features(self) -> Mapping[str, Feature]:
        """The columns and what they hold."""
        return self.parts[0].features

    @property
    def supervised(self) -> tuple[str, str] | None:
        """The columns that `(x, y)` means, where all datasets agree."""
        found = {part.supervised for part in self.parts}
        return found.pop() if len(found) == 1 else None

    @property
    def pictures(self) -> Sequence[str]:
        """The columns that hold pictures."""
        return self.parts[0].pictures

    @cached_property
    def fingerprint(self) -> str:
        """Which rows of which datasets, in which shares."""
        parts = [[part.fingerprint for part in self.parts], self.weights]
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()

    @takes(BatchOptions)
    def batches(self, options: BatchOptions) -> Loader:
        """Batches of `size` rows, epoch after epoch; arguments as of `Dataset.batches`.

        Raises:
            ArgumentError: an option has an invalid value; or `shuffle`, `weights` or `bucket` is
                given, which apply to one dataset alone.
        """
        for name in ("shuffle", "weights", "bucket"):
            value = getattr(options, name)
            if value is not None and value is not False:
                expected = "left out: a mixture shuffles, with the weights of Dataset.mix"
                raise ArgumentError(name=name, value=value, expected=expected)
        order = Mixed(tuple(map(len, self.parts)), self.weights, options.seed, len(self))
        return Loader(self, options, order)

    def gather(self, rows: np.ndarray) -> Batch:
        """Columns of the rows of those numbers, in their order; new arrays."""
        which = np.searchsorted(self._starts, rows, side="right") - 1
        pieces, places = [], []
        for number in np.unique(which).tolist():
            places.append(np.flatnonzero(which == number))
            own = rows[places[-1]] - self._starts[number]
            pieces.append(self.parts[number].gather(own))
        if not pieces:
            return self.parts[0].gather(rows)
        back = np.argsort(np.concatenate(places), kind="stable")
        return {name: _joined([piece[name] for piece in pieces], back) for name in self.features}

    def without(self, names: Sequence[str]) -> Self:
        """The same rows without some columns."""
        return type(self)([part.without(names) for part in self.parts], self.weights)

    def pixels(self, name: str) -> None:
        """Never in one piece."""

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """Where rows stand, int64: these are their numbers."""
        return rows

    def lengths(self, name: str, rows: np.ndarray) -> np.ndarray:
        """How long the text or list of some rows is, int64."""
        return np.fromiter(map(len, self.gather(rows)[name]), np.int64, len(rows))


def _joined(pieces: Sequence[Values], back: np.ndarray) -> Values:
    arrays = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    if len(arrays) == len(pieces):
        joined: np.ndarray = np.concatenate(arrays)[back]
        return joined
    values = [value for piece in pieces for value in piece]
    return [values[place] for place in back.tolist()]


def _checked_parts(parts: Sequence[Rows]) -> tuple[Rows, ...]:
    """The datasets, where they can be mixed."""
    found = tuple(parts) if isinstance(parts, list | tuple) else ()
    if not found or not all(hasattr(part, "gather") and len(part) for part in found):
        expected = "a list of datasets, each of which has rows"
        raise ArgumentError(name="datasets", value=parts, expected=expected)
    if len(found) > PATTERN:
        expected = f"at most {PATTERN:,} datasets"
        raise ArgumentError(name="datasets", value=len(found), expected=expected)
    _check_columns(found)
    return found


def _checked_weights(given: Any, parts: Sequence[Rows]) -> tuple[float, ...]:
    weights = [len(part) for part in parts] if given is None else given
    try:
        found = np.asarray(weights, np.float64)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape != (len(parts),) or not (np.isfinite(found).all() and found.min() >= 0):
        found = np.zeros(1)
    if not found.sum() > 0:
        expected = f"{len(parts)} numbers of at least 0, one for each dataset, and not all 0"
        raise ArgumentError(name="weights", value=given, expected=expected)
    return tuple(found.tolist())


def _check_columns(parts: Sequence[Rows]) -> None:
    """All datasets have the same columns."""
    first = parts[0].features
    for number, part in enumerate(parts[1:], 1):
        for name in {**first, **part.features}:
            one, other = first.get(name), part.features.get(name)
            if one != other:
                raise SchemaError(
                    where=f"column {name} of dataset {number}",
                    expected=f"{_told(one)}, as in dataset 0",
                    got=_told(other),
                    hint="ds.columns([…]) leaves columns out, ds.align_labels(…) numbers classes "
                    "in the same way",
                )


def _told(feature: Feature | None) -> str:
    return "no such column" if feature is None else shorten(str(feature), 200, placeholder=" …")
