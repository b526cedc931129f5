"""MXNet 1.9.1 (legacy): a gluon `Dataset` of rows, and batches of `NDArray`s.

MXNet is retired. Its last release needs NumPy below 2, and an alias that NumPy 1.24 removed, which
this module adds while it imports MXNet. `dshub.export.recordio` needs neither.

Arrays become `NDArray`s of the same shape and dtype, but int16 and uint16 become int32, and uint32
and uint64 become int64, because MXNet lacks these types. Arrays without values stay NumPy arrays.
Numbers stay Python numbers in a row. Text stays `str`, and files stay `bytes`. If rows differ in
shape, a batch is a list of `NDArray`s. Images are (height, width, channels), as
`gluon.data.vision.transforms.ToTensor` expects.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any
from warnings import catch_warnings

import numpy as np

from dshub.adapters import convert, each_array
from dshub.catalog.manifest import AnyPair
from dshub.datasets.dataset import Dataset
from dshub.errors import ArgumentError, DshubError, needs
from dshub.loading.fetched import rows_of
from dshub.loading.gathering import Gatherer
from dshub.loading.loader import Loader, repeated
from dshub.loading.options import BatchOptions


@contextmanager
def _names_of_old_numpy() -> Iterator[None]:
    """Add the alias `np.bool`, which MXNet needs only while it is imported."""
    missing = "bool" not in vars(np)
    if missing:
        np.bool = np.bool_  # type: ignore[misc]
    try:
        with catch_warnings(action="ignore"):  # of other old names
            yield
    except AttributeError as error:  # a name that NumPy 2 removed
        raise DshubError(
            f"MXNet does not work with NumPy {np.__version__}",
            hint="run `pip install 'dshub[mxnet]'` in a new environment",
        ) from error
    finally:
        if missing:
            del np.bool


with needs("mxnet", extra="mxnet"), _names_of_old_numpy():
    import mxnet

_WIDER = {"int16": "int32", "uint16": "int32", "uint32": "int64", "uint64": "int64"}


def rows(dataset: Dataset, *, supervised: bool | AnyPair = True) -> "GluonRows":
    """Return a gluon `Dataset` of rows for `gluon.data.DataLoader`.

    ``DataLoader(ds.to("mxnet").transform_first(ToTensor()), batch_size=64)``

    Args:
        dataset: dataset of the rows.
        supervised: True or a pair of columns to get rows `(x, y)`. False to get dicts, which
            gluon's `DataLoader` cannot batch by itself.

    Raises:
        ArgumentError, UnknownNameError: `supervised` does not name a pair of columns.
    """
    options = BatchOptions(1, supervised=supervised)
    options.check_columns(dataset)
    return GluonRows(dataset, options)


def batches(loader: Loader, *, ctx: Any = None) -> "GluonBatches":
    """Return batches as dicts of `NDArray`s (size, …), or as `(x, y)` if `supervised` is set.

    Args:
        loader: loader of the batches; each iteration is its next epoch.
        ctx: `mxnet.Context`, such as `mxnet.gpu(0)`, or None for the current one.

    Raises:
        ArgumentError: `ctx` is not a context.
        DshubError: an unsigned 64-bit integer does not fit. Iterating raises this error.
    """
    if ctx is not None and not isinstance(ctx, mxnet.Context):
        raise ArgumentError(name="ctx", value=ctx, expected="a context, such as mxnet.cpu()")
    return GluonBatches(loader, ctx)


class GluonRows(mxnet.gluon.data.Dataset):
    """Rows by number, with gluon's `transform_first`, `shard`, `filter`, `take` and `sample`."""

    def __init__(self, dataset: Dataset, options: BatchOptions) -> None:
        self.dataset, self.options = dataset, options
        self.pair = options.pair(dataset)

    def __repr__(self) -> str:
        return f"<GluonRows of {self.dataset!r}>"

    def __len__(self) -> int:
        return len(self.dataset)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, without the gatherer, which workers create again."""
        return {name: value for name, value in vars(self).items() if name != "_gatherer"}

    def __getitem__(self, idx: Any) -> Any:
        batch = self._gatherer.batch(self.dataset.positions(idx), 0)
        (row,) = rows_of(batch, 1)
        return convert(row, _put_column, self.pair)

    @cached_property
    def _gatherer(self) -> Gatherer:
        return Gatherer(self.dataset, self.options)


class GluonBatches:
    """Batches of a loader. `loader.state_dict()` counts only the yielded batches."""

    def __init__(self, loader: Loader, ctx: Any = None) -> None:
        self.loader, self.ctx = loader, ctx

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        for batch in self.loader:
            yield convert(batch, partial(_put_column, ctx=self.ctx), self.loader.pair)

    def repeat(self, count: int | None = None) -> Iterator[Any]:
        """Yield the batches of `count` epochs, or of all epochs; see `Loader.repeat`."""
        return repeated(self, count)


def _put_column(values: Any, name: str, ctx: Any = None) -> Any:
    return each_array(values, partial(_put_array, name=name, ctx=ctx))


def _put_array(values: np.ndarray, name: str, ctx: Any) -> Any:
    if not values.size:  # MXNet takes a length of 0 for an unknown length
        return values
    if values.dtype == np.uint64 and values.max() > np.iinfo(np.int64).max:
        raise DshubError(
            f"column {name} holds {values.max()}, but MXNet has no unsigned 64-bit type",
            hint="leave the column out",
        )
    return mxnet.nd.array(values, ctx, dtype=_WIDER.get(values.dtype.name, values.dtype))
