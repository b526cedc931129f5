"""PyTorch: a map-style dataset of rows, and an iterable of whole batches.

Arrays become tensors of the same shape and dtype, numbers stay Python numbers in a row and
become tensors in a batch, text stays `str` and files `bytes`. Where rows differ in shape, a batch
is a list of tensors; the default collate function of a `DataLoader` stacks them where they happen
to have one shape, and is an error where they do not.

Pictures keep (height, width, channels) unless the batches were asked for with `layout="chw"`: then
they are (size, channels, height, width) in torch's `channels_last` memory format, in which pixels
lie as they do on disk, and which convolutions take fastest. Where a callable of one's own stands
among the transforms, it gets the layout that was asked for as contiguous arrays, and the tensors
are as it returns them.

A loader that begins with dshub's transforms fills its batches by numba where that is installed
(extra `fast`), else by torch's operators.
"""

import operator
from collections import UserDict, deque
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from dshub.dataset import Dataset, LazyColumn
from dshub.errors import ArgumentError, DshubError, MissingExtraError
from dshub.loader import Batch, Gatherer, Loader, Plan, Pool
from dshub.order import InOrder
from dshub.transforms import Context, is_own
from dshub.transforms.colors import scales_of_values
from dshub.transforms.fused import kernels

try:
    import torch
    from torch.utils.data import Dataset as TorchDataset
    from torch.utils.data import IterableDataset, get_worker_info
    from torch.utils.data._utils.collate import default_collate, default_collate_fn_map
except ImportError as error:
    raise MissingExtraError(package="torch", extra="torch") from error

WORKERS = 512  # processes whose epochs are counted


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


class TorchRows(TorchDataset[Any]):
    """Rows for `torch.utils.data.DataLoader`, which it reads a batch at a time.

    ``rows[3]`` is a row; ``rows[10:20]`` and ``rows[[1, 5]]`` are tensors of several rows.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __repr__(self) -> str:
        return f"<TorchRows of {self.dataset!r}>"

    def __getstate__(self) -> dict[str, Any]:
        return {"dataset": self.dataset}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Any) -> Any:
        found = self.dataset[key]
        if isinstance(found, dict):
            return {name: _tensor(value) for name, value in found.items()}
        return _tensor(found)

    def __getitems__(self, rows: list[int]) -> "_Fetched":
        numbers = np.asarray(rows, np.int64)
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= len(self)):
            return _Fetched(self[rows], len(rows))
        return _Fetched(_tensors(self._gatherer.batch(numbers, 0)), len(rows))

    @cached_property
    def _gatherer(self) -> Gatherer:
        return Gatherer(self.dataset, Plan(size=1, order=InOrder(len(self))))


class TorchBatches(IterableDataset[Any]):
    """Batches of tensors; each iteration is the loader's next epoch.

    Iterate it as it is, or through ``DataLoader(batches, batch_size=None, num_workers=2)``,
    which gives the same batches in the same order, epoch after epoch, whether workers persist or
    not. `state_dict` says where the walk is; where there are workers, only torchdata's
    `StatefulDataLoader` knows, which asks each of them for its own. Setting `epoch` goes to
    another epoch, in workers too.
    """

    def __init__(self, loader: Loader, device: Any = None, *, pinned: bool = False) -> None:
        self.loader = loader
        self._device, self._pinned = device, pinned
        # for each worker what it counts epochs from (`_mark`), and the epoch
        # that comes next: workers that end with their epoch leave it for those that follow them
        self._next = torch.zeros((WORKERS, 2), dtype=torch.int64).share_memory_()
        self._copied: int | None = None  # the epoch of the copy, in a worker
        # how often the walk was sent elsewhere, and where to: workers that persist look here
        self._sent = torch.zeros(3, dtype=torch.int64).share_memory_()
        self._heard = 0  # the last of those that this copy knows of
        self._loaded = False  # whether the next epoch of a worker is that of a state

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
        found = self.loader.walk(self._gatherer)
        return found if self._device is None else _moved(found, self._device)

    # no method `set_epoch`: Accelerate would call it before each epoch with a count of its own,
    # from 0, and the place in a state that was loaded would be lost
    @property
    def epoch(self) -> int:
        """The epoch of the loader. Setting one goes there, also in workers that persist.

        It begins at its beginning, unless the loader stands within it already.

        Raises:
            ArgumentError: it is set to what is no whole number of at least 0.
        """
        return self.loader.epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self.loader.epoch = value
        self._send()

    def _send(self) -> None:
        """Tell the workers that there are where the next iteration begins."""
        self._heard += 1
        self._sent.copy_(torch.tensor([self._heard, *self.loader.place(0)]))
        self._next.zero_()

    def _hear(self) -> None:
        """In a worker: go where it was sent since it last began."""
        heard, epoch, position = self._sent.tolist()
        if heard > self._heard:
            place = {"epoch": epoch, "position": position}
            self.loader.load_state_dict(self.loader.state_dict() | place)
            self._heard, self._copied = heard, epoch

    def state_dict(self) -> dict[str, int | str]:
        """Where the walk is; in a worker, of its own share. See `Loader.state_dict`."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on there with the next iteration. See `Loader.load_state_dict`."""
        copied = self.loader.epoch
        self.loader.load_state_dict(state)
        if get_worker_info() is None:
            self._send()
            return
        self._copied = copied if self._copied is None else self._copied
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
        self._hear()
        positions, epoch = self.loader.positions(), self._epoch(workers)
        self.loader.reach(epoch, positions.start)  # a state may be asked for before a batch is
        return self._walk(positions, epoch, worker, workers)

    def _walk(self, positions: range, epoch: int, worker: int, workers: int) -> Iterator[Any]:
        loader, own = self.loader, positions[worker::workers]
        done = torch.tensor([self._mark, epoch + 1])
        if not own:
            self._next[worker] = done
        for turn, position in enumerate(own, 1):
            batch = self._gatherer.batch(loader.rows_at(position, epoch), epoch)
            loader.reach(epoch, positions.start + turn * workers * positions.step)
            if position == own[-1]:  # nobody may ask for more
                self._next[worker] = done
            yield batch
            del batch
        loader.reach(epoch + 1, 0)

    def _epoch(self, workers: int) -> int:
        """The epoch of a state; or the first one that not all workers have walked to its end."""
        if self._copied is None:
            self._copied = self.loader.epoch
        known = self._next[:workers]
        walked = torch.where(known[:, 0] == self._mark, known[:, 1], 0)
        loaded, self._loaded = self._loaded, False
        return self.loader.epoch if loaded else max(self._copied, int(walked.min()))

    @property
    def _mark(self) -> int:
        """What epochs are counted from; another one whenever the walk was sent elsewhere."""
        return (self._copied or 0) + (self._heard << 32)


class _Tensors:
    """Makes batches of tensors; see `Loader.walk`."""

    def __init__(self, loader: Loader, *, pinned: bool) -> None:
        plan = loader.plan
        own = all(is_own(transform) for transform in plan.transforms)
        self._planes = list(loader.rows.pictures) if own and plan.layout == "chw" else []
        self._pair = loader.rows.supervised if plan.supervised else None
        plan = msgspec.structs.replace(plan, layout="hwc") if own else plan
        pool = Pool(allocate=_pinned) if pinned else Pool()
        self._gatherer = _ByOperators(loader.rows, plan, pool)

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
        if scale is None or kernels() is not None or self.plan.layout == "chw":
            return super().picture(pixels, numbers, context)
        shape = self.fused.shape(pixels.shape, "hwc")
        gathered = self.pool.empty((len(numbers), *shape), np.uint8)
        self.fused.gather(pixels, numbers, context, gathered)
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


class _Fetched(list["_Row"]):
    """Rows that were read together: a list of dicts, as any collate function takes it.

    Torch's own finds in its first row, of the type `_Row`, the columns that it would have to make.
    """

    def __init__(self, columns: Batch, count: int) -> None:
        self.columns, self.read = columns, [False]
        super().__init__(_Row(columns, place, self.read) for place in range(count))
        self._made = list(self)

    @property
    def is_whole(self) -> bool:
        """Whether nobody has looked at a row, which he may have changed, nor moved one."""
        same = len(self) == len(self._made) and all(map(operator.is_, self, self._made))
        return same and not self.read[0]


class _Row(UserDict[str, Any]):
    """A row of a `_Fetched`; its values are cut out of the columns when one is asked for."""

    def __init__(self, columns: Batch, place: int, read: list[bool]) -> None:
        self._columns, self._place, self._read = columns, place, read

    @cached_property
    def data(self) -> dict[str, Any]:  # type: ignore[override]  # an attribute of `UserDict`
        """The row as a dict; `UserDict` takes everything from it."""
        self._read[0] = True
        return {name: _single(values[self._place]) for name, values in self._columns.items()}


def _collate(rows: Any, *, collate_fn_map: Any = None) -> Any:
    del collate_fn_map  # torch hands it on to nested types; there are none here
    if isinstance(rows, _Fetched) and rows.is_whole:
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
