"""Moving and cutting pictures of one size."""

from dataclasses import dataclass

import numpy as np

from dshub._validate import number, whole
from dshub.loading.transforms.transform import Batch, Context, Size, pair, size_of, too_large

Offsets = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class RandomCrop:
    """A part of each picture, from a place of its own; as torchvision's of the same name.

    Of pictures that differ in size it makes one array where `size` is given, and a list where not.

    Attributes:
        size: height and width; the picture's own where None.
        padding: pixels of 0 around each picture before it is cut.

    Raises:
        ArgumentError: a size below 1, or a padding below 0.
    """

    size: Size | None = None
    padding: int = 0

    def __post_init__(self) -> None:
        if self.size is not None:
            object.__setattr__(self, "size", size_of("size of RandomCrop", self.size))
        whole("padding of RandomCrop", self.padding, least=0)

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what comes out; raises ArgumentError if there is less."""
        wanted = (height, width) if self.size is None else pair(self.size)
        around = 2 * self.padding
        if wanted[0] > height + around or wanted[1] > width + around:
            raise too_large("RandomCrop", wanted, height + around, width + around)
        return wanted

    def offsets(self, context: Context, height: int, width: int) -> Offsets:
        """Row and column, int64 (rows,), of the upper left corner; below 0 within the padding."""
        down, right = self.target(height, width)
        rows = context.draws.integers(height + 2 * self.padding - down + 1, 0) - self.padding
        columns = context.draws.integers(width + 2 * self.padding - right + 1, 1) - self.padding
        return rows, columns

    def apply(self, batch: Batch, context: Context) -> Batch:
        drawn = np.stack([context.draws.uniform(0), context.draws.uniform(1)], axis=1)
        for name in context.pictures:
            found = [
                self._cut(picture, *place.tolist())
                for picture, place in zip(batch[name], drawn, strict=True)
            ]
            whole_column = self.size is not None or isinstance(batch[name], np.ndarray)
            batch[name] = np.stack(found) if whole_column and found else found
        return batch

    def _cut(self, picture: np.ndarray, y: float, x: float) -> np.ndarray:
        """A part of one picture, where its draws of 0 to 1 say."""
        height, width, channels = picture.shape
        down, right = self.target(height, width)
        around = self.padding
        top = int(y * (height + 2 * around - down + 1)) - around
        left = int(x * (width + 2 * around - right + 1)) - around
        found = np.zeros((down, right, channels), picture.dtype)
        rows = slice(max(0, top), min(height, top + down))
        columns = slice(max(0, left), min(width, left + right))
        part = picture[rows, columns]
        y_to, x_to = rows.start - top, columns.start - left
        found[y_to : y_to + part.shape[0], x_to : x_to + part.shape[1]] = part
        return found


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Left and right change places, in a share of the rows.

    Raises:
        ArgumentError: a probability that is not from 0 to 1.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        number("probability of RandomHorizontalFlip", self.probability, least=0, most=1)

    def flipped(self, context: Context) -> np.ndarray:
        """Bool (rows,): which."""
        return context.draws.uniform() < self.probability

    def apply(self, batch: Batch, context: Context) -> Batch:
        flipped = self.flipped(context)
        for name in context.pictures:
            pictures = batch[name]
            if isinstance(pictures, list):
                batch[name] = [
                    picture[:, ::-1] if flip else picture
                    for picture, flip in zip(pictures, flipped, strict=True)
                ]
            else:
                turned = np.where(flipped[:, None, None, None], pictures[:, :, ::-1], pictures)
                batch[name] = turned
        return batch


@dataclass(frozen=True)
class CenterCrop:
    """The middle of each picture, `size` high and wide; also of pictures that differ in size.

    Raises:
        ArgumentError: a size below 1.
    """

    size: Size

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", size_of("size of CenterCrop", self.size))

    def apply(self, batch: Batch, context: Context) -> Batch:
        for name in context.pictures:
            cut = [self._cut(picture) for picture in batch[name]]
            batch[name] = np.stack(cut) if cut else np.empty((0, *pair(self.size), 3), np.uint8)
        return batch

    def _cut(self, picture: np.ndarray) -> np.ndarray:
        down, right = pair(self.size)
        height, width = picture.shape[:2]
        if down > height or right > width:
            raise too_large("CenterCrop", (down, right), height, width)
        y, x = (height - down) // 2, (width - right) // 2
        found: np.ndarray = picture[y : y + down, x : x + right]
        return found
