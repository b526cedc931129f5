"""TensorFlow: `tf.data.Dataset` of rows or of batches, with static shapes and a known length.

Arrays become tensors of the same shape and dtype, text and files become `tf.string`. Where rows
differ in length, as lists and recordings do, a batch is a `tf.RaggedTensor`; a batch of pictures
of several sizes is an error. Whole batches cross into TensorFlow at once; rows of one shape are
read in blocks and taken apart there.
"""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from dshub.dataset import Dataset
from dshub.errors import DshubError, MissingExtraError
from dshub.loader import Batch, Loader
from dshub.manifest import AudioFeature, ImageFeature, ListFeature
from dshub.schema import row_dtype, row_shape

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # its greeting is no message of ours
try:
    import tensorflow as tf
except ImportError as error:
    raise MissingExtraError(package="tensorflow", extra="tf") from error

BLOCK = 1024  # rows that cross at a time where rows are asked for


def rows(dataset: Dataset) -> Any:
    """A `tf.data.Dataset` of rows as dicts, in the dataset's order.

    Lengths that differ from row to row are None in its specification.
    """
    if any(_varies(dataset, name) for name in dataset.features):
        signature = {name: _row_spec(dataset, name) for name in dataset.features}
        found = tf.data.Dataset.from_generator(lambda: iter(dataset), output_signature=signature)
    else:
        signature = _signature(dataset[:0], None)
        found = tf.data.Dataset.from_generator(
            lambda: _blocks(dataset), output_signature=signature
        ).unbatch()
    return found.apply(tf.data.experimental.assert_cardinality(len(dataset)))


def _blocks(dataset: Dataset) -> Iterator[Batch]:
    for start in range(0, len(dataset), BLOCK):
        yield dataset[start : start + BLOCK]


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
    the loader goes on amid an epoch: that one is shorter than those after it. Batches are made
    ahead, so keep `state_dict` only between epochs.

    Raises:
        DshubError: pictures differ in size, and no transform makes one array of them.
    """
    even = loader.plan.drop_last or len(loader.rows) % loader.plan.size == 0
    first = loader.batch(0, loader.epoch)
    _refuse_pictures(loader, first)
    signature = _signature(first, loader.plan.size if even else None)
    found = tf.data.Dataset.from_generator(lambda: map(_whole, loader), output_signature=signature)
    if len(loader.positions()) == len(loader):
        found = found.apply(tf.data.experimental.assert_cardinality(len(loader)))
    return found.prefetch(1)


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


def _whole(batch: Any) -> Any:
    """A batch whose lists of rows of several lengths are ragged tensors."""
    if isinstance(batch, tuple):
        return tuple(map(_ragged, batch))
    return {name: _ragged(values) for name, values in batch.items()}


def _ragged(values: Any) -> Any:
    if not _is_ragged(values):
        return values
    if isinstance(values[0], list):
        flat = tf.constant([text for row in values for text in row], tf.string)
    else:
        flat = np.concatenate(values)
    return tf.RaggedTensor.from_row_lengths(flat, [len(row) for row in values])


def _is_ragged(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and not isinstance(values[0], str | bytes)


def _signature(batch: Any, size: int | None) -> Any:
    """What the batches look like, taken from one of them."""
    if isinstance(batch, tuple):
        return tuple(_spec(values, size) for values in batch)
    return {name: _spec(values, size) for name, values in batch.items()}


def _spec(values: Any, size: int | None) -> Any:
    if _is_ragged(values):
        first = values[0]
        kind = tf.string if isinstance(first, list) else tf.as_dtype(first.dtype)
        return tf.RaggedTensorSpec((size, None, *np.shape(first)[1:]), kind, ragged_rank=1)
    if isinstance(values, list):
        return tf.TensorSpec((size,), tf.string)
    values = np.asarray(values)
    return tf.TensorSpec((size, *values.shape[1:]), tf.as_dtype(values.dtype))
