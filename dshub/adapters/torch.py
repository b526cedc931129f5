"""PyTorch: a map-style dataset of rows, and an iterable of whole batches.

Arrays become tensors of the same shape and dtype, numbers stay Python numbers in a row and
become tensors in a batch, text stays `str` and files `bytes`. Where rows differ in shape, a batch
is a list of tensors; with a `DataLoader` of your own that takes ``collate_fn=collate``, because
torch's default cannot stack them.

Pictures keep (height, width, channels) unless the batches were asked for with `layout="chw"`: then
they are (size, channels, height, width) in torch's `channels_last` memory format, in which pixels
lie as they do on disk, and which convolutions take fastest. Where a callable of one's own stands
among the transforms, it gets the layout that was asked for as contiguous arrays, and the tensors
are as it returns them.

A loader that begins with dshub's transforms fills its batches by numba where that is installed
(extra `fast`), else by torch's operators.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, wraps
from typing import Any

import numpy as np

from dshub.datasets.dataset import Dataset
from dshub.datasets.decoding import LazyColumn
from dshub.errors import ArgumentError, DshubError, MissingExtraError
from dshub.loading.gathering import Gatherer, Pool
from dshub.loading.loader import Loader, walk_of
from dshub.loading.transforms.colors import scales_of_values
from dshub.loading.transforms.fused import kernels
from dshub.loading.transforms.transform import Context, is_own

try:
    import torch
    from torch.utils.data import (
        BatchSampler,
        DataLoader,
        IterableDataset,
        RandomSampler,
        SequentialSampler,
        default_collate,
        get_worker_info,
    )
    from torch.utils.data import Dataset as TorchDataset
except ImportError as error:
    raise MissingExtraError(package="torch", extra="torch") from error

WORKERS = 512  # of one DataLoader, at most


def rows(dataset: Dataset) -> "TorchRows":
    """A map-style dataset; its rows are dicts."""
    return TorchRows(dataset)


def batches(loader: Loader, device: Any = None, *, pin: bool | None = None) -> "TorchBatches":
    """Dicts of tensors (size, …), or `(x, y)` where the loader is supervised.

    Args:
        loader: whose batches.
        device: where the tensors are to be, such as `"cuda"`; copied there while the device goes
            on with other work, from pinned memory.
        pin: gather pictures into pinned memory; None means where `device` is of CUDA.

    Raises:
        ArgumentError: torch knows no such device, or finds no CUDA device to pin memory for.
    """
    target = None if device is None else _device(device)
    pinned = pin if pin is not None else target is not None and target.type == "cuda"
    if pinned and not torch.cuda.is_available():
        name, value = ("device", device) if pin is None else ("pin", pin)
        expected = "left out here: memory is pinned for a CUDA device, and torch finds none"
        raise ArgumentError(name=name, value=value, expected=expected)
    return TorchBatches(loader, target, pinned=pinned)


def _device(given: Any) -> torch.device:
    try:
        return torch.device(given)
    except (RuntimeError, TypeError) as error:
        expected = "a device of torch, such as 'cuda', 'cuda:1', 'mps' or 'cpu'"
        raise ArgumentError(name="device", value=given, expected=expected) from error


def collate(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make a batch of rows, for `DataLoader(ds.torch(), …, collate_fn=collate)`.

    Columns are as in ``ds.batches(…).torch()``: one tensor if all rows have one shape, else a list
    of tensors; text, files and lists of text stay lists. As fast as `TorchRows.loader`, because the
    batch is made without its rows as long as nothing has used one.
    """
    if isinstance(rows, FetchedRows) and rows.columns is not None:
        return {name: _whole(values) for name, values in rows.columns.items()}
    return {name: _collated([row[name] for row in rows]) for name in rows[0]}


def _whole(values: Any) -> Any:
    return values if isinstance(values, torch.Tensor) else _collated(list(values))


def _collated(values: list[Any]) -> Any:
    stackable = isinstance(values[0], bool | int | float)
    if isinstance(values[0], torch.Tensor):
        stackable = len({value.shape for value in values}) == 1
    return default_collate(values) if stackable else values


class TorchRows(TorchDataset[Any]):
    """Rows for `torch.utils.data.DataLoader`, which it reads a batch at a time.

    ``rows[3]`` is a row; ``rows[10:20]`` and ``rows[[1, 5]]`` are tensors of several rows.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __repr__(self) -> str:
        return f"<TorchRows of {self.dataset!r}>"

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Any) -> Any:
        value = self.dataset[key]
        return _tensors(value) if isinstance(value, dict) else _tensor(value)

    def __getitems__(self, rows: list[int]) -> "FetchedRows":
        """Several rows at once; the name is torch's."""
        return FetchedRows(self[rows], len(rows))

    def loader(
        self,
        batch_size: int,
        *,
        shuffle: bool = False,
        sampler: Any = None,
        drop_last: bool = False,
        generator: Any = None,
        **options: Any,
    ) -> DataLoader[Any]:
        """A `DataLoader` that reads whole batches; several times as fast as stacking rows.

        Args:
            batch_size: rows in a batch.
            shuffle, sampler, drop_last, generator: as of `DataLoader`.
            **options: others of `DataLoader`, such as `num_workers`.
        """
        if sampler is None:
            sampler = RandomSampler(self, generator=generator) if shuffle else None
        batches = BatchSampler(sampler or SequentialSampler(self), batch_size, drop_last)
        options = {"collate_fn": _unchanged} | options
        return DataLoader(self, batch_size=None, sampler=batches, generator=generator, **options)


def _unchanged(batch: Any) -> Any:
    return batch


class FetchedRows(list[dict[str, Any]]):
    """Rows of a batch, which become dicts when something uses one.

    A list, because functions that pad the rows of tokenizers ask for one.

    Attributes:
        columns: the batch by column; None once rows are in use, and can have been changed.
    """

    def __init__(self, columns: dict[str, Any], count: int) -> None:
        super().__init__()
        self.columns: dict[str, Any] | None = columns
        self._count = count

    def __len__(self) -> int:
        return super().__len__() if self.columns is None else self._count

    def __radd__(self, others: list[Any]) -> list[Any]:
        return [*others, *self]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def split(self) -> None:
        """Make the dicts, once."""
        if self.columns is None:
            return
        columns, self.columns = self.columns, None
        rows: list[dict[str, Any]] = [{} for _ in range(self._count)]
        for name, values in columns.items():
            numbers = isinstance(values, torch.Tensor) and values.ndim == 1
            for row, value in zip(rows, values.tolist() if numbers else values, strict=True):
                row[name] = value
        self.extend(rows)


def _after_split(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(rows: FetchedRows, *given: Any, **named: Any) -> Any:
        rows.split()
        return method(rows, *given, **named)

    return call


_USES = """
    __add__ __contains__ __delitem__ __eq__ __ge__ __getitem__ __gt__ __iadd__ __imul__ __iter__
    __le__ __lt__ __mul__ __ne__ __repr__ __reversed__ __rmul__ __setitem__ append clear copy
    count extend index insert pop remove reverse sort
"""
for _name in _USES.split():
    setattr(FetchedRows, _name, _after_split(getattr(list, _name)))


class TorchBatches(IterableDataset[Any]):
    """Batches of tensors; each iteration is the loader's next epoch.

    Iterate it as it is, or through ``DataLoader(batches, batch_size=None, num_workers=2)``,
    which gives the same batches in the same order, epoch after epoch, whether workers persist or
    not. `state_dict` says where the walk is; with workers, only torchdata's `StatefulDataLoader`
    knows, which asks each of them for its own. Setting `epoch` goes to another epoch, in workers
    too.
    """

    def __init__(self, loader: Loader, device: Any = None, *, pinned: bool = False) -> None:
        self.loader, self._walk = loader, walk_of(loader)
        self._device, self._pinned = device, pinned
        # A DataLoader tells its workers nothing of epochs, and has no way for them to answer. So
        # where to go and how far each worker came are in memory that all copies of this share.
        self._sent = torch.zeros(3, dtype=torch.int64).share_memory_()  # moves, epoch, position
        self._next = torch.zeros((WORKERS, 2), dtype=torch.int64).share_memory_()  # moves, epoch
        self._moves = 0  # how often the walk was sent elsewhere, as far as this copy knows
        # in a worker: the place that epochs are counted from, and whether a state was loaded
        self._start: tuple[int, int] | None = None
        self._loaded = False

    def __repr__(self) -> str:
        return f"<TorchBatches of {self.loader!r}>"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_gatherer"}

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        if worker is not None:
            return self._share_of(worker.id, worker.num_workers)
        batches = self._walk.batches(self._gatherer.batch)
        return batches if self._device is None else _moved(batches, self._device)

    # no method `set_epoch`: Accelerate would call it before each epoch with a count of its own,
    # from 0, and the place in a state that was loaded would be lost
    @property
    def epoch(self) -> int:
        """The epoch of the loader. Setting one goes there, also in workers that persist.

        It begins at its beginning, unless the loader stands within it already.

        Raises:
            ArgumentError: the value is not a whole number of at least 0.
        """
        return self.loader.epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self.loader.epoch = value
        self._send()

    def _send(self) -> None:
        """Tell running workers where the next iteration begins."""
        self._moves += 1
        self._sent.copy_(torch.tensor([self._moves, *self._walk.place(0)]))

    def state_dict(self) -> dict[str, int | str]:
        """Where the walk is; in a worker, of its own share. See `Loader.state_dict`."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue there with the next iteration. See `Loader.load_state_dict`."""
        self.loader.load_state_dict(state)
        if get_worker_info() is None:
            self._send()
        else:
            self._loaded = True

    @cached_property
    def _gatherer(self) -> "_Tensors":
        return _Tensors(self.loader, pinned=self._pinned)

    def _share_of(self, worker: int, workers: int) -> Iterator[Any]:
        """Every `workers`-th batch; the position counts whole rounds of all workers."""
        if self._device is not None:
            raise DshubError(
                "a DataLoader's worker makes no tensors on a device: leave `device` out",
                hint="move the batches where they arrive; or num_workers=0",
            )
        self._walk.go(*self._place(workers))  # now, because a state may be asked for at once
        return self._batches(worker, workers)

    def _place(self, workers: int) -> tuple[int, int]:
        """Where this iteration begins: in the first epoch that not all workers have finished."""
        moves, epoch, position = self._sent.tolist()
        if moves > self._moves:
            self._moves, self._start = moves, (epoch, position)
        elif self._start is None or self._loaded:
            self._start = self._walk.epoch, self._walk.resume
        loaded, self._loaded = self._loaded, False
        ended = self._next[:workers]
        following = int(torch.where(ended[:, 0] == self._moves, ended[:, 1], 0).min())
        return self._start if loaded or following <= self._start[0] else (following, 0)

    def _batches(self, worker: int, workers: int) -> Iterator[Any]:
        walk, starts = self._walk, self._walk.starts()
        epoch, own = walk.epoch, starts[worker::workers]
        ended = torch.tensor([self._moves, epoch + 1])
        if not own:
            self._next[worker] = ended
        for turn, position in enumerate(own, 1):
            batch = self._gatherer.batch(walk.rows_at(position, epoch), epoch)
            walk.reach(epoch, starts.start + turn * workers * starts.step)
            if position == own[-1]:  # the DataLoader may never ask for more
                self._next[worker] = ended
            yield batch
            del batch
        walk.reach(epoch + 1, 0)


class _Tensors:
    """Makes batches of tensors."""

    def __init__(self, loader: Loader, *, pinned: bool) -> None:
        options = loader.options
        own = all(is_own(transform) for transform in options.transforms)
        self._planes = list(loader.rows.pictures) if own and options.layout == "chw" else []
        self._pair = loader.rows.supervised if options.supervised else None
        options = replace(options, layout="hwc") if own else options
        pool = Pool(allocate=_pinned) if pinned else Pool()
        self._gatherer = _ByOperators(loader.rows, options, pool)

    def batch(self, rows: np.ndarray, epoch: int) -> Any:
        found = _tensors(self._gatherer.batch(rows, epoch))
        if isinstance(found, tuple):
            names = self._pair or ()
            pairs = zip(names, found, strict=True)
            return tuple(_channels_first(v) if n in self._planes else v for n, v in pairs)
        for name in self._planes:
            found[name] = _channels_first(found[name])
        return found


class _ByOperators(Gatherer):
    """Pictures scaled by torch's operators, unless numba is there, which is faster yet.

    `copy_`, `mul_` and `add_` in memory that is used again are faster than the one
    `mul(uint8, float)` that they replace, which takes a slow way for the mixed dtypes. `addcmul`
    would be one pass less, but rounds otherwise than NumPy, and at the end of a batch otherwise
    than within.
    """

    def picture(self, pixels: np.ndarray, numbers: np.ndarray, context: Context) -> np.ndarray:
        scale = self.fused.scale
        if scale is None or kernels() is not None or self.options.layout == "chw":
            return super().picture(pixels, numbers, context)
        shape = self.fused.shape(pixels.shape, "hwc")
        gathered = self.pool.empty((len(numbers), *shape), np.uint8)
        replace(self.fused, scale=None).run(pixels, numbers, context, gathered, "hwc")
        out = self.pool.empty(gathered.shape, np.float32)
        factors, biases = scales_of_values(scale, shape[2], shape[0] * shape[1], planes=False)
        values = torch.from_numpy(out.reshape(len(out), -1))
        values.copy_(torch.from_numpy(gathered.reshape(len(out), -1)))
        values.mul_(torch.from_numpy(factors)).add_(torch.from_numpy(biases))
        return out


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


def _channels_first(pictures: Any) -> Any:
    """The same memory, seen as (…, channels, height, width)."""
    if isinstance(pictures, torch.Tensor):
        return pictures.movedim(-1, -3)
    return [_channels_first(_tensor(picture)) for picture in pictures]


def _on(value: Any, device: Any) -> Any:
    """Tensors of a batch on a device; lists of text stay where they are."""
    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=device.type == "cuda")
    if isinstance(value, dict):
        return {name: _on(values, device) for name, values in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_on(values, device) for values in value)
    return value


def _moved(found: Iterator[Any], device: Any) -> Iterator[Any]:
    """Batches on a device.

    What is being copied is held until it has been: a gatherer fills memory that nobody holds.
    """
    waiting: deque[tuple[Any, Any]] = deque()
    for batch in found:
        moved = _on(batch, device)
        if device.type == "cuda":
            event = torch.cuda.Event()
            event.record(torch.cuda.current_stream(device))
            waiting.append((event, batch))
            while waiting and waiting[0][0].query():
                waiting.popleft()
        del batch
        yield moved
        del moved


def _pinned(size: int) -> np.ndarray:
    found: np.ndarray = torch.empty(size, dtype=torch.uint8, pin_memory=True).numpy()
    return found
