"""TensorFlow: `tf.data.Dataset` of rows or of batches, with static shapes and a known length.

Arrays become tensors of the same shape and dtype, text becomes `tf.string`. Whole batches cross
into TensorFlow at once; rows are read in blocks and taken apart there.
"""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from dshub.dataset import Dataset
from dshub.errors import MissingExtraError
from dshub.loader import Batch, Loader

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # its greeting is no message of ours
try:
    import tensorflow as tf
except ImportError as error:
    raise MissingExtraError(package="tensorflow", extra="tf") from error

BLOCK = 1024  # rows that cross at a time where rows are asked for


def rows(dataset: Dataset) -> Any:
    """A `tf.data.Dataset` of rows as dicts, in the dataset's order."""

    def blocks() -> Iterator[Batch]:
        for start in range(0, len(dataset), BLOCK):
            yield dataset[start : start + BLOCK]

    signature = _signature(dataset[:0], None)
    found = tf.data.Dataset.from_generator(blocks, output_signature=signature).unbatch()
    return found.apply(tf.data.experimental.assert_cardinality(len(dataset)))


def batches(loader: Loader) -> Any:
    """A `tf.data.Dataset` of batches: dicts, or `(x, y)` where the loader is supervised.

    Iterating it is an epoch of the loader, so `model.fit(…, epochs=5)` sees five orders. The
    number of rows in a batch is static where all batches have it. The length is known, unless
    the loader goes on amid an epoch: that one is shorter than those after it. Batches are made
    ahead, so keep `state_dict` only between epochs.
    """
    even = loader.plan.drop_last or len(loader.rows) % loader.plan.size == 0
    signature = _signature(loader.batch(0, loader.epoch), loader.plan.size if even else None)
    found = tf.data.Dataset.from_generator(lambda: iter(loader), output_signature=signature)
    if len(loader.positions()) == len(loader):
        found = found.apply(tf.data.experimental.assert_cardinality(len(loader)))
    return found.prefetch(1)


def _signature(batch: Any, size: int | None) -> Any:
    """What the batches look like, taken from one of them."""
    if isinstance(batch, tuple):
        return tuple(_spec(values, size) for values in batch)
    return {name: _spec(values, size) for name, values in batch.items()}


def _spec(values: Any, size: int | None) -> Any:
    if isinstance(values, list):
        return tf.TensorSpec((size,), tf.string)
    values = np.asarray(values)
    return tf.TensorSpec((size, *values.shape[1:]), tf.as_dtype(values.dtype))
