"""Several datasets as one stream of batches, each with its share."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Self

import msgspec
import numpy as np

from dshub.catalog.features import Feature
from dshub.datasets.derived import check_equal_columns, joined
from dshub.errors import ArgumentError
from dshub.loading.loader import Loader
from dshub.loading.options import BatchOptions, Rows, check_weights, takes
from dshub.loading.order import PATTERN, Mixed, groups
from dshub.loading.transforms.transform import Batch


class Mixture:
    """Rows of several datasets with equal columns, numbered consecutively.

    Get one from `Dataset.mix`. `batches` takes rows of each dataset in its share, at shuffled
    places. The rows of one dataset come in a shuffled order, about once each before any repeats
    (`dshub.loading.order.Mixed`). An epoch has as many rows as all datasets together; in the next
    one, each dataset continues where it stopped.

    Args:
        parts: datasets whose features are equal.
        weights: the share of each, of any sum; by default its number of rows.

    Attributes:
        parts, weights: the datasets, and their shares.
        features: the columns and their features.
        pictures: the columns that hold images.
        supervised: the columns that become `(x, y)`; None if datasets disagree.

    Raises:
        SchemaError: a column is missing in a dataset, or has another feature there.
        ArgumentError: the weights are invalid, or a dataset has no rows.
    """

    def __init__(self, parts: Sequence[Rows], weights: Sequence[float] | None = None) -> None:
        self.parts = _check_parts(parts)
        counts = [len(part) for part in self.parts]
        shares = check_weights(counts if weights is None else weights, len(counts), "dataset")
        self.weights: tuple[float, ...] = tuple(shares.tolist())
        self.features: Mapping[str, Feature] = self.parts[0].features
        self.pictures = self.parts[0].pictures
        pairs = {part.supervised for part in self.parts}
        self.supervised = pairs.pop() if len(pairs) == 1 else None
        self._starts = np.cumsum([0, *counts]).astype(np.int64)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __repr__(self) -> str:
        return f"<Mixture of {len(self.parts)} datasets: {len(self):,} rows>"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 that identifies the rows of the datasets, and their shares."""
        parts = [[part.fingerprint for part in self.parts], self.weights]
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()

    @takes(BatchOptions)
    def batches(self, options: BatchOptions) -> Loader:
        """Batches of `size` rows, epoch after epoch; for the arguments see `Dataset.batches`.

        Raises:
            ArgumentError: an option has an invalid value; or `shuffle`, `weights` or `bucket` is
                given, which apply to a single dataset.
        """
        for name in ("shuffle", "weights", "bucket"):
            value = getattr(options, name)
            if value is not None and value is not False:
                expected = "left out: a mixture shuffles, with the weights of Dataset.mix"
                raise ArgumentError(name=name, value=value, expected=expected)
        order = Mixed(tuple(map(len, self.parts)), self.weights, options.seed, len(self))
        return Loader(self, options, order)

    def gather(self, rows: np.ndarray) -> Batch:
        """Read rows by number, int64, in the given order, into new arrays."""
        pieces, places = [], []
        for number, inside in groups(np.searchsorted(self._starts, rows, side="right") - 1):
            places.append(inside)
            pieces.append(self.parts[number].gather(rows[inside] - self._starts[number]))
        if not pieces:
            return self.parts[0].gather(rows)
        order = np.argsort(np.concatenate(places))
        return {name: joined([piece[name] for piece in pieces], order) for name in self.features}

    def without(self, names: Sequence[str]) -> Self:
        """The same rows without some columns."""
        return type(self)([part.without(names) for part in self.parts], self.weights)

    def pixels(self, name: str) -> None:
        """None: the images of several datasets are never in one array."""

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """The same numbers, int64."""
        return rows

    def lengths(self, name: str, rows: np.ndarray) -> np.ndarray:
        """The lengths of texts or lists, int64."""
        return np.fromiter(map(len, self.gather(rows)[name]), np.int64, len(rows))


def _check_parts(parts: Sequence[Rows]) -> tuple[Rows, ...]:
    """Check that datasets can be mixed."""
    datasets = tuple(parts) if isinstance(parts, list | tuple) else ()
    if not datasets or not all(hasattr(part, "gather") and len(part) for part in datasets):
        words = "a list of datasets, each of which has rows"
        raise ArgumentError(name="datasets", value=parts, expected=words)
    if len(datasets) > PATTERN:
        words = f"at most {PATTERN:,} datasets"
        raise ArgumentError(name="datasets", value=len(datasets), expected=words)
    check_equal_columns([part.features for part in datasets])
    return datasets
