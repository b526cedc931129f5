"""Pictures to one size, by Pillow's bilinear filter (which averages where it shrinks)."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from dshub._validate import interval
from dshub.errors import DshubError
from dshub.loading.transforms.transform import Batch, Context, Size, box, pair, size_of


def resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture, uint8 (height, width, 1 or 3), in another size; raises DshubError for floats."""
    if picture.dtype != np.uint8:
        raise DshubError(
            f"pictures are resized as uint8, and these are {picture.dtype}",
            hint="put it before Normalize, ToFloat and MixUp",
        )
    if picture.shape[:2] == (height, width):
        return picture
    grey = picture.shape[2] == 1
    image = Image.fromarray(picture[:, :, 0] if grey else picture)
    found = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return found[:, :, None] if grey else found


@dataclass(frozen=True)
class Resize:
    """Every picture to one size.

    Attributes:
        size: (height, width); or the length of the shorter side, which keeps proportions.

    Raises:
        ArgumentError: a size below 1.
    """

    size: Size

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", size_of("size of Resize", self.size))

    def apply(self, batch: Batch, context: Context) -> Batch:
        for name in context.pictures:
            found = [resized(picture, *self._target(picture)) for picture in batch[name]]
            same = len({picture.shape for picture in found}) == 1
            batch[name] = np.stack(found) if same else found
        return batch

    def _target(self, picture: np.ndarray) -> tuple[int, int]:
        if not isinstance(self.size, int):
            return self.size
        height, width = picture.shape[:2]
        scale = self.size / min(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))


@dataclass(frozen=True)
class RandomResizedCrop:
    """A random part of each picture, in one size: how ImageNet is trained on.

    Area and proportions are drawn as in torchvision's of the same name (Szegedy and others,
    2014), once for each row; where the part would not fit, as much of the middle as does.

    Attributes:
        size: height and width of what comes out.
        scale: least and largest share of the area.
        ratio: least and largest width / height.

    Raises:
        ArgumentError: a size below 1, or a scale or ratio that cannot be.
    """

    size: Size
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", size_of("size of RandomResizedCrop", self.size))
        interval("scale of RandomResizedCrop", self.scale)
        interval("ratio of RandomResizedCrop", self.ratio, positive=True)

    def apply(self, batch: Batch, context: Context) -> Batch:
        height, width = pair(self.size)
        draws = np.stack([context.draws.uniform(i) for i in range(4)], axis=1)
        for name in context.pictures:
            found = [
                resized(picture[box(picture, self.scale, self.ratio, drawn)], height, width)
                for picture, drawn in zip(batch[name], draws, strict=True)
            ]
            batch[name] = np.stack(found) if found else np.empty((0, height, width, 3), np.uint8)
        return batch
