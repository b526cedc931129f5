"""Describe the part of an image that becomes a training image."""

import math
from typing import NamedTuple

DIVISORS = (8, 4, 2)  # scales at which libjpeg decodes fast


class Window(NamedTuple):
    """A part of an image, and its size after resizing.

    Positions are in pixels from the top-left corner of the image, as (top, left, bottom, right).

    Attributes:
        region: pixels that can be used, as integers.
        box: part to resize, within the region; corners can be between pixels.
        size: height and width of the result.
    """

    region: tuple[int, int, int, int]
    box: tuple[float, float, float, float]
    size: tuple[int, int]

    @classmethod
    def of(cls, region: tuple[int, int, int, int], size: tuple[int, int]) -> "Window":
        """Return a window that resizes a whole region."""
        return cls(region, region, size)

    @property
    def divisor(self) -> int:
        """Largest divisor at which the scaled box still covers the result."""
        top, left, bottom, right = self.box
        spare = min((bottom - top) / self.size[0], (right - left) / self.size[1])
        return next((divisor for divisor in DIVISORS if spare >= divisor), 1)

    def scaled(self, divisor: int, height: int, width: int) -> "Window":
        """Return the window in an image that was decoded at a fraction of its size.

        Args:
            divisor: divisor of the size.
            height, width: size of the scaled image.
        """
        if divisor == 1:
            return self
        top, left, bottom, right = self.region
        region = (
            top // divisor,
            left // divisor,
            min(height, math.ceil(bottom / divisor)),
            min(width, math.ceil(right / divisor)),
        )
        y, x, down, across = (corner / divisor for corner in self.box)
        return Window(region, (y, x, down, across), self.size)

    @property
    def keeps_size(self) -> bool:
        """Whether the result is the region itself."""
        top, left, bottom, right = self.region
        return self.box == self.region and self.size == (bottom - top, right - left)

    @property
    def inner_box(self) -> tuple[float, float, float, float]:
        """The box relative to the corner of the region."""
        top, left, bottom, right = self.box
        y, x = self.region[:2]
        return top - y, left - x, bottom - y, right - x

    @property
    def alone(self) -> "Window":
        """The same window in an image that consists of the region."""
        top, left, bottom, right = self.region
        region = 0, 0, bottom - top, right - left
        box = region if self.box == self.region else self.inner_box
        return Window(region, box, self.size)
