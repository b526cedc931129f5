"""Blanking out parts of pictures."""

import math
from dataclasses import dataclass

import numpy as np

from dshub.transforms.transform import Batch, Context


@dataclass(frozen=True)
class Cutout:
    """A square of `fill` with its middle anywhere in each picture (DeVries and Taylor, 2017)."""

    size: int
    fill: float = 0

    def apply(self, batch: Batch, context: Context) -> Batch:
        for name in context.pictures:
            pictures = np.array(batch[name])
            _, height, width, _ = pictures.shape
            middles = context.draws.integers(height, 0), context.draws.integers(width, 1)
            for picture, y, x in zip(pictures, *middles, strict=True):
                top, left = y - self.size // 2, x - self.size // 2
                rows = slice(max(0, top), max(0, top + self.size))
                picture[rows, max(0, left) : max(0, left + self.size)] = self.fill
            batch[name] = pictures
        return batch


@dataclass(frozen=True)
class RandomErasing:
    """A rectangle of `fill` within a share of the pictures (Zhong and others, 2017).

    Attributes:
        probability: share of the rows.
        scale: least and largest share of the area.
        ratio: least and largest width / height.
    """

    probability: float = 0.5
    scale: tuple[float, float] = (0.02, 0.33)
    ratio: tuple[float, float] = (0.3, 3.3)
    fill: float = 0

    def apply(self, batch: Batch, context: Context) -> Batch:
        chosen = np.flatnonzero(context.draws.uniform(0) < self.probability)
        draws = np.stack([context.draws.uniform(i) for i in range(1, 5)], axis=1)
        for name in context.pictures:
            pictures = np.array(batch[name])
            for row in chosen:
                self._erase(pictures[row], draws[row])
            batch[name] = pictures
        return batch

    def _erase(self, picture: np.ndarray, drawn: np.ndarray) -> None:
        height, width = picture.shape[:2]
        low, high = self.scale
        area = height * width * (low + (high - low) * drawn[0])
        narrow, wide = (math.log(ratio) for ratio in self.ratio)
        ratio = math.exp(narrow + (wide - narrow) * drawn[1])
        right = min(width, max(1, round(math.sqrt(area * ratio))))
        down = min(height, max(1, round(math.sqrt(area / ratio))))
        y, x = int(drawn[2] * (height - down + 1)), int(drawn[3] * (width - right + 1))
        picture[y : y + down, x : x + right] = self.fill
