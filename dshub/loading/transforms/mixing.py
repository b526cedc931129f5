"""Convert labels to vectors, and blend the images of two rows.

`MixUp` and `CutMix` blend a row with another row of its batch, so the result depends on the batch.
All other transforms change a row in the same way in any batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from dshub._validate import above, number
from dshub.catalog.features import LabelFeature, ListFeature
from dshub.errors import DshubError
from dshub.loading.transforms.callables import BaseTransform
from dshub.loading.transforms.transform import Batch, Context, one_array


def _to_one_hot(batch: Batch, context: Context) -> Batch:
    """Convert label columns to one-hot vectors, float32 (rows, classes).

    Raises:
        DshubError: a column has no feature that shows whether it holds labels.
    """
    others = sorted(batch.keys() - set(context.image_columns))
    if others and not context.features:
        raise DshubError(
            f"cannot tell which columns have labels: {', '.join(others)}",
            hint="pass features=ds.features",
        )
    for name in context.label_columns:
        labels, feature = batch[name], cast("LabelFeature", context.features[name])
        if labels.ndim == 1:
            batch[name] = np.zeros((len(labels), len(feature.names)), np.float32)
            batch[name][np.arange(len(labels)), labels] = 1
    return batch


@dataclass(frozen=True)
class OneHot(BaseTransform):
    """Convert label columns to one-hot vectors, float32 (rows, classes).

    Vectors from `MixUp` and `CutMix` are only smoothed.

    Attributes:
        smoothing: fraction of each 1 that is spread over all classes.

    Raises:
        ArgumentError: `smoothing` is not from 0 to 1.
    """

    smoothing: float = 0

    needs_images: ClassVar[bool] = False

    def __post_init__(self) -> None:
        number("smoothing of OneHot", self.smoothing, least=0, most=1)

    def apply(self, batch: Batch, context: Context) -> Batch:
        batch = _to_one_hot(batch, context)
        for name in context.label_columns if self.smoothing else ():
            vectors = batch[name] * np.float32(1 - self.smoothing)
            batch[name] = vectors + np.float32(self.smoothing / vectors.shape[1])
        return batch


@dataclass(frozen=True)
class MultiHot(BaseTransform):
    """Convert columns of several labels per row to vectors of zeros and ones.

    Columns are lists of labels, such as the tags of an image. The vectors are float32 (rows,
    classes).

    Attributes:
        columns: columns to convert; empty for all lists of labels.

    Raises:
        DshubError: a column is not a list of labels, or the list of a row is missing; raised when
            the transform is applied.
    """

    columns: Sequence[str] = ()

    needs_images: ClassVar[bool] = False

    def __post_init__(self) -> None:
        columns = [self.columns] if isinstance(self.columns, str) else self.columns
        object.__setattr__(self, "columns", tuple(columns))

    def apply(self, batch: Batch, context: Context) -> Batch:
        lists = {
            name: feature.of
            for name, feature in context.features.items()
            if isinstance(feature, ListFeature) and isinstance(feature.of, LabelFeature)
        }
        wrong = [name for name in self.columns if name not in lists]
        if wrong or not lists:
            raise DshubError(
                "MultiHot requires lists of labels"
                + (f", not {', '.join(wrong)}" if wrong else ""),
                hint="convert the column with ds.cast({…: ListFeature(of=LabelFeature(…))})",
            )
        for name in self.columns or lists:
            batch[name] = _multi_hot(batch[name], len(lists[name].names), name)
        return batch


def _multi_hot(rows: Sequence[np.ndarray | None], classes: int, name: str) -> np.ndarray:
    vectors = np.zeros((len(rows), classes), np.float32)
    for vector, labels in zip(vectors, rows, strict=True):
        if labels is None:
            hint = f'drop these rows with ds.drop_missing("{name}")'
            raise DshubError(f"column {name} has rows without a list of labels", hint=hint)
        vector[labels] = 1
    return vectors


@dataclass(frozen=True)
class MixUp(BaseTransform):
    """Blend each image and its label with those of another row (Zhang and others, 2017).

    Labels become vectors, and images become float32. Blending weights are drawn from
    Beta(alpha, alpha) for each row.

    Raises:
        ArgumentError: `alpha` is not above 0.
        DshubError: images can differ in size, or there are masks, which cannot be blended; raised
            when the transform is applied.
    """

    alpha: float = 0.2

    moves = "yes"

    def __post_init__(self) -> None:
        above("alpha of MixUp", self.alpha)

    def apply(self, batch: Batch, context: Context) -> Batch:
        if not context.training:
            return batch
        if context.mask_columns:
            raise DshubError(
                f"MixUp cannot blend the masks of column {context.mask_columns[0]}",
                hint="use CutMix, which pastes a part of the image and of its mask",
            )
        batch = _to_one_hot(batch, context)
        generator = context.draws.generator()
        rows = len(context.draws.rows)
        partner = generator.permutation(rows)
        share = generator.beta(self.alpha, self.alpha, rows).astype(np.float32)
        for name in (*context.image_columns, *context.label_columns):
            values = one_array(batch[name], "MixUp", name).astype(np.float32, copy=False)
            weights = share.reshape(-1, *[1] * (values.ndim - 1))
            batch[name] = values * weights + values[partner] * (1 - weights)
        return batch


@dataclass(frozen=True)
class CutMix(BaseTransform):
    """Paste a rectangle of another row's image, and blend labels by area (Yun and others, 2019).

    Masks get the same rectangle of the other row's mask. Labels become vectors. The area outside
    the rectangle is drawn from Beta(alpha, alpha) for each row.

    Raises:
        ArgumentError: `alpha` is not above 0.
        DshubError: images can differ in size; raised when the transform is applied.
    """

    alpha: float = 1.0

    moves = "yes"

    def __post_init__(self) -> None:
        above("alpha of CutMix", self.alpha)

    def apply(self, batch: Batch, context: Context) -> Batch:
        if not context.training:
            return batch
        batch = _to_one_hot(batch, context)
        generator = context.draws.generator()
        rows = len(context.draws.rows)
        partner = generator.permutation(rows)
        side = np.sqrt(1 - generator.beta(self.alpha, self.alpha, rows))
        places = generator.random((rows, 2))
        kept = np.ones((rows, 1), np.float32)
        for name in (*context.image_columns, *context.mask_columns):
            images = one_array(batch[name], "CutMix", name)
            batch[name] = mixed = images.copy()
            height, width = images.shape[1:3]
            for i in range(rows):
                down, right = round(height * side[i]), round(width * side[i])
                y = int(places[i, 0] * (height - down + 1))
                x = int(places[i, 1] * (width - right + 1))
                part = slice(y, y + down), slice(x, x + right)
                mixed[i][part] = images[partner[i]][part]
                kept[i] = 1 - down * right / (height * width)
        for name in context.label_columns:
            batch[name] = batch[name] * kept + batch[name][partner] * (1 - kept)
        return batch
