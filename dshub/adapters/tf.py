"""TensorFlow: a `tf.data.Dataset` of rows or batches, with static shapes and a known length.

Arrays become tensors of the same shape and dtype. Text and files become `tf.string`. If the rows of
a column differ in length, as in lists and audio, a batch is a `tf.RaggedTensor`. A batch of images
that differ in size raises an error. Whole batches are passed to TensorFlow without copying if their
memory is aligned. Rows of equal shape are passed in blocks.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from dshub.adapters import convert, missing_error
from dshub.catalog.features import (
    AudioFeature,
    DateFeature,
    Feature,
    ImageFeature,
    ListFeature,
    MaskFeature,
    StructFeature,
    describe,
)
from dshub.catalog.manifest import AnyPair, Inputs, pair_columns
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError, needs
from dshub.loading.loader import Loader, cursor_of
from dshub.loading.options import image_files
from dshub.loading.pairs import is_single
from dshub.tables.types import row_dtype, row_shape

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # hide startup messages
with needs("tensorflow", extra="tf"):
    import tensorflow as tf

BLOCK = 1024  # rows passed to TensorFlow at a time
MAX_ITERATIONS = 8  # maximum number of iterations of a loader in progress


def rows(dataset: Dataset, *, supervised: bool | AnyPair = False) -> Any:
    """Return a `tf.data.Dataset` of rows as dicts, in dataset order.

    In `element_spec`, dimensions that differ between rows are None.

    Args:
        dataset: dataset of the rows.
        supervised: True or a pair of columns to get rows `(x, y)`; see `Dataset.batches`.

    Raises:
        ArgumentError, UnknownNameError: `supervised` does not name a pair of columns.
    """
    pair = dataset.pair(supervised)
    tensors = _rows(dataset if pair is None else dataset.columns(pair_columns(pair)))
    if pair is not None:
        tensors = tensors.map(lambda row: tuple(_part(row, part, dataset) for part in pair))
    return tensors.apply(tf.data.experimental.assert_cardinality(len(dataset)))


def _part(row: Any, part: Inputs, dataset: Dataset) -> Any:
    """Return x or y of a row."""
    if isinstance(part, str):
        return row[part]
    if all(map(is_single, (dataset.features[name] for name in part))):
        values = [row[name] for name in part]
        kinds = {value.dtype for value in values}
        return tf.stack(values if len(kinds) == 1 else [tf.cast(v, tf.float64) for v in values])
    return {name: row[name] for name in part}


def _check_features(features: Mapping[str, Feature]) -> None:
    """Refuse features that no tensor can hold."""
    for name, feature in features.items():
        of = feature.of if isinstance(feature, ListFeature) else feature
        is_nested = isinstance(feature, ListFeature) and isinstance(of, ListFeature)
        if is_nested or isinstance(of, StructFeature):
            flat = f'make its fields columns with ds.flatten("{name}"), or '
            raise DshubError(
                f"column {name} is a {describe(feature)}, which tensors cannot hold",
                hint=f"{flat if isinstance(feature, StructFeature) else ''}leave it out with "
                f'ds.without(["{name}"]), or convert it with ds.map',
            )


def _rows(dataset: Dataset) -> Any:
    features = dataset.features
    _check_features(features)
    if dataset.encoded or any(isinstance(item, ListFeature) for item in features.values()):
        signature = {name: _row_spec(dataset, name) for name in features}
        return tf.data.Dataset.from_generator(
            lambda: (convert(row, _checked) for row in dataset), output_signature=signature
        )
    transfer = _Transfer(dataset[:0], None)

    def block(start: Any) -> Any:
        return transfer.parts(dataset[int(start) : int(start) + BLOCK])

    starts = tf.data.Dataset.range(0, len(dataset), BLOCK)
    return starts.map(lambda start: transfer.tensors(block, start)).unbatch()


def _row_spec(dataset: Dataset, name: str) -> Any:
    feature = dataset.features[name]
    if name in dataset.encoded:
        if isinstance(feature, AudioFeature):
            if not feature.channels:
                return tf.TensorSpec(None, tf.int16)
            channels = () if feature.channels == 1 else (feature.channels,)
            return tf.TensorSpec((None, *channels), tf.int16)
        if isinstance(feature, MaskFeature):
            return tf.TensorSpec(feature.shape or (None, None), feature.dtype)
        if isinstance(feature, ImageFeature):
            depth = 3 if feature.dtype == "uint8" else None
            return tf.TensorSpec(feature.shape or (None, None, depth), feature.dtype)
    lengths = (None,) if isinstance(feature, ListFeature) else ()
    item = feature.of if isinstance(feature, ListFeature) else feature
    dtype = np.int64 if isinstance(item, DateFeature) else row_dtype(item) or tf.string
    return tf.TensorSpec((*lengths, *row_shape(item)), dtype)


def batches(loader: Loader) -> Any:
    """Return a `tf.data.Dataset` of batches: dicts, or `(x, y)` if `supervised` is set.

    Each iteration is an epoch of the loader, so `model.fit(…, epochs=5)` uses five orders. The
    number of rows is static if all batches have the same size. The length is known unless the
    loader resumes within an epoch, because that epoch is shorter than later epochs.

    Loader threads prefetch batches, and TensorFlow receives each batch on request.
    `loader.state_dict()` counts the requested batches. If a later step requests batches in advance,
    such as `prefetch`, count the used batches and call `loader.state_after` instead.

    Raises:
        DshubError: images differ in size, and no transform converts them to one array.
    """
    cursor = cursor_of(loader)
    if not loader.options.transforms:
        _check_features(loader.rows.features)
    first = cursor.batch(0, loader.epoch)
    images = [*loader.rows.image_columns, *image_files(loader.rows)]
    convert(first, partial(_check_images, images=images), loader.pair)
    transfer = _Transfer(first, loader.options.size if _is_even(loader) else None)
    iterations = _Iterations(loader)

    def step(number: Any) -> Any:
        return transfer.parts(iterations.step(int(number)))

    def epoch(_: Any) -> Any:
        number, count = tf.numpy_function(iterations.begin, [], [tf.int64, tf.int64])
        return tf.data.Dataset.range(count).map(lambda _: transfer.tensors(step, number))

    tensors = tf.data.Dataset.range(1).flat_map(epoch)
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False  # it would request batches in advance
    tensors = tensors.with_options(options)
    if len(cursor.starts()) == len(loader):
        tensors = tensors.apply(tf.data.experimental.assert_cardinality(len(loader)))
    return tensors


def _is_even(loader: Loader) -> bool:
    """Return True if all batches of the resumed epoch and of later epochs are equally large."""
    if loader.options.on_error == "skip":
        return False
    starts = {0, *cursor_of(loader).starts()[:1]}
    size = loader.options.size
    return loader.options.drop_last or all(loader.share.count(s) % size == 0 for s in starts)


def _check_images(values: Any, name: str, images: Sequence[str]) -> None:
    """Reject lists of images, because a ragged tensor has only one varying length per row."""
    if isinstance(values, list) and name in images:
        raise DshubError(
            f"images of column {name} can differ in size, so a batch cannot be one tensor",
            hint="resize them in `batches(…, transform=…)`, or use ds.tf().map(…).batch(…)",
        )


class _Iterations:
    """Iterations of a loader in progress, by number.

    TensorFlow does not report dropped iterators, so only the latest ones are kept.
    """

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._open: dict[int, list[Any]] = {}  # iterator and remaining batches by number
        self._started = 0

    def begin(self) -> tuple[np.int64, np.int64]:
        """Start an iteration, and return its number and its number of batches."""
        while len(self._open) >= MAX_ITERATIONS:
            del self._open[next(iter(self._open))]
        self._started += 1
        count = len(cursor_of(self._loader).starts())
        self._open[self._started] = [iter(self._loader), count]
        if not count:
            self._end(self._started)
        return np.int64(self._started), np.int64(count)

    def step(self, number: int) -> Any:
        """Return the next batch of an iteration; the last batch ends the loader's epoch."""
        if number not in self._open:
            raise DshubError(
                f"this iteration was dropped, because {MAX_ITERATIONS} newer iterations of its "
                "loader have started",
                hint="use a separate loader for each concurrent iteration",
            )
        iteration = self._open[number]
        batch = next(iteration[0])
        iteration[1] -= 1
        if not iteration[1]:
            self._end(number)
        return batch

    def _end(self, number: int) -> None:
        next(self._open.pop(number)[0], None)


class _Transfer:
    """Pass batches of one structure to a TensorFlow graph.

    `tf.data.Dataset.from_generator` does the same, but takes 1.4 times as long, or six times as
    long for ragged columns.

    Args:
        sample: example of a batch, which is a dict of columns or a tuple.
        size: number of rows in every batch, or None if it varies.
    """

    def __init__(self, sample: Any, size: int | None) -> None:
        sample = convert(sample, _checked)
        self._names = None if isinstance(sample, tuple) else list(sample)
        self._specs = [_spec(values, size) for values in _columns(sample)]
        self._kinds: list[Any] = []
        for spec in self._specs:
            ragged = isinstance(spec, tf.RaggedTensorSpec)
            self._kinds += [spec.dtype, tf.int64] if ragged else [spec.dtype]

    def parts(self, batch: Any) -> list[np.ndarray]:
        """Convert a batch to arrays: one per column, or two per ragged column."""
        return [part for values in _columns(convert(batch, _checked)) for part in _parts(values)]

    def tensors(self, function: Any, argument: Any) -> Any:
        """Call a function that returns `parts` in a graph, and convert its result to tensors."""
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


def _checked(values: Any, name: str) -> Any:
    """Return values unchanged; raise DshubError for None, which TensorFlow cannot hold."""
    if values is None or (isinstance(values, list) and any(value is None for value in values)):
        raise missing_error(name)
    return values


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
