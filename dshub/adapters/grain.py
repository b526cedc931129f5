"""Grain: a random-access source of rows, and a `MapDataset` of whole batches.

Rows are dicts of arrays, numbers and `str`. Grain shuffles, maps and batches them like any source,
reading a batch at a time.

Batches are those of the loader: ``.repeat()`` continues with the loader's next epochs, each in its
own order. Grain's iterators have the state (`get_state`, `set_state`); the loader's state stays
where the first batch begins.
"""

import operator
from collections.abc import Sequence
from typing import Any

from dshub.datasets.dataset import Dataset
from dshub.errors import needs
from dshub.loading.loader import Loader, walk_of

with needs("grain", extra="grain"):
    import grain


class GrainRows(grain.sources.RandomAccessDataSource):
    """The rows of a dataset by number."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, record_key: Any) -> dict[str, Any]:
        return self.dataset[operator.index(record_key)]

    def _getitems(self, record_keys: Sequence[int]) -> list[dict[str, Any]]:
        """Read several rows at once; Grain calls this method."""
        return list(self.dataset.select(list(record_keys)))

    def __repr__(self) -> str:
        """Identify the rows: Grain stores this in states, and refuses a state of other rows."""
        return f"GrainRows({self.dataset.fingerprint})"


class GrainBatches(grain.MapDataset):
    """The batches of a loader from its place on, across epochs."""

    def __init__(self, loader: Loader) -> None:
        super().__init__()
        self.loader, self._walk = loader, walk_of(loader)
        self._start = self._walk.place(0)

    def __len__(self) -> int:
        """Return the batches in an epoch, also if the loader resumes within one."""
        return len(self.loader)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.slice(index)
        epoch, position = self._walk.place(operator.index(index), self._start)
        return self._walk.batch(position, epoch)

    def __repr__(self) -> str:
        return f"GrainBatches({self.loader.fingerprint})"


def rows(dataset: Dataset) -> GrainRows:
    """Return a source for `grain.MapDataset.source`."""
    return GrainRows(dataset)


def batches(loader: Loader) -> GrainBatches:
    """Return a `grain.MapDataset` of batches: dicts, or `(x, y)` if the loader is supervised."""
    return GrainBatches(loader)
