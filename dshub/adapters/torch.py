"""PyTorch: a map-style dataset of rows, and an iterable dataset of whole batches.

Arrays become tensors of the same shape and dtype. Numbers stay Python numbers in a row and become
tensors in a batch. Text stays `str`, and files stay `bytes`. If rows differ in shape, a batch is a
list of tensors. A custom `DataLoader` then needs ``collate_fn=collate``, because torch's default
cannot stack such rows.

Images are (height, width, channels). Batches with `layout="chw"` are (size, channels, height,
width) in torch's `channels_last` memory format, which keeps the pixel order on disk and makes
convolutions faster. Callables in `transform` receive contiguous arrays in the requested layout, and
their results keep their own layout.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Generic

import numpy as np

from dshub.adapters import NormalizeOn, convert, each_array, normalization_on_device
from dshub.adapters._torch_devices import (
    Scaling,
    allocate_pinned,
    checked_device,
    copy_batches,
    each_tensor,
)
from dshub.catalog.features import LabelFeature
from dshub.catalog.manifest import AnyPair
from dshub.datasets.dataset import Dataset
from dshub.errors import ArgumentError, DshubError, needs
from dshub.loading.blocks import ImageBlocks
from dshub.loading.fetched import FetchedRows, rows_of
from dshub.loading.gathering import Gatherer
from dshub.loading.loader import B, Loader, cursor_of, repeated
from dshub.loading.memory import Pool
from dshub.loading.options import BatchOptions, Rows
from dshub.loading.pairs import Row
from dshub.loading.transforms.colors import Normalize, scales_of_values
from dshub.loading.transforms.compiled import kernels
from dshub.loading.transforms.transform import AnyTransform, Context, Layout, is_own

with needs("torch", extra="torch"):
    import torch
    from torch.utils import data

MAX_WORKERS = 512  # maximum number of workers of a DataLoader


def rows(
    dataset: Dataset,
    *,
    supervised: bool | AnyPair = False,
    transform: AnyTransform | Sequence[AnyTransform] | None = None,
    layout: Layout = "hwc",
) -> "TorchRows":
    """Return a map-style dataset of rows for `DataLoader`.

    ``DataLoader(ds.torch(supervised=True, transform=ToFloat(), layout="chw"), batch_size=64)``

    Args:
        dataset: dataset of the rows.
        supervised: True or a pair of columns to get rows `(x, y)` instead of dicts.
        transform: transforms as in `Dataset.batches`. A single row is a batch of one row. Random
            numbers come from torch's generator, so they differ between epochs and workers.
        layout: `hwc`, or `chw` for images with channels first.

    Raises:
        ArgumentError, UnknownNameError: an option does not fit the rows.
    """
    options = BatchOptions(1, transform=transform, layout=layout, supervised=supervised)
    options.check_columns(dataset)
    return TorchRows(dataset, options)


def batches(
    loader: Loader[B],
    device: Any = None,
    *,
    pin: bool | None = None,
    normalize: NormalizeOn = "auto",
) -> "TorchBatches[B]":
    """Return batches as dicts of tensors (size, …), or as `(x, y)` if `supervised` is set.

    Args:
        loader: loader of the batches.
        device: device of the tensors, such as `"cuda"`. Copies from pinned memory do not block the
            training loop.
        pin: whether to gather images into pinned memory; by default if `device` is a CUDA device.
        normalize: where `Normalize` or `ToFloat` runs if it is the last transform: on the `device`,
            so that uint8 pixels are copied, or in the `loader`, on the CPU. The values are the
            same. `auto` is the device, unless it is a CPU.

    Raises:
        ArgumentError: an option is invalid, pinning is requested without a CUDA device, or
            `normalize` is `device` and there is no device or no such transform.
    """
    target = None if device is None else checked_device(device)
    scale = normalization_on_device(
        loader.options, normalize, device_type=None if target is None else target.type
    )
    pinned = pin if pin is not None else target is not None and target.type == "cuda"
    if pinned and not torch.cuda.is_available():
        name, value = ("device", device) if pin is None else ("pin", pin)
        expected = "left out, because torch does not find a CUDA device"
        raise ArgumentError(name=name, value=value, expected=expected)
    return TorchBatches(loader, target, pinned=pinned, scale=scale)


def collate(rows: Sequence[Any]) -> Any:
    """Combine rows into a batch, for `DataLoader(ds.torch(), …, collate_fn=collate)`.

    Columns are the same as in ``ds.batches(…).torch()``: one tensor if all rows have the same
    shape, or else a list of tensors. Text, files and lists of text stay lists. `collate` is as fast
    as `TorchRows.loader`, because rows become dicts only when they are accessed.
    """
    if isinstance(rows, FetchedRows) and rows.batch is not None:
        return _collate_batch(rows.batch)
    return _collate_rows(rows)


def _collate_batch(values: Any) -> Any:
    """Stack each column of a batch, which is a pair, a dict of columns or a single column."""
    if isinstance(values, tuple):
        return tuple(map(_collate_batch, values))
    if isinstance(values, dict):
        return {name: _collate_batch(column) for name, column in values.items()}
    return _collate_column(values)


def _collate_rows(rows: Sequence[Any]) -> Any:
    """Stack each column of rows, which are pairs, dicts or values of a single column."""
    first = rows[0]
    if isinstance(first, tuple):
        return tuple(map(_collate_rows, zip(*rows, strict=True)))
    if isinstance(first, dict):
        return {name: _collate_column([row[name] for row in rows]) for name in first}
    return _collate_column(rows)


def _collate_column(values: Any) -> Any:
    """Stack the rows of a column if they all have the same shape."""
    if isinstance(values, torch.Tensor):
        return values
    values = list(values)
    first = values[0]
    stackable = all(isinstance(value, bool | int | float) for value in values)
    if isinstance(first, torch.Tensor):
        stackable = all(value.shape == first.shape for value in values)
    return data.default_collate(values) if stackable else values


def concatenate(parts: Sequence[Any]) -> Any:
    """Return the rows of several map-style datasets, one after another."""
    return data.ConcatDataset(parts)


class TorchRows(data.Dataset[Any]):
    """Rows for `torch.utils.data.DataLoader`, which are read one batch at a time.

    ``rows[3]`` is a row: a dict, or `(x, y)` if supervised. ``rows[10:20]`` and ``rows[[1, 5]]``
    are tensors of several rows.
    """

    def __init__(self, dataset: Dataset, options: BatchOptions | None = None) -> None:
        self.dataset, self.options = dataset, options or BatchOptions(1)
        self.pair = self.options.pair(dataset)
        self._is_plain = not self.options.transforms and self.options.layout == "hwc"

    def __repr__(self) -> str:
        return f"<TorchRows of {self.dataset!r}>"

    def __len__(self) -> int:
        return len(self.dataset)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, without the gatherer, which workers create again."""
        return {name: value for name, value in vars(self).items() if name != "_gatherer"}

    @property
    def classes(self) -> list[str]:
        """Names of the classes of y, as in torchvision.

        Raises:
            AttributeError: y is not a label.
        """
        return list(self._label("classes")[1].names)

    @property
    def targets(self) -> torch.Tensor:
        """Labels of all rows, as in torchvision.

        Raises:
            AttributeError: y is not a label.
        """
        labels: torch.Tensor = self[self._label("targets")[0]]
        return labels

    def _label(self, attribute: str) -> tuple[str, LabelFeature]:
        """Return the name and feature of the column y."""
        name = self.pair[1] if self.pair else None
        feature = self.dataset.features[name] if isinstance(name, str) else None
        if isinstance(name, str) and isinstance(feature, LabelFeature):
            return name, feature
        raise AttributeError(
            f"'TorchRows' object has no attribute {attribute!r}, because its rows are not pairs "
            "with a label; pass supervised=(x, y) to ds.torch"
        )

    def __getitem__(self, key: Any) -> Any:
        if self._is_plain and self.pair is None:
            value = self.dataset[key]
            if isinstance(key, int | np.integer):
                return Row(convert(value, _tensor))
            if isinstance(value, dict):
                return convert(value, _tensor)
            return convert({key: value}, _tensor)[key]
        if isinstance(key, str):
            return convert({key: self.dataset[key]}, _tensor)[key]
        positions = self.dataset.positions(key)
        batch = convert(self._gatherer.batch(positions, _random_epoch()), _tensor, self.pair)
        if isinstance(key, slice | list | tuple | np.ndarray):
            return batch
        (row,) = rows_of(batch, 1)
        return row

    @cached_property
    def _gatherer(self) -> Gatherer:
        return Gatherer(self.dataset, self.options, Pool(allocate=_fresh))

    def __getitems__(self, rows: list[int]) -> list[Any]:
        """Read several rows at once, as torch requests them."""
        return FetchedRows(self[list(rows)], len(rows))

    def loader(
        self,
        batch_size: int,
        *,
        shuffle: bool = False,
        sampler: Any = None,
        drop_last: bool = False,
        generator: Any = None,
        **options: Any,
    ) -> data.DataLoader[Any]:
        """Return a `DataLoader` of whole batches, which is several times as fast as stacking rows.

        Args:
            batch_size: rows per batch.
            shuffle, sampler, drop_last, generator: arguments of `DataLoader`.
            **options: other arguments of `DataLoader`, such as `num_workers`.
        """
        if sampler is None:
            sampler = data.RandomSampler(self, generator=generator) if shuffle else None
        batches = data.BatchSampler(sampler or data.SequentialSampler(self), batch_size, drop_last)
        options = {"collate_fn": _unchanged} | options
        return data.DataLoader(
            self, batch_size=None, sampler=batches, generator=generator, **options
        )


def _unchanged(batch: Any) -> Any:
    return batch


def _fresh(size: int) -> np.ndarray:
    """Allocate new memory for images, because a `DataLoader` can keep them indefinitely."""
    return np.empty(size, np.uint8)


def _random_epoch() -> int:
    """Draw a number from torch's generator, which differs between epochs and workers."""
    return int(torch.randint(0, 2**31, ()).item())


class TorchBatches(data.IterableDataset[B], Generic[B]):
    """Batches of tensors; each iteration is the next epoch of the loader.

    Iterate directly, or through ``DataLoader(batches, batch_size=None, num_workers=2)``, which
    yields the same batches in the same order in each epoch, with or without persistent workers.
    `state_dict` returns the position. With workers, use torchdata's `StatefulDataLoader`, which
    collects the state of each worker. Setting `epoch` moves to another epoch, also in workers.
    """

    def __init__(
        self,
        loader: Loader[B],
        device: Any = None,
        *,
        pinned: bool = False,
        scale: Normalize | None = None,
    ) -> None:
        self.loader, self._cursor = loader, cursor_of(loader)
        self._device, self._pinned, self._scale = device, pinned, scale
        # A DataLoader does not pass epochs to its workers, and workers cannot report back. So the
        # next place (moves, epoch, position) and the progress of each worker (moves, epoch) are in
        # memory that all copies share. `moves` counts the calls that moved the loader.
        self._sent = torch.zeros(3, dtype=torch.int64).share_memory_()
        self._next = torch.zeros((MAX_WORKERS, 2), dtype=torch.int64).share_memory_()
        self._moves = 0  # number of moves that this copy has followed
        # set only in a worker: start of its epoch count, and whether a state was loaded
        self._start: tuple[int, int] | None = None
        self._loaded = False

    def __repr__(self) -> str:
        return f"<TorchBatches of {self.loader!r}>"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_gatherer"}

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[B]:
        worker = data.get_worker_info()
        if worker is not None:
            return self._share_of(worker.id, worker.num_workers)
        gatherer = self._gatherer
        batches = self._cursor.batches(
            gatherer.batch, finish=gatherer.finish, options=gatherer.options
        )
        if self._device is None:
            return batches
        return copy_batches(batches, self._device, gatherer.scaling)

    @property
    def dataset(self) -> Rows:
        """Dataset or mixture that contains the rows."""
        return self.loader.dataset

    def repeat(self, count: int | None = None) -> Iterator[Any]:
        """Yield the batches of `count` epochs, or of all epochs; see `Loader.repeat`."""
        return repeated(self, count)

    # a property, because Accelerate would call a method `set_epoch` before each epoch with its own
    # count from 0, which would discard a restored position
    @property
    def epoch(self) -> int:
        """Epoch of the loader.

        Setting a different epoch moves to its beginning, also in workers.

        Raises:
            ArgumentError: the value is not an integer of at least 0.
        """
        return self.loader.epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self.loader.epoch = value
        self._send()

    def _send(self) -> None:
        """Send the place where the next iteration starts to running workers."""
        self._moves += 1
        self._sent.copy_(torch.tensor([self._moves, *self._cursor.place(0)]))

    def state_dict(self) -> dict[str, int | str]:
        """Return the position of the loader or of a worker; see `Loader.state_dict`."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state in the next iteration; see `Loader.load_state_dict`."""
        self.loader.load_state_dict(state)
        if data.get_worker_info() is None:
            self._send()
        else:
            self._loaded = True

    @cached_property
    def _gatherer(self) -> "_TensorBatches":
        return _TensorBatches(self.loader, self._scale, pinned=self._pinned)

    def _share_of(self, worker: int, workers: int) -> Iterator[Any]:
        """Yield every `workers`-th batch; the position counts rounds of all workers."""
        if self._device is not None:
            raise DshubError(
                "DataLoader workers cannot create tensors on a device",
                hint="omit `device` and move each batch in the training loop, or use num_workers=0",
            )
        self._cursor.seek(*self._place(workers))  # `state_dict` can precede the first batch
        return self._batches(worker, workers)

    def _place(self, workers: int) -> tuple[int, int]:
        """Return the place to start at, in the first epoch that a worker has not finished."""
        moves, epoch, position = self._sent.tolist()
        if moves > self._moves:
            self._moves, self._start = moves, (epoch, position)
        elif self._start is None or self._loaded:
            self._start = self._cursor.epoch, self._cursor.resume
        loaded, self._loaded = self._loaded, False
        ended = self._next[:workers]
        following = int(torch.where(ended[:, 0] == self._moves, ended[:, 1], 0).min())
        return self._start if loaded or following <= self._start[0] else (following, 0)

    def _batches(self, worker: int, workers: int) -> Iterator[Any]:
        cursor, starts = self._cursor, self._cursor.starts()
        epoch, positions = cursor.epoch, starts[worker::workers]
        ended = torch.tensor([self._moves, epoch + 1])
        if not positions:
            self._next[worker] = ended
        for turn, position in enumerate(positions, 1):
            batch = self._gatherer.batch(cursor.rows_at(position, epoch), epoch)
            cursor.advance(epoch, starts.start + turn * workers * starts.step)
            if position == positions[-1]:  # the DataLoader can stop without another request
                self._next[worker] = ended
            yield batch
            del batch
        cursor.advance(epoch + 1, 0)


class _TensorBatches:
    """Factory of batches of tensors.

    Args:
        loader: loader of the batches.
        scale: last transform of the loader if it runs on the device.
        pinned: whether to gather images into pinned memory.
    """

    def __init__(self, loader: Loader, scale: Normalize | None, *, pinned: bool) -> None:
        options = loader.options
        if scale is not None:
            options = replace(options, transform=options.transforms[:-1])
        own = all(is_own(transform) for transform in options.transforms)
        self._planes = list(loader.rows.image_columns) if own and options.layout == "chw" else []
        self._pair = loader.pair
        self.options = options = replace(options, layout="hwc") if own else options
        self._pinned = pinned
        pool = Pool(allocate=allocate_pinned) if pinned else Pool()
        self._gatherer = _TorchGatherer(loader.rows, options, pool, found=loader.errors)
        images = {name: name in self._planes for name in loader.rows.image_columns}
        self.scaling = None if scale is None else Scaling(scale, images, loader.pair)

    def batch(self, rows: np.ndarray, epoch: int) -> Any:
        batch = convert(self._gatherer.batch(rows, epoch), self._column, self._pair)
        return Row(batch) if isinstance(batch, dict) else batch

    def finish(self, batch: Any) -> Any:
        """Convert a batch of a child process, whose memory cannot be pinned."""
        batch = convert(batch, self._column, self._pair)
        batch = each_tensor(batch, torch.Tensor.pin_memory) if self._pinned else batch
        return Row(batch) if isinstance(batch, dict) else batch

    def _column(self, values: Any, name: str) -> Any:
        return each_array(values, _channels_first if name in self._planes else _from_numpy)


class _TorchGatherer(Gatherer):
    """Gatherer that scales images with torch operators, unless numba is installed.

    `copy_`, `mul_` and `add_` in reused memory are faster than one `mul(uint8, float)`, which is
    slow for mixed dtypes. `addcmul` would save a pass, but it rounds differently from NumPy, and
    even differently at the end of a batch. Compiled kernels of numba are faster.
    """

    def gather_images(
        self, pixels: np.ndarray | ImageBlocks, numbers: np.ndarray, context: Context
    ) -> np.ndarray:
        scale = self.fused.scale
        if scale is None or kernels() is not None or self.options.layout == "chw":
            return super().gather_images(pixels, numbers, context)
        shape = self.fused.shape(pixels.shape, "hwc")
        gathered = self.pool.empty((len(numbers), *shape), np.uint8)
        replace(self.fused, scale=None).run(pixels, numbers, context, gathered, "hwc")
        out = self.pool.empty(gathered.shape, np.float32)
        factors, biases = scales_of_values(scale, shape[2], shape[0] * shape[1], planes=False)
        values = torch.from_numpy(out.reshape(len(out), -1))
        values.copy_(torch.from_numpy(gathered.reshape(len(out), -1)))
        values.mul_(torch.from_numpy(factors)).add_(torch.from_numpy(biases))
        return out


def _tensor(values: Any, _: str = "") -> Any:
    return each_array(values, _from_numpy)


def _from_numpy(array: Any) -> Any:
    if not isinstance(array, np.ndarray):
        return int(array)  # a date in a row
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _channels_first(array: np.ndarray) -> Any:
    """Return a tensor (…, channels, height, width) that shares the memory of the array."""
    return _from_numpy(array).movedim(-1, -3)
