"""TensorFlow: `tf.data.Dataset` of rows or of batches, with static shapes and a known length.

Arrays become tensors of the same shape and dtype, text and files become `tf.string`. Where rows
differ in length, as lists and recordings do, a batch is a `tf.RaggedTensor`; a batch of pictures
of several sizes is an error. Whole batches cross into TensorFlow at once, without a copy where
their memory is aligned; rows of one shape are read in blocks and taken apart there.
"""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from dshub.catalog.features import AudioFeature, ImageFeature, ListFeature
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError, MissingExtraError
from dshub.loading.loader import Loader, walk_of
from dshub.tables.types import row_dtype, row_shape

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # its greeting is no message of ours
try:
    import tensorflow as tf
except ImportError as error:
    raise MissingExtraError(package="tensorflow", extra="tf") from error

BLOCK = 1024  # rows that cross at a time where rows are asked for
WALKS = 8  # iterations of one loader that may be under way at a time


def rows(dataset: Dataset, *, supervised: bool = False) -> Any:
    """A `tf.data.Dataset` of rows as dicts, in the dataset's order.

    Lengths that differ from row to row are None in its specification.

    Args:
        dataset: of the rows.
        supervised: rows are `(x, y)`.

    Raises:
        DshubError: `supervised`, but the rows do not say which columns that means.
    """
    if supervised and dataset.supervised is None:
        raise DshubError(
            "these rows do not say which columns (x, y) means",
            hint="Dataset.from_arrays(…, supervised=(…, …)), or map the rows",
        )
    chosen = dataset.columns(dataset.supervised) if supervised and dataset.supervised else dataset
    found = _rows(chosen)
    if supervised:
        found = found.map(lambda row: tuple(row[name] for name in chosen.features))
    return found.apply(tf.data.experimental.assert_cardinality(len(dataset)))


def _rows(dataset: Dataset) -> Any:
    if any(_varies(dataset, name) for name in dataset.features):
        signature = {name: _row_spec(dataset, name) for name in dataset.features}
        return tf.data.Dataset.from_generator(lambda: iter(dataset), output_signature=signature)
    crossing = _Crossing(dataset[:0], None)

    def block(start: Any) -> Any:
        return crossing.parts(dataset[int(start) : int(start) + BLOCK])

    starts = tf.data.Dataset.range(0, len(dataset), BLOCK)
    return starts.map(lambda start: crossing.tensors(block, start)).unbatch()


def _varies(dataset: Dataset, name: str) -> bool:
    """Whether rows of a column are decoded, or of several shapes: they cross one by one."""
    return name in dataset.encoded or isinstance(dataset.features[name], ListFeature)


def _row_spec(dataset: Dataset, name: str) -> Any:
    """What one row of a column looks like."""
    feature = dataset.features[name]
    if name in dataset.encoded:
        if isinstance(feature, AudioFeature):
            more = () if feature.channels == 1 else (feature.channels,)
            return tf.TensorSpec((None, *more), tf.int16)
        shape = feature.shape if isinstance(feature, ImageFeature) else ()
        return tf.TensorSpec(shape or (None, None, 3), tf.uint8)
    lengths = (None,) if isinstance(feature, ListFeature) else ()
    item = feature.of if isinstance(feature, ListFeature) else feature
    dtype = row_dtype(item)
    wanted = tf.string if dtype is None else tf.as_dtype(dtype)
    return tf.TensorSpec((*lengths, *row_shape(item)), wanted)


def batches(loader: Loader) -> Any:
    """A `tf.data.Dataset` of batches: dicts, or `(x, y)` where the loader is supervised.

    Iterating it is an epoch of the loader, so `model.fit(…, epochs=5)` sees five orders. The
    number of rows in a batch is static where all batches have it. The length is known, unless
    the loader goes on amid an epoch: that one is shorter than those after it.

    The loader's threads make batches ahead, and hand each over when it is asked for: as long as
    nothing behind this dataset takes some ahead, as `prefetch` does, `loader.state_dict()` counts
    what was used. Where something does, whoever counts what was used asks `loader.state_after`.

    Raises:
        DshubError: pictures differ in size, and no transform makes one array of them.
    """
    place = walk_of(loader)
    first = place.batch(0, loader.epoch)
    _refuse_pictures(loader, first)
    crossing = _Crossing(first, loader.options.size if _is_even(loader) else None)
    walks = _Walks(loader)

    def step(walk: Any) -> Any:
        return crossing.parts(walks.step(int(walk)))

    def walk(_: Any) -> Any:
        number, count = tf.numpy_function(walks.begin, [], [tf.int64, tf.int64])
        return tf.data.Dataset.range(count).map(lambda _: crossing.tensors(step, number))

    found = tf.data.Dataset.range(1).flat_map(walk)
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False  # it would take batches ahead
    found = found.with_options(options)
    if len(place.starts()) == len(loader):
        found = found.apply(tf.data.experimental.assert_cardinality(len(loader)))
    return found


def _is_even(loader: Loader) -> bool:
    """Whether all batches have as many rows, of the epoch that is gone on with and all others."""
    starts = {0, *walk_of(loader).starts()[:1]}
    size = loader.options.size
    return loader.options.drop_last or all(loader.share.count(s) % size == 0 for s in starts)


class _Walks:
    """The iterations of a loader that are under way, by number.

    TensorFlow does not say when it drops an iterator, so only the last few are kept.
    """

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._open: dict[int, Iterator[Any]] = {}
        self._left: dict[int, int] = {}
        self._begun = 0

    def begin(self) -> tuple[np.int64, np.int64]:
        """The number of a new iteration, and of its batches."""
        while len(self._open) >= WALKS:
            del self._open[next(iter(self._open))]
        self._begun += 1
        count = len(walk_of(self._loader).starts())
        self._open[self._begun], self._left[self._begun] = iter(self._loader), count
        if not count:
            self._end(self._begun)
        return np.int64(self._begun), np.int64(count)

    def step(self, number: int) -> Any:
        """The next batch of an iteration; with its last one the loader's epoch has ended."""
        if number not in self._open:
            raise DshubError(
                f"this iteration was dropped: {WALKS} others of its loader were begun since",
                hint="make a loader for each",
            )
        batch = next(self._open[number])
        self._left[number] -= 1
        if not self._left[number]:
            self._end(number)
        return batch

    def _end(self, number: int) -> None:
        next(self._open.pop(number), None)


def _refuse_pictures(loader: Loader, batch: Any) -> None:
    """A ragged tensor would have two lengths for each picture, and no layer takes it."""
    pair = loader.rows.supervised
    named = dict(zip(pair or (), batch, strict=False)) if isinstance(batch, tuple) else batch
    for name, values in named.items():
        if isinstance(values, list) and name in loader.rows.pictures:
            raise DshubError(
                f"pictures of column {name} may differ in size: they make no tensor",
                hint="make one array of them in `batches(…, transform=…)`; or map ds.tf(), whose "
                "rows are pictures, to one size and batch it",
            )


class _Crossing:
    """How batches that look like one another cross into a graph of TensorFlow.

    Args:
        sample: one of them: a dict of columns, or a tuple.
        size: rows of all of them, or None where it varies.
    """

    def __init__(self, sample: Any, size: int | None) -> None:
        self._names = None if isinstance(sample, tuple) else list(sample)
        columns = sample if isinstance(sample, tuple) else sample.values()
        self._specs = [_spec(values, size) for values in columns]
        self._kinds: list[Any] = []
        for spec in self._specs:
            ragged = isinstance(spec, tf.RaggedTensorSpec)
            self._kinds += [spec.dtype, tf.int64] if ragged else [spec.dtype]

    def parts(self, batch: Any) -> list[np.ndarray]:
        """A batch as arrays, one for each column, or two for one that is ragged."""
        found: list[np.ndarray] = []
        for values in batch if isinstance(batch, tuple) else batch.values():
            found += _parts(values)
        return found

    def tensors(self, function: Any, argument: Any) -> Any:
        """Within a graph: what a Python function that returns `parts` makes of a tensor."""
        made = iter(tf.numpy_function(function, [argument], self._kinds))
        columns = [self._column(spec, made) for spec in self._specs]
        names = self._names
        return tuple(columns) if names is None else dict(zip(names, columns, strict=True))

    def _column(self, spec: Any, made: Iterator[Any]) -> Any:
        values = next(made)
        if not isinstance(spec, tf.RaggedTensorSpec):
            return tf.ensure_shape(values, spec.shape)
        rows, _, *shape = spec.shape
        lengths = tf.ensure_shape(next(made), (rows,))
        values = tf.ensure_shape(values, (None, *shape))
        return tf.RaggedTensor.from_row_lengths(values, lengths, validate=False)


def _parts(values: Any) -> list[np.ndarray]:
    if isinstance(values, np.ndarray):
        return [values]
    if not _is_ragged(values):
        return [np.array(values, object)]
    lengths = np.array([len(row) for row in values], np.int64)
    if isinstance(values[0], list):
        return [np.array([text for row in values for text in row], object), lengths]
    return [np.concatenate(values), lengths]


def _is_ragged(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and not isinstance(values[0], str | bytes)


def _spec(values: Any, size: int | None) -> Any:
    if _is_ragged(values):
        first = values[0]
        kind = tf.string if isinstance(first, list) else tf.as_dtype(first.dtype)
        return tf.RaggedTensorSpec((size, None, *np.shape(first)[1:]), kind, ragged_rank=1)
    if isinstance(values, list):
        return tf.TensorSpec((size,), tf.string)
    return tf.TensorSpec((size, *values.shape[1:]), tf.as_dtype(values.dtype))
