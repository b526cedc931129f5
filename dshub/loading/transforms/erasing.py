"""Blanking out parts of pictures."""

from dataclasses import dataclass

import numpy as np

from dshub._validate import interval, number, whole
from dshub.errors import ArgumentError
from dshub.loading.transforms.transform import Batch, Context, box, copied


@dataclass(frozen=True)
class Cutout:
    """A square of `fill` with its middle anywhere in each picture (DeVries and Taylor, 2017).

    Attributes:
        size: pixels of a side.
        fill: a value as pixels have it where this transform stands.

    Raises:
        ArgumentError: a size below 0; later, a fill that pixels cannot hold.
    """

    size: int
    fill: float = 0

    def __post_init__(self) -> None:
        whole("size of Cutout", self.size, least=0)
        number("fill of Cutout", self.fill)

    def apply(self, batch: Batch, context: Context) -> Batch:
        middles = context.draws.uniform(0), context.draws.uniform(1)
        for name in context.pictures:
            batch[name] = copied(batch[name])
            for picture, y, x in zip(batch[name], *middles, strict=True):
                height, width = picture.shape[:2]
                top, left = (int(y * height) - self.size // 2, int(x * width) - self.size // 2)
                rows = slice(max(0, top), max(0, top + self.size))
                columns = slice(max(0, left), max(0, left + self.size))
                _fill(picture[rows, columns], self.fill, "Cutout")
        return batch


def _fill(part: np.ndarray, value: float, name: str) -> None:
    """Give all values of a part of a picture, (height, width, channels), one value."""
    if part.dtype == np.uint8 and not 0 <= value <= 255:
        expected = f"from 0 to 255: pixels are uint8 there, unless ToFloat stands before {name}"
        raise ArgumentError(name=f"fill of {name}", value=value, expected=expected)
    part[:] = value


@dataclass(frozen=True)
class RandomErasing:
    """A rectangle of `fill` within a share of the pictures (Zhong and others, 2017).

    Attributes:
        probability: share of the rows.
        scale: least and largest share of the area.
        ratio: least and largest width / height.
        fill: a value as pixels have it where this transform stands.

    Raises:
        ArgumentError: a number that cannot be; later, a fill that pixels cannot hold.
    """

    probability: float = 0.5
    scale: tuple[float, float] = (0.02, 0.33)
    ratio: tuple[float, float] = (0.3, 3.3)
    fill: float = 0

    def __post_init__(self) -> None:
        number("probability of RandomErasing", self.probability, least=0, most=1)
        number("fill of RandomErasing", self.fill)
        interval("scale of RandomErasing", self.scale)
        interval("ratio of RandomErasing", self.ratio, positive=True)

    def apply(self, batch: Batch, context: Context) -> Batch:
        chosen = np.flatnonzero(context.draws.uniform(0) < self.probability)
        draws = np.stack([context.draws.uniform(i) for i in range(1, 5)], axis=1)
        for name in context.pictures:
            batch[name] = copied(batch[name])
            for row in chosen:
                picture = batch[name][row]
                part = box(picture, self.scale, self.ratio, draws[row])
                _fill(picture[part], self.fill, "RandomErasing")
        return batch
