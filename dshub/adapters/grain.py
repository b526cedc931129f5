"""Grain: a random-access source of rows, and a `MapDataset` of whole batches.

Rows are dicts of arrays, numbers and `str`. Grain can shuffle, map and batch them like rows of
other sources, and reads one batch at a time.

Batches are those of the loader. ``.repeat()`` continues with the next epochs of the loader, each in
its own order. Grain iterators hold the state (`get_state`, `set_state`). The state of the loader
does not advance.
"""

import operator
from collections.abc import Sequence
from typing import Any

from dshub.datasets.dataset import Dataset
from dshub.errors import needs
from dshub.loading.loader import Loader, cursor_of

with needs("grain", extra="grain"):
    import grain


class GrainRows(grain.sources.RandomAccessDataSource):
    """Rows of a dataset by number."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, record_key: Any) -> dict[str, Any]:
        return self.dataset[operator.index(record_key)]

    def _getitems(self, record_keys: Sequence[int]) -> list[dict[str, Any]]:
        """Read several rows at once, as Grain requests them."""
        return list(self.dataset.select(list(record_keys)))

    def __repr__(self) -> str:
        """Return a text that identifies the rows, so that Grain rejects states of other rows."""
        return f"GrainRows({self.dataset.fingerprint})"


class GrainBatches(grain.MapDataset):
    """Batches of a loader across epochs, starting at its current place."""

    def __init__(self, loader: Loader) -> None:
        super().__init__()
        self.loader, self._cursor = loader, cursor_of(loader)
        self._start = self._cursor.place(0)

    def __len__(self) -> int:
        """Return the number of batches in a full epoch, even if the loader resumes within one."""
        return len(self.loader)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.slice(index)
        epoch, position = self._cursor.place(operator.index(index), self._start)
        return self._cursor.batch(position, epoch)

    def __repr__(self) -> str:
        return f"GrainBatches({self.loader.fingerprint})"


def rows(dataset: Dataset) -> GrainRows:
    """Return a source for `grain.MapDataset.source`."""
    return GrainRows(dataset)


def batches(loader: Loader) -> GrainBatches:
    """Return a `grain.MapDataset` of batches: dicts, or `(x, y)` if `supervised` is set."""
    return GrainBatches(loader)
