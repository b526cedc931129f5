"""Grain: a random-access source of rows, and a `MapDataset` of whole batches.

Rows are dicts as a dataset gives them: arrays, numbers, `str`. Grain shuffles, maps and batches
them as it does any source, reading a batch of them at a time.

Batches come as the loader makes them, and Grain walks over them: ``.repeat()`` goes on with the
loader's next epochs, each in an order of its own. Where it is, its own iterators say
(`get_state`, `set_state`): the loader's state is where the first batch was to come from.
"""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from dshub.datasets.dataset import Dataset
from dshub.errors import MissingExtraError
from dshub.loading.loader import Loader, walk_of

try:
    import grain
except ImportError as error:
    raise MissingExtraError(package="grain", extra="grain") from error


class GrainRows(grain.sources.RandomAccessDataSource):
    """The rows of a dataset under the numbers from 0."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, record_key: Any) -> dict[str, Any]:
        return self.dataset[operator.index(record_key)]

    def _getitems(self, record_keys: Sequence[int]) -> list[dict[str, Any]]:
        """Several rows at once; the name is Grain's."""
        columns = self.dataset[list(record_keys)]
        return [
            {name: _plain(values[i]) for name, values in columns.items()}
            for i in range(len(record_keys))
        ]

    def __repr__(self) -> str:
        """Grain keeps it with a state, and refuses that for other rows."""
        return f"GrainRows({self.dataset.fingerprint})"


class GrainBatches(grain.MapDataset):
    """The batches of a loader from its place on; those beyond an epoch are of the next ones."""

    def __init__(self, loader: Loader) -> None:
        super().__init__()
        self.loader, self._walk = loader, walk_of(loader)
        self._start = self._walk.place(0)

    def __len__(self) -> int:
        """Batches in an epoch, also where the first of them are the rest of one."""
        return len(self.loader)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.slice(index)
        epoch, position = self._walk.place(operator.index(index), self._start)
        return self._walk.batch(position, epoch)

    def __repr__(self) -> str:
        return f"GrainBatches({self.loader.fingerprint})"


def rows(dataset: Dataset) -> GrainRows:
    """A `grain.sources.RandomAccessDataSource`; `grain.MapDataset.source` takes it."""
    return GrainRows(dataset)


def batches(loader: Loader) -> GrainBatches:
    """A `grain.MapDataset` of batches: dicts, or `(x, y)` where the loader is supervised."""
    return GrainBatches(loader)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
