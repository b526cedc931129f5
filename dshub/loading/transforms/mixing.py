"""Classes as vectors, and pictures of two rows in one.

A row is mixed with another of its batch, so with which depends on the batch: the one exception
to "the same for a row whatever the batch".
"""

from dataclasses import dataclass

import numpy as np

from dshub._validate import above, number
from dshub.catalog.features import LabelFeature
from dshub.loading.transforms.transform import Batch, Context, array_of


def one_hot(labels: np.ndarray, classes: int, smoothing: float = 0) -> np.ndarray:
    """float32 (rows, classes): 1 at each row's class, with `smoothing` spread over all."""
    found = np.full((len(labels), classes), smoothing / classes, np.float32)
    found[np.arange(len(labels)), labels] += 1 - smoothing
    return found


def _smoothed(vectors: np.ndarray, smoothing: float) -> np.ndarray:
    """float32 (rows, classes), the same formula for what are vectors already."""
    found: np.ndarray = vectors * np.float32(1 - smoothing)
    found += np.float32(smoothing / vectors.shape[1])
    return found


def _classes(context: Context, name: str) -> int:
    feature = context.features[name]
    if not isinstance(feature, LabelFeature):
        raise TypeError(f"column {name} holds no classes")
    return len(feature.names)


def _vectors(batch: Batch, context: Context) -> Batch:
    """The batch with every column of classes as vectors."""
    for name in context.labels:
        if batch[name].ndim == 1:
            batch[name] = one_hot(batch[name], _classes(context, name))
    return batch


@dataclass(frozen=True)
class OneHot:
    """Every column of classes as float32 (rows, classes); what MixUp made so is only smoothed.

    Attributes:
        smoothing: how much of each row's 1 is spread over all classes.

    Raises:
        ArgumentError: a smoothing that is not from 0 to 1.
    """

    smoothing: float = 0

    def __post_init__(self) -> None:
        number("smoothing of OneHot", self.smoothing, least=0, most=1)

    def apply(self, batch: Batch, context: Context) -> Batch:
        for name in context.labels:
            if batch[name].ndim == 1:
                batch[name] = one_hot(batch[name], _classes(context, name), self.smoothing)
            else:
                batch[name] = _smoothed(batch[name], self.smoothing)
        return batch


@dataclass(frozen=True)
class MixUp:
    """Each picture and its class blended with those of another row (Zhang and others, 2017).

    Classes become vectors, pictures float32. The share is drawn from Beta(alpha, alpha), for each
    row.

    Raises:
        ArgumentError: an alpha that is not above 0.
        DshubError: later, where pictures may differ in size.
    """

    alpha: float = 0.2

    def __post_init__(self) -> None:
        above("alpha of MixUp", self.alpha)

    def apply(self, batch: Batch, context: Context) -> Batch:
        batch = _vectors(batch, context)
        generator = context.draws.generator()
        rows = len(context.draws.rows)
        partner = generator.permutation(rows)
        share = generator.beta(self.alpha, self.alpha, rows).astype(np.float32)
        for name in (*context.pictures, *context.labels):
            values = array_of(batch[name], "MixUp", name).astype(np.float32, copy=False)
            own = share.reshape(-1, *[1] * (values.ndim - 1))
            batch[name] = values * own + values[partner] * (1 - own)
        return batch


@dataclass(frozen=True)
class CutMix:
    """A rectangle of each picture from another row, its class by area (Yun and others, 2019).

    Classes become vectors. The area is drawn from Beta(alpha, alpha), for each row.

    Raises:
        ArgumentError: an alpha that is not above 0.
        DshubError: later, where pictures may differ in size.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        above("alpha of CutMix", self.alpha)

    def apply(self, batch: Batch, context: Context) -> Batch:
        batch = _vectors(batch, context)
        generator = context.draws.generator()
        rows = len(context.draws.rows)
        partner = generator.permutation(rows)
        side = np.sqrt(1 - generator.beta(self.alpha, self.alpha, rows))
        places = generator.random((rows, 2))
        kept = np.ones(rows, np.float32)
        for name in context.pictures:
            pictures = array_of(batch[name], "CutMix", name)
            mixed = pictures.copy()
            _, height, width, _ = pictures.shape
            for i in range(rows):
                down, right = round(height * side[i]), round(width * side[i])
                y = int(places[i, 0] * (height - down + 1))
                x = int(places[i, 1] * (width - right + 1))
                part = slice(y, y + down), slice(x, x + right)
                mixed[i][part] = pictures[partner[i]][part]
                kept[i] = 1 - down * right / (height * width)
            batch[name] = mixed
        for name in context.labels:
            vectors = batch[name]
            batch[name] = vectors * kept[:, None] + vectors[partner] * (1 - kept[:, None])
        return batch
