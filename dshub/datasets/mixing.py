"""Mix several datasets in one stream of batches."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import msgspec
import numpy as np

from dshub.catalog.features import Feature
from dshub.datasets.derived import check_equal_columns, joined
from dshub.datasets.selection import digest
from dshub.errors import ArgumentError
from dshub.loading.loader import Loader
from dshub.loading.options import BatchOptions, FileRows, check_weights, takes
from dshub.loading.order import PATTERN, Mixed, groups
from dshub.loading.transforms.transform import Batch


class Mixture:
    """Rows of several datasets with equal columns, numbered consecutively.

    Create a mixture with `Dataset.mix`. Batches contain rows of each dataset in proportion to its
    weight, at shuffled positions. The rows of each dataset are shuffled, and each is used about
    once before any row repeats (see `dshub.loading.order.Mixed`). An epoch has as many rows as all
    datasets together. In the next epoch, each dataset continues where it stopped.

    Args:
        parts: datasets with equal features.
        weights: weight of each dataset, with any sum; by default its number of rows.

    Attributes:
        parts: the datasets.
        weights: weight of each dataset.
        features: features by column name.
        image_columns: columns that hold images.
        encoded_images: columns of image files that are decoded.
        decoding: decoder of images, which is that of the first dataset.
        supervised: pair of columns for `(x, y)`, or None if the datasets disagree.

    Raises:
        SchemaError: a column is missing from a dataset, or its feature differs.
        ArgumentError: the weights are invalid, or a dataset has no rows.
    """

    def __init__(self, parts: Sequence[FileRows], weights: Sequence[float] | None = None) -> None:
        self.parts = _check_parts(parts)
        counts = [len(part) for part in self.parts]
        shares = check_weights(counts if weights is None else weights, len(counts), "dataset")
        self.weights: tuple[float, ...] = tuple(shares.tolist())
        self.features: Mapping[str, Feature] = self.parts[0].features
        self.image_columns = self.parts[0].image_columns
        self.encoded_images = self.parts[0].encoded_images
        self.decoding = self.parts[0].decoding
        pairs = {part.supervised for part in self.parts}
        self.supervised = pairs.pop() if len(pairs) == 1 else None
        self._starts = np.cumsum([0, *counts]).astype(np.int64)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __repr__(self) -> str:
        return f"<Mixture of {len(self.parts)} datasets: {len(self):,} rows>"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the rows and weights of the datasets."""
        parts = [[part.fingerprint for part in self.parts], self.weights]
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()

    @cached_property
    def row_identity(self) -> str:
        """SHA-256 that identifies the rows in states of loaders."""
        return digest(*(getattr(part, "row_identity", part.fingerprint) for part in self.parts))

    @takes(BatchOptions)
    def batches(self, options: BatchOptions) -> Loader:
        """Return a loader of mixed batches; for arguments, see `Dataset.batches`.

        Raises:
            ArgumentError: an option has an invalid value, or is `shuffle`, `weights` or `bucket`,
                which mixtures do not support.
        """
        hints = {
            "shuffle": "a mixture is always shuffled",
            "weights": "pass weights to Dataset.mix",
            "bucket": "bucket the batches of a single dataset",
        }
        for name, hint in hints.items():
            value = getattr(options, name)
            if value is not None and value is not False:
                expected = "omitted for a mixture"
                raise ArgumentError(name=name, value=value, expected=expected, hint=hint)
        order = Mixed(tuple(map(len, self.parts)), self.weights, options.seed, len(self))
        return Loader(self, options, order)

    def gather(self, rows: np.ndarray) -> Batch:
        """Read rows by number, int64, in the passed order, into new arrays."""
        pieces, places = [], []
        for number, inside in groups(np.searchsorted(self._starts, rows, side="right") - 1):
            places.append(inside)
            pieces.append(self.parts[number].gather(rows[inside] - self._starts[number]))
        if not pieces:
            return self.parts[0].gather(rows)
        order = np.argsort(np.concatenate(places))
        return {name: joined([piece[name] for piece in pieces], order) for name in self.features}

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        """Return the files of rows of an encoded column, without copies if possible."""
        found: list[Any] = [None] * len(rows)
        for number, inside in groups(np.searchsorted(self._starts, rows, side="right") - 1):
            files = self.parts[number].contents(name, rows[inside] - self._starts[number])
            for place, i in enumerate(inside.tolist()):
                found[i] = files[place]
        return found

    def where(self, row: int, column: str = "") -> str:
        """Describe a row for an error message, with one of its columns if it is passed."""
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self.parts[number].where(row - int(self._starts[number]), column)

    def without(self, names: Sequence[str]) -> Self:
        """Return a mixture without the named columns."""
        return type(self)([part.without(names) for part in self.parts], self.weights)

    def pixels(self, name: str) -> None:
        """Return None, because images of several datasets are never in one array."""

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """Return `rows` unchanged."""
        return rows

    def lengths(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return the length of each text or list, int64."""
        return np.fromiter(map(len, self.gather(rows)[name]), np.int64, len(rows))


def _check_parts(parts: Sequence[FileRows]) -> tuple[FileRows, ...]:
    """Return datasets as a tuple after checking that they can be mixed."""
    datasets = tuple(parts) if isinstance(parts, list | tuple) else ()
    if not datasets or not all(hasattr(part, "gather") and len(part) for part in datasets):
        words = "a list of datasets that are not empty"
        raise ArgumentError(name="datasets", value=parts, expected=words)
    if len(datasets) > PATTERN:
        words = f"at most {PATTERN:,} datasets"
        raise ArgumentError(name="datasets", value=len(datasets), expected=words)
    check_equal_columns([part.features for part in datasets])
    return datasets
