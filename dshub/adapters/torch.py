"""PyTorch: a map-style dataset of rows, and an iterable of whole batches.

Arrays become tensors of the same shape and dtype, numbers stay Python numbers in a row and
become tensors in a batch, text stays `str` and files `bytes`. Pictures keep (height, width,
channels) unless the batches were asked for with `layout="chw"`. Where rows differ in shape, a batch
is a list of tensors; the default collate function of a `DataLoader` stacks them where they happen
to have one shape, and is an error where they do not.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dshub.dataset import Dataset, LazyColumn
from dshub.errors import DshubError, MissingExtraError
from dshub.loader import Batch, Loader

try:
    import torch
    from torch.utils.data import Dataset as TorchDataset
    from torch.utils.data import IterableDataset, get_worker_info
    from torch.utils.data._utils.collate import default_collate, default_collate_fn_map
except ImportError as error:
    raise MissingExtraError(package="torch", extra="torch") from error


class TorchRows(TorchDataset[Any]):
    """Rows for `torch.utils.data.DataLoader`, which it reads a batch at a time.

    ``rows[3]`` is a row; ``rows[10:20]`` and ``rows[[1, 5]]`` are tensors of several rows.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Any) -> Any:
        found = self.dataset[key]
        if isinstance(found, dict):
            return {name: _tensor(value) for name, value in found.items()}
        return _tensor(found)

    def __getitems__(self, rows: list[int]) -> "_Fetched":
        return _Fetched(self[rows])


class TorchBatches(IterableDataset[Any]):
    """Batches of tensors; each iteration is the loader's next epoch.

    Iterate it as it is, or through ``DataLoader(batches, batch_size=None, num_workers=2)``,
    which gives the same batches in the same order. Workers are copies: unless they persist, set
    ``batches.loader.epoch`` before each epoch.
    """

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        if worker is None:
            for batch in self.loader:
                yield _tensors(batch)
            return
        epoch = self.loader.epoch
        for position in self.loader.positions()[worker.id :: worker.num_workers]:
            yield _tensors(self.loader.batch(position, epoch))
        self.loader.advance()


def rows(dataset: Dataset) -> TorchRows:
    """A map-style dataset; its rows are dicts."""
    return TorchRows(dataset)


def batches(loader: Loader) -> TorchBatches:
    """Dicts of tensors (size, …), or `(x, y)` where the loader is supervised."""
    return TorchBatches(loader)


def _tensor(value: Any) -> Any:
    if isinstance(value, LazyColumn):
        return value.mapped(_tensor)
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
        return [_tensor(row) for row in value]
    if not isinstance(value, np.ndarray):
        return value
    return torch.from_numpy(value if value.flags.writeable else value.copy())


def _tensors(batch: Any) -> Any:
    if isinstance(batch, tuple):
        return tuple(_tensor(values) for values in batch)
    return {name: _tensor(values) for name, values in batch.items()}


class _Fetched(Sequence[dict[str, Any]]):
    """Rows that were read together, kept together for the collate function.

    A `DataLoader` collates a list of rows. This is one for any collate function, and torch's own
    finds in its first row, of the type `_Row`, the tensors that it would have to stack.
    """

    def __init__(self, columns: Batch) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return _Row({name: _single(values[index]) for name, values in self.columns.items()})


class _Row(dict[str, Any]):
    """A row of a `_Fetched`; its type is what torch's collate function looks at."""


def _collate(rows: Any, *, collate_fn_map: Any = None) -> Any:
    del collate_fn_map  # torch hands it on to nested types; there are none here
    if isinstance(rows, _Fetched):
        return {name: _stacked(name, values) for name, values in rows.columns.items()}
    return default_collate([dict(row) for row in rows])


def _stacked(name: str, values: Any) -> Any:
    """A batch of a column as the default collate function makes it."""
    if not (isinstance(values, list) and values and isinstance(values[0], torch.Tensor)):
        return values
    shapes = {tuple(value.shape) for value in values}
    if len(shapes) > 1:
        told = " and ".join(map(str, sorted(shapes)[:2]))
        raise DshubError(
            f"rows of column {name} differ in shape, {told}: they cannot be stacked",
            hint="give the DataLoader a collate_fn; or take ds.batches(…, transform=…).torch()",
        )
    return torch.stack(values)


def _single(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor) and not value.ndim else value


default_collate_fn_map[_Row] = _collate
