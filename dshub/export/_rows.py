"""The rows of a shard, handed out in blocks as they are kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dshub.dataset import Dataset
from dshub.loader import Batch
from dshub.manifest import Feature

BLOCK_BYTES = 8 << 20  # of rows that are in memory at a time, about
BLOCK_ROWS = 4096
SAMPLE = 64  # rows that are looked at to know how large they are


@dataclass(frozen=True)
class Rows:
    """Rows side by side of a split.

    Attributes:
        dataset: the split, whose pictures and recordings are files where they are kept so.
        title: dataset and split, for errors.
        first: number of the first of these rows in the split.
        count: how many they are.
        block: how many are handed out at a time.
        advance: told how many rows are done.
    """

    dataset: Dataset
    title: str
    first: int
    count: int
    block: int
    advance: Callable[[int], object] = int

    @property
    def features(self) -> dict[str, Feature]:
        """The columns in order, and what each holds."""
        return self.dataset.features

    @property
    def supervised(self) -> tuple[str, str] | None:
        """The columns that `(x, y)` means."""
        return self.dataset.supervised

    def batches(self) -> Iterator[tuple[int, Batch]]:
        """The number of a first row, and columns of it and those behind it.

        Numbers are arrays (rows, …), raw pictures too; text is a list of `str`, files one of
        `bytes`, lists one of arrays or of lists of `str`.
        """
        for start in range(self.first, self.first + self.count, self.block):
            stop = min(start + self.block, self.first + self.count)
            yield start, self.dataset[start:stop]
            self.advance(stop - start)

    def each(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The rows one by one, with their numbers in the split."""
        names = list(self.features)
        for start, batch in self.batches():
            for number, values in enumerate(zip(*batch.values(), strict=True), start):
                yield number, dict(zip(names, values, strict=True))


def row_size(dataset: Dataset) -> int:
    """Bytes of a row, about: the mean of a few that are spread over the dataset; at least 1."""
    if not len(dataset):
        return 1
    places = np.unique(np.linspace(0, len(dataset) - 1, SAMPLE).astype(np.int64))
    total = sum(_size(values[0]) for at in places for values in dataset[[int(at)]].values())
    return max(1, round(total / len(places)))


def block_of(size: int) -> int:
    """How many rows of some bytes are handed out at a time."""
    return min(max(BLOCK_BYTES // size, 1), BLOCK_ROWS)


def _size(value: Any) -> int:
    if isinstance(value, np.ndarray | np.generic):
        return value.nbytes
    if isinstance(value, str):
        return len(value.encode()) + 4
    if isinstance(value, bytes):
        return len(value) + 4
    return sum(map(_size, value)) + 4
