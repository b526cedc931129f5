"""Requests to decoders, and their results."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

Order = Literal["rgb", "bgr"]
Kind = Literal["pixels", "values", "classes"]
KEPT = 64 << 20  # bytes of pixels that a thread keeps for the next image


def full_size(height: int, width: int) -> int:
    """Return 1, the divisor of an image that is not scaled."""
    del height, width
    return 1


@dataclass(frozen=True)
class Request:
    """Pixels that a decoder should return.

    Attributes:
        channels: 1 for gray, or 3 for color; 0 for those of the file if the kind is not `pixels`.
        expected: height and width in the manifest, or None. Images of another size are not decoded.
        order: order of the color channels.
        divisor: function that returns 1, 2, 4 or 8 for the height and width of an upright image.
            A JPEG is decoded at this fraction of its size, rounded up; other formats are not
            scaled.
        reuse: whether the pixels can be in memory that the next request of this thread
            overwrites.
        kind: `pixels` for 8-bit pixels, `values` for pixels of any depth, or `classes` for class
            numbers of a mask; see `dshub.loading.decoding.values`.
    """

    channels: int = 3
    expected: tuple[int, int] | None = None
    order: Order = "rgb"
    divisor: Callable[[int, int], int] = full_size
    reuse: bool = False
    kind: Kind = "pixels"

    def refuses(self, height: int, width: int) -> bool:
        """Return True if neither the stored nor the rotated image has the expected size."""
        return self.expected is not None and self.expected not in {(height, width), (width, height)}


class Decoded(NamedTuple):
    """An upright image.

    Attributes:
        pixels: uint8 (height, width, channels), which can be smaller than the image; None if the
            image does not have the expected size. Values and classes have the dtype of the file.
        height, width: size of the image before scaling.
        divisor: divisor of the scaled image, or 1.
    """

    pixels: np.ndarray | None
    height: int
    width: int
    divisor: int = 1


_memory = threading.local()


def buffer(size: int, *, reuse: bool) -> np.ndarray:
    """Return memory for `size` bytes of pixels, of this thread if `reuse` is set, uint8."""
    if not reuse or size > KEPT:
        return np.empty(size, np.uint8)
    memory: np.ndarray | None = getattr(_memory, "pixels", None)
    if memory is None or len(memory) < size:
        _memory.pixels = memory = np.empty(size, np.uint8)
    return memory[:size]
