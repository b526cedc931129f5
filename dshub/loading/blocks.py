"""Images of one shape in several arrays, such as the shards of a table."""

from collections.abc import Callable, Iterator
from itertools import starmap

import numpy as np

PART = 8  # images per part, which stay in the cache of a core


class ImageBlocks:
    """Images in several arrays, numbered like those of one array.

    Args:
        starts: number of the first image of each array, and the total number, int64.
        block: function that returns an array by its index, uint8 (images, height, width, channels).
        shape: height, width and channels of all images.
    """

    def __init__(
        self, starts: np.ndarray, block: Callable[[int], np.ndarray], shape: tuple[int, ...]
    ) -> None:
        self._starts, self._block = starts, block
        self.shape = (int(starts[-1]), *shape)

    def parts(
        self, rows: np.ndarray, corners: np.ndarray | None, size: tuple[int, int]
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Copy crops of images into reused memory, and yield the positions and pixels of each part.

        Args:
            rows: numbers of the images, int64.
            corners: row and column of the top-left pixel of each crop, int64 (rows, 2), or None to
                start at the top left. Crops must lie within the images.
            size: height and width of the crops.
        """
        blocks = np.searchsorted(self._starts, rows, side="right") - 1
        inside = (rows - self._starts[blocks]).tolist()
        sources = list(zip(blocks.tolist(), inside, strict=True))
        places = [(0, 0)] * len(rows) if corners is None else corners.tolist()
        memory = np.empty((min(PART, len(rows)), *size, self.shape[3]), np.uint8)
        down, right = size
        for start in range(0, len(rows), PART):
            chosen = slice(start, min(start + PART, len(rows)))
            part = memory[: chosen.stop - start]
            images = starmap(self._image, sources[chosen])
            for target, image, (y, x) in zip(part, images, places[chosen], strict=True):
                target[...] = image[y : y + down, x : x + right]
            yield chosen, part

    def __getitem__(self, row: int) -> np.ndarray:
        """Return an image as a view, uint8 (height, width, channels)."""
        block = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._image(block, row - int(self._starts[block]))

    def _image(self, block: int, row: int) -> np.ndarray:
        image: np.ndarray = self._block(block)[row]
        return image
