"""TensorFlow: `tf.data.Dataset` of rows or of batches, with static shapes and a known length.

Arrays become tensors of the same shape and dtype; text and files become `tf.string`. Columns whose
rows differ in length, such as lists and audio, become a `tf.RaggedTensor` in a batch; a batch of
images of several sizes is an error. Whole batches cross to TensorFlow without a copy if
their memory is aligned; rows of one shape cross in blocks.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from dshub.adapters import convert
from dshub.catalog.features import AudioFeature, ImageFeature, ListFeature
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError, needs
from dshub.loading.loader import Loader, walk_of
from dshub.tables.types import row_dtype, row_shape

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # without TensorFlow's greeting
with needs("tensorflow", extra="tf"):
    import tensorflow as tf

BLOCK = 1024  # rows that cross at a time if rows are requested
WALKS = 8  # iterations of a loader that can be in progress


def rows(dataset: Dataset, *, supervised: bool = False) -> Any:
    """Return a `tf.data.Dataset` of rows as dicts, in the dataset's order.

    Lengths that differ between rows are None in its specification.

    Args:
        dataset: of the rows.
        supervised: make rows `(x, y)`.

    Raises:
        DshubError: `supervised` is set, but the dataset does not name the columns.
    """
    if supervised and dataset.supervised is None:
        raise DshubError(
            "these rows do not say which columns (x, y) means",
            hint="Dataset.from_arrays(…, supervised=(…, …)), or map the rows",
        )
    chosen = dataset.columns(dataset.supervised) if supervised and dataset.supervised else dataset
    tensors = _rows(chosen)
    if supervised:
        tensors = tensors.map(lambda row: tuple(row[name] for name in chosen.features))
    return tensors.apply(tf.data.experimental.assert_cardinality(len(dataset)))


def _rows(dataset: Dataset) -> Any:
    features = dataset.features
    if dataset.encoded or any(isinstance(item, ListFeature) for item in features.values()):
        signature = {name: _row_spec(dataset, name) for name in features}
        return tf.data.Dataset.from_generator(lambda: iter(dataset), output_signature=signature)
    crossing = _Crossing(dataset[:0], None)

    def block(start: Any) -> Any:
        return crossing.parts(dataset[int(start) : int(start) + BLOCK])

    starts = tf.data.Dataset.range(0, len(dataset), BLOCK)
    return starts.map(lambda start: crossing.tensors(block, start)).unbatch()


def _row_spec(dataset: Dataset, name: str) -> Any:
    feature = dataset.features[name]
    if name in dataset.encoded:
        if isinstance(feature, AudioFeature):
            channels = () if feature.channels == 1 else (feature.channels,)
            return tf.TensorSpec((None, *channels), tf.int16)
        shape = feature.shape if isinstance(feature, ImageFeature) else ()
        return tf.TensorSpec(shape or (None, None, 3), tf.uint8)
    lengths = (None,) if isinstance(feature, ListFeature) else ()
    item = feature.of if isinstance(feature, ListFeature) else feature
    return tf.TensorSpec((*lengths, *row_shape(item)), row_dtype(item) or tf.string)


def batches(loader: Loader) -> Any:
    """Return a `tf.data.Dataset` of batches: dicts, or `(x, y)` if the loader is supervised.

    Iterating it is an epoch of the loader, so `model.fit(…, epochs=5)` sees five orders. The
    number of rows in a batch is static if all batches have it. The length is known, unless the
    loader resumes within an epoch, which is shorter than later ones.

    The loader's threads make batches ahead, and hand each over on request. `loader.state_dict()`
    counts the batches in use, unless something behind this dataset takes some ahead, such as
    `prefetch`; then count them yourself, and call `loader.state_after`.

    Raises:
        DshubError: images differ in size, and no transform makes one array of them.
    """
    place = walk_of(loader)
    first = place.batch(0, loader.epoch)
    convert(first, partial(_check_images, images=loader.rows.image_columns), loader.rows.supervised)
    crossing = _Crossing(first, loader.options.size if _is_even(loader) else None)
    walks = _Walks(loader)

    def step(walk: Any) -> Any:
        return crossing.parts(walks.step(int(walk)))

    def walk(_: Any) -> Any:
        number, count = tf.numpy_function(walks.begin, [], [tf.int64, tf.int64])
        return tf.data.Dataset.range(count).map(lambda _: crossing.tensors(step, number))

    tensors = tf.data.Dataset.range(1).flat_map(walk)
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False  # it would take batches ahead
    tensors = tensors.with_options(options)
    if len(place.starts()) == len(loader):
        tensors = tensors.apply(tf.data.experimental.assert_cardinality(len(loader)))
    return tensors


def _is_even(loader: Loader) -> bool:
    """Check if all batches have as many rows, of the resumed epoch and of all others."""
    starts = {0, *walk_of(loader).starts()[:1]}
    size = loader.options.size
    return loader.options.drop_last or all(loader.share.count(s) % size == 0 for s in starts)


def _check_images(values: Any, name: str, images: Sequence[str]) -> None:
    """Refuse a list: as a ragged tensor, it would have two lengths for each image."""
    if isinstance(values, list) and name in images:
        raise DshubError(
            f"images of column {name} may differ in size, and make no tensor",
            hint="make one array of them in `batches(…, transform=…)`; or map ds.tf(), whose "
            "rows are images, to one size and batch it",
        )


class _Walks:
    """Iterations of a loader in progress, by number.

    TensorFlow does not report dropped iterators, so only the last few are kept.
    """

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._open: dict[int, list[Any]] = {}  # iterator and number of batches left
        self._begun = 0

    def begin(self) -> tuple[np.int64, np.int64]:
        """Begin an iteration; returns its number, and the number of its batches."""
        while len(self._open) >= WALKS:
            del self._open[next(iter(self._open))]
        self._begun += 1
        count = len(walk_of(self._loader).starts())
        self._open[self._begun] = [iter(self._loader), count]
        if not count:
            self._end(self._begun)
        return np.int64(self._begun), np.int64(count)

    def step(self, number: int) -> Any:
        """Return the next batch of an iteration; the last one ends the loader's epoch."""
        if number not in self._open:
            raise DshubError(
                f"this iteration was dropped: {WALKS} newer iterations of its loader have started",
                hint="use a separate loader for each concurrent iteration",
            )
        walk = self._open[number]
        batch = next(walk[0])
        walk[1] -= 1
        if not walk[1]:
            self._end(number)
        return batch

    def _end(self, number: int) -> None:
        next(self._open.pop(number)[0], None)


class _Crossing:
    """Hand batches of one structure over to a graph of TensorFlow.

    `tf.data.Dataset.from_generator` does the same, but takes 1.4 times as long, and for ragged
    columns six times.

    Args:
        sample: a batch: a dict of columns, or a tuple.
        size: number of rows in every batch, or None if it varies.
    """

    def __init__(self, sample: Any, size: int | None) -> None:
        self._names = None if isinstance(sample, tuple) else list(sample)
        self._specs = [_spec(values, size) for values in _columns(sample)]
        self._kinds: list[Any] = []
        for spec in self._specs:
            ragged = isinstance(spec, tf.RaggedTensorSpec)
            self._kinds += [spec.dtype, tf.int64] if ragged else [spec.dtype]

    def parts(self, batch: Any) -> list[np.ndarray]:
        """Convert a batch to arrays: one for each column, two for a ragged one."""
        return [part for values in _columns(batch) for part in _parts(values)]

    def tensors(self, function: Any, argument: Any) -> Any:
        """Within a graph, call a Python function that returns `parts`, and make tensors."""
        parts = iter(tf.numpy_function(function, [argument], self._kinds))
        columns = [self._column(spec, parts) for spec in self._specs]
        names = self._names
        return tuple(columns) if names is None else dict(zip(names, columns, strict=True))

    def _column(self, spec: Any, parts: Iterator[Any]) -> Any:
        values = next(parts)
        if not isinstance(spec, tf.RaggedTensorSpec):
            return tf.ensure_shape(values, spec.shape)
        rows, _, *shape = spec.shape
        lengths = tf.ensure_shape(next(parts), (rows,))
        values = tf.ensure_shape(values, (None, *shape))
        return tf.RaggedTensor.from_row_lengths(values, lengths, validate=False)


def _columns(batch: Any) -> Iterable[Any]:
    return batch if isinstance(batch, tuple) else batch.values()


def _is_ragged(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and not isinstance(values[0], str | bytes)


def _parts(values: Any) -> list[np.ndarray]:
    if isinstance(values, np.ndarray):
        return [values]
    if not _is_ragged(values):
        return [np.array(values, object)]
    lengths = np.array([len(row) for row in values], np.int64)
    if isinstance(values[0], list):
        return [np.array(list(chain.from_iterable(values)), object), lengths]
    return [np.concatenate(values), lengths]


def _spec(values: Any, size: int | None) -> Any:
    if _is_ragged(values):
        first = values[0]
        kind = tf.string if isinstance(first, list) else first.dtype
        return tf.RaggedTensorSpec((size, None, *np.shape(first)[1:]), kind, ragged_rank=1)
    if isinstance(values, list):
        return tf.TensorSpec((size,), tf.string)
    return tf.TensorSpec((size, *values.shape[1:]), values.dtype)
