"""Moving and cutting pictures of one size."""

from dataclasses import dataclass

import numpy as np

from dshub.transforms.transform import Batch, Context

Offsets = tuple[np.ndarray, np.ndarray]


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


@dataclass(frozen=True)
class RandomCrop:
    """A part of each picture, from a place of its own; as torchvision's of the same name.

    Attributes:
        size: height and width; the picture's own where None.
        padding: pixels of 0 around each picture before it is cut.
    """

    size: int | tuple[int, int] | None = None
    padding: int = 0

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what comes out."""
        wanted = (height, width) if self.size is None else _pair(self.size)
        if wanted[0] > height + 2 * self.padding or wanted[1] > width + 2 * self.padding:
            raise ValueError(
                f"no {wanted[0]}x{wanted[1]} can be cut from {height}x{width} "
                f"with {self.padding} pixels around"
            )
        return wanted

    def offsets(self, context: Context, height: int, width: int) -> Offsets:
        """Row and column, int64 (rows,), of the upper left corner; below 0 within the padding."""
        down, right = self.target(height, width)
        rows = context.draws.integers(height + 2 * self.padding - down + 1, 0) - self.padding
        columns = context.draws.integers(width + 2 * self.padding - right + 1, 1) - self.padding
        return rows, columns

    def apply(self, batch: Batch, context: Context) -> Batch:
        for name in context.pictures:
            pictures = batch[name]
            _, height, width, _ = pictures.shape
            down, right = self.target(height, width)
            rows, columns = self.offsets(context, height, width)
            around = ((0, 0), (self.padding,) * 2, (self.padding,) * 2, (0, 0))
            padded = np.pad(pictures, around)
            found = np.empty((len(pictures), down, right, pictures.shape[3]), pictures.dtype)
            for i, (y, x) in enumerate(
                zip(rows + self.padding, columns + self.padding, strict=True)
            ):
                found[i] = padded[i, y : y + down, x : x + right]
            batch[name] = found
        return batch


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Left and right change places, in a share of the rows."""

    probability: float = 0.5

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
    """The middle of each picture, `size` high and wide; also of pictures that differ in size."""

    size: int | tuple[int, int]

    def apply(self, batch: Batch, context: Context) -> Batch:
        for name in context.pictures:
            cut = [self._cut(picture) for picture in batch[name]]
            batch[name] = np.stack(cut) if cut else np.empty((0, *_pair(self.size), 3), np.uint8)
        return batch

    def _cut(self, picture: np.ndarray) -> np.ndarray:
        down, right = _pair(self.size)
        height, width = picture.shape[:2]
        if down > height or right > width:
            raise ValueError(f"no {down}x{right} can be cut from {height}x{width}; Resize it first")
        y, x = (height - down) // 2, (width - right) // 2
        found: np.ndarray = picture[y : y + down, x : x + right]
        return found
