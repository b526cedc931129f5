"""What the transforms are told about sizes, and what they ask of the pictures they are given."""

import math
from typing import Any

import numpy as np

from dshub.arguments import whole
from dshub.errors import ArgumentError, DshubError

Size = int | tuple[int, int]
Pictures = np.ndarray | list[np.ndarray]
"""A column: an array (rows, height, width, channels), or a list of arrays (height, width,
channels) where pictures differ in size."""


def size_of(name: str, value: Any) -> Size:
    """One number, or height and width, each at least 1; raises ArgumentError.

    Args:
        name: of the argument and its transform.
        value: also a list, or numbers of NumPy's.
    """
    if not isinstance(value, list | tuple):
        return whole(name, value, least=1)
    if len(value) != 2:
        raise ArgumentError(name=name, value=value, expected="a number, or (height, width)")
    return whole(name, value[0], least=1), whole(name, value[1], least=1)


def pair(size: Size) -> tuple[int, int]:
    """Height and width."""
    return (size, size) if isinstance(size, int) else size


def too_large(name: str, wanted: tuple[int, int], height: int, width: int) -> ArgumentError:
    """The error for a picture that is smaller than what is to be cut out of it.

    Args:
        name: of the transform.
        wanted: height and width of the part.
        height, width: of the picture, with what is put around it.
    """
    return ArgumentError(
        name=f"size of {name}",
        value=wanted,
        expected=f"at most ({height}, {width}), which is what there is of a picture",
        hint=f"Resize before {name} makes pictures large enough; RandomCrop also takes padding",
    )


def box(
    picture: np.ndarray,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    drawn: np.ndarray,
) -> tuple[slice, slice]:
    """A random rectangle of a picture, as rows and columns of pixels.

    Args:
        picture: (height, width, channels).
        scale: the least and the largest share of its area.
        ratio: the least and the largest width by height.
        drawn: four numbers from 0 to 1: for area, ratio, and place down and right.
    """
    height, width = picture.shape[:2]
    low, high = scale
    area = height * width * (low + (high - low) * drawn[0])
    narrow, wide = (math.log(end) for end in ratio)
    shape = math.exp(narrow + (wide - narrow) * drawn[1])
    right = min(width, max(1, round(math.sqrt(area * shape))))
    down = min(height, max(1, round(math.sqrt(area / shape))))
    y, x = int(drawn[2] * (height - down + 1)), int(drawn[3] * (width - right + 1))
    return slice(y, y + down), slice(x, x + right)


def array_of(pictures: Pictures, name: str, column: str) -> np.ndarray:
    """The pictures, where they are one array.

    Args:
        pictures: a column.
        name: of the transform that needs them so.
        column: for the error.

    Raises:
        DshubError: they may differ in size.
    """
    if isinstance(pictures, np.ndarray):
        return pictures
    raise DshubError(
        f"{name} takes pictures of one size, and those of column {column} may differ",
        hint=f"put Resize((height, width)) or RandomResizedCrop before {name}",
    )


def copied(pictures: Pictures) -> Pictures:
    """The same in memory of their own, to draw in."""
    if isinstance(pictures, list):
        return [picture.copy() for picture in pictures]
    return pictures.copy()
