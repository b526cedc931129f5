"""Gathering, cropping, flipping and scaling of pictures in one pass over their pixels.

A list of transforms that begins with any of `RandomCrop`, `RandomHorizontalFlip`, and `Normalize`
or `ToFloat`, in that order, needs no array in between: pixels go from the memory map into the
batch. The pass itself is compiled by numba where that is installed (extra `fast`), and a few
calls of NumPy otherwise. Both give the same numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, Literal

import numpy as np

from dshub.transforms.colors import Normalize, ToFloat
from dshub.transforms.geometry import RandomCrop, RandomHorizontalFlip
from dshub.transforms.transform import AnyTransform, Context

Layout = Literal["hwc", "chw"]


@cache
def kernels() -> ModuleType | None:
    """The compiled passes, or None where numba is not installed."""
    try:
        from dshub.transforms import kernels as found
    except ImportError:
        return None
    return found


@dataclass(frozen=True)
class Fused:
    """What is done to pictures while they are gathered.

    Attributes:
        crop, flip, scale: the transforms, where they are asked for.
        taken: how many transforms these are, of the beginning of the list.
    """

    crop: RandomCrop | None
    flip: RandomHorizontalFlip | None
    scale: Normalize | ToFloat | None
    taken: int

    @classmethod
    def beginning(cls, transforms: Sequence[AnyTransform]) -> "Fused":
        """As much of the beginning of a list as one pass can do."""
        found: list[Any] = [None, None, None]
        kinds: list[Any] = [RandomCrop, RandomHorizontalFlip, Normalize | ToFloat]
        taken = 0
        for place, kind in enumerate(kinds):
            if taken < len(transforms) and isinstance(transforms[taken], kind):
                found[place], taken = transforms[taken], taken + 1
        crop, flip, scale = found
        return cls(crop, flip, scale, taken)

    @property
    def moves(self) -> bool:
        """Whether pixels change their places."""
        return self.crop is not None or self.flip is not None

    def shape(self, pictures: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
        """The shape of a picture afterwards, where they are (…, height, width, channels)."""
        height, width, channels = pictures[-3:]
        if self.crop is not None:
            height, width = self.crop.target(height, width)
        return (channels, height, width) if layout == "chw" else (height, width, channels)

    @property
    def dtype(self) -> type[np.generic]:
        """What pixels are afterwards."""
        return np.uint8 if self.scale is None else np.float32

    def run(
        self,
        pictures: np.ndarray,
        rows: np.ndarray,
        context: Context,
        out: np.ndarray,
        layout: Layout,
    ) -> None:
        """Fill `out` with the rows of those numbers.

        Args:
            pictures: uint8 (all rows, height, width, channels), contiguous.
            rows: int64, which of them.
            context: with the draws of the batch.
            out: (rows, *shape), of `dtype`, contiguous.
            layout: of `out`.
        """
        height, width, channels = pictures.shape[1:]
        place = self._places(context, height, width, len(rows)) if self.moves else None
        scaling = self._scale(channels)
        compiled = kernels()
        if compiled is not None and self.scale is not None:
            compiled.run(pictures, rows, place, scaling, out, planes=layout == "chw")
        else:
            _by_numpy(pictures, rows, place, scaling, out, layout)

    def _places(self, context: Context, height: int, width: int, rows: int) -> np.ndarray:
        """int64 (rows, 3): where each picture's part begins, and whether it is turned."""
        place = np.zeros((rows, 3), np.int64)
        number = 0
        for transform in (self.crop, self.flip):
            if transform is None:
                continue
            own = Context(context.draws.apart(number), context.features)
            number += 1
            if isinstance(transform, RandomCrop):
                place[:, 0], place[:, 1] = transform.offsets(own, height, width)
            else:
                place[:, 2] = transform.flipped(own)
        return place

    def _scale(self, channels: int) -> tuple[np.ndarray, np.ndarray]:
        if self.scale is None:
            return np.ones(channels, np.float32), np.zeros(channels, np.float32)
        return self.scale.scale_and_bias(channels)


def _by_numpy(
    pictures: np.ndarray,
    rows: np.ndarray,
    place: np.ndarray | None,
    scaling: tuple[np.ndarray, np.ndarray],
    out: np.ndarray,
    layout: Layout,
) -> None:
    """The same by whole-array calls: gather, perhaps move, then multiply and add."""
    height, width = out.shape[2:] if layout == "chw" else out.shape[1:3]
    plain = out if out.dtype == np.uint8 and layout == "hwc" else None
    gathered = _scratch(pictures, rows, (height, width), place, plain)
    if out.dtype == np.uint8:
        if layout == "chw":
            np.copyto(out, np.moveaxis(gathered, 3, 1))
        return
    scale, bias = scaling
    if layout == "chw":
        moved = np.moveaxis(gathered, 3, 1)
        np.multiply(moved, scale[:, None, None], out=out)
        np.add(out, bias[:, None, None], out=out)
        return
    flat = gathered.reshape(len(rows), -1)
    target = out.reshape(len(rows), -1)
    np.multiply(flat, np.tile(scale, height * width), out=target)
    np.add(target, np.tile(bias, height * width), out=target)


def _scratch(
    pictures: np.ndarray,
    rows: np.ndarray,
    size: tuple[int, int],
    place: np.ndarray | None,
    out: np.ndarray | None,
) -> np.ndarray:
    """uint8 (rows, *size, channels): gathered, and cut and turned where they move."""
    channels = pictures.shape[3]
    found = np.empty((len(rows), *size, channels), np.uint8) if out is None else out
    if place is None:
        flat = pictures.reshape(len(pictures), -1)
        flat.take(rows, axis=0, out=found.reshape(len(rows), -1), mode="clip")
        return found
    down, right = size
    found[...] = 0
    for target, row, (y, x, turned) in zip(found, rows.tolist(), place.tolist(), strict=True):
        top, left = max(0, y), max(0, x)
        part = pictures[row, top : y + down, left : x + right]
        inner = target[top - y : top - y + part.shape[0], left - x : left - x + part.shape[1]]
        inner[...] = part
        if turned:
            target[...] = target[:, ::-1].copy()
    return found
