"""Convert whole splits to arrays, in the shapes of `keras.datasets`."""

from typing import Any

import numpy as np

from dshub.catalog.features import ImageFeature
from dshub.catalog.manifest import AnyPair, pair_columns
from dshub.datasets.dataset import Dataset
from dshub.errors import ArgumentError
from dshub.loading.pairs import check_pair, paired

# dtype of y, and True for y of shape (rows, 1); see https://keras.io/api/datasets/
_KERAS = {
    "mnist": ("uint8", False),
    "fashion-mnist": ("uint8", False),
    "cifar-10": ("uint8", True),
    "cifar-100": ("int64", True),
}


def arrays(dataset: Dataset, name: str, split: str, supervised: AnyPair | None) -> tuple[Any, Any]:
    """Return `(x, y)` of a split as arrays, or dicts of arrays.

    Args:
        dataset: rows of the split.
        name: name of the dataset, for errors.
        split: name of the split, for errors.
        supervised: columns of `(x, y)`; None uses the pair of the dataset.

    Raises:
        ArgumentError: the dataset does not define `(x, y)`, or rows differ in shape.
        UnknownNameError: `supervised` names an unknown column.
    """
    pair = dataset.supervised
    if supervised is not None:
        pair = check_pair(supervised, tuple(dataset.features))
    if pair is None:
        raise _no_pair(dataset, name, split)
    batch = {column: _array(dataset, column, name) for column in pair_columns(pair)}
    x, y = paired(batch, pair, dataset.features)
    manifest = dataset.manifest
    if manifest is not None and manifest.name in _KERAS and supervised is None:
        dtype, is_column = _KERAS[manifest.name]
        y = y.astype(dtype).reshape((-1, 1) if is_column else -1)
    return x, y


def _array(dataset: Dataset, column: str, name: str) -> np.ndarray:
    feature, values = dataset.features[column], dataset[column]
    try:
        array = np.array(values)
    except ValueError as error:  # rows differ in shape
        raise ArgumentError(
            name="name",
            value=name,
            expected=f"a dataset with rows of one shape in column {column} ({error})",
            hint=f"resize images with load({name!r}, split).batches(…, transform=Resize(…))",
        ) from None
    is_gray = isinstance(feature, ImageFeature) and array.ndim == 4 and array.shape[-1] == 1
    return array[..., 0] if is_gray else array


def _no_pair(dataset: Dataset, name: str, split: str) -> ArgumentError:
    manifest = dataset.manifest
    if manifest is not None and manifest.supervised is not None:  # hidden labels
        return ArgumentError(
            name="test",
            value=split,
            expected="a split with labels, because the labels of this split are hidden",
            hint=f'use load_data("{name}", test="validation")',
        )
    columns = ", ".join(dataset.features)
    return ArgumentError(
        name="name",
        value=name,
        expected="a dataset that defines (x, y)",
        hint=f"pass supervised=(x, y) with two of the columns {columns}",
    )
