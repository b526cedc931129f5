"""Gather, crop, flip and scale images in one pass over their pixels.

If a list of transforms starts with any of `RandomCrop`, `RandomHorizontalFlip`,
`RandomVerticalFlip`, and `Normalize` or `ToFloat`, in this order, no intermediate arrays are
needed. Pixels go from the memory map directly into the batch. If numba is installed (extra `fast`),
it compiles the pass. Otherwise the pass consists of a few NumPy calls, with the same results.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from dshub.loading.blocks import ImageBlocks
from dshub.loading.transforms.colors import Normalize, scales_of_values
from dshub.loading.transforms.compiled import kernels
from dshub.loading.transforms.geometry import (
    RandomCrop,
    RandomHorizontalFlip,
    RandomVerticalFlip,
    pad,
)
from dshub.loading.transforms.transform import AnyTransform, Context, Layout

BLOCK = 96 << 10  # bytes of pixels per step without numba; 20% faster, because pixels and their
# floats, which are 4 times as large, fit into the cache of a core


_KINDS: Mapping[str, Any] = {
    "crop": RandomCrop,
    "flip": RandomHorizontalFlip,
    "upside_down": RandomVerticalFlip,
    "scale": Normalize,
}


@dataclass(frozen=True)
class Fused:
    """Transforms that are applied while images are gathered.

    Attributes:
        crop: transform that crops, or None.
        flip: transform that flips horizontally, or None.
        upside_down: transform that flips vertically, or None.
        scale: transform that scales pixels, or None.
        count: number of these transforms, at the start of the list.
    """

    crop: RandomCrop | None = None
    flip: RandomHorizontalFlip | None = None
    upside_down: RandomVerticalFlip | None = None
    scale: Normalize | None = None
    count: int = 0

    @classmethod
    def beginning(cls, transforms: Sequence[AnyTransform]) -> "Fused":
        """Create a pass from the leading transforms of a list that can be fused."""
        fused: dict[str, Any] = {}
        for name, kind in _KINDS.items():
            if len(fused) < len(transforms) and isinstance(transforms[len(fused)], kind):
                fused[name] = transforms[len(fused)]
        return cls(**fused, count=len(fused))

    def shape(self, images: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
        """Return the shape of a result for images of shape (…, height, width, channels)."""
        height, width, channels = images[-3:]
        if self.crop is not None:
            height, width = self.crop.target(height, width)
        return (channels, height, width) if layout == "chw" else (height, width, channels)

    @property
    def dtype(self) -> type[np.generic]:
        """Dtype of the resulting pixels."""
        return np.uint8 if self.scale is None else np.float32

    def run(
        self,
        images: np.ndarray | ImageBlocks,
        rows: np.ndarray,
        context: Context,
        out: np.ndarray,
        layout: Layout,
    ) -> None:
        """Fill `out` with transformed rows of `images`.

        Args:
            images: contiguous uint8 array (all rows, height, width, channels), or blocks of them.
            rows: indices of the rows, int64.
            context: context with the draws of the batch.
            out: contiguous array (rows, *shape) with this `dtype`.
            layout: layout of `out`.
        """
        if not len(rows):
            return
        places = self._places(context, images.shape, len(rows))
        if isinstance(images, np.ndarray):
            self._run(images, rows, places, out, layout)
            return
        corners, size = None, (images.shape[1], images.shape[2])
        if places is not None and self.crop is not None and not self.crop.padding:
            corners, size = places[:, :2].copy(), self.crop.target(*size)
            places[:, :2] = 0  # relative to the crops
        for part, pixels in images.parts(rows, corners, size):
            moved = None if places is None else places[part]
            self._run(pixels, np.arange(len(pixels)), moved, out[part], layout)

    def _run(
        self,
        images: np.ndarray,
        rows: np.ndarray,
        places: np.ndarray | None,
        out: np.ndarray,
        layout: Layout,
    ) -> None:
        compiled = kernels()
        if compiled is not None and self.scale is not None:
            compiled.run(images, rows, places, self.scale, out, planes=layout == "chw")
            return
        plain = self.scale is None and layout == "hwc"
        count = len(rows)
        if places is not None or not plain:
            count = min(count, max(1, BLOCK // max(1, prod(images.shape[1:]))))
        scratch = np.empty((0 if plain else count, *self.shape(images.shape, "hwc")), np.uint8)
        for start in range(0, len(rows), count):
            block = slice(start, start + count)
            part = out[block] if plain else scratch[: len(rows[block])]
            self._gather(images, rows[block], None if places is None else places[block], part)
            if not plain:
                self._put(part, out[block], layout)

    def _places(self, context: Context, images: tuple[int, ...], rows: int) -> np.ndarray | None:
        """Return the corner of each crop and its flips, int64 (rows, 4), as in `kernels`."""
        if self.crop is None and self.flip is None and self.upside_down is None:
            return None
        places = np.zeros((rows, 4), np.int64)
        draws = (Context(context.draws.apart(i), context.features) for i in range(3))
        if self.crop is not None:
            places[:, 0], places[:, 1] = self.crop.corners(next(draws), *images[1:3])
        if self.flip is not None:
            places[:, 2] = self.flip.flipped(next(draws))
        if self.upside_down is not None:
            places[:, 3] = self.upside_down.flipped(next(draws))
        return places

    def _gather(
        self, images: np.ndarray, rows: np.ndarray, places: np.ndarray | None, out: np.ndarray
    ) -> None:
        if places is None:
            flat = images.reshape(len(images), -1)
            flat.take(rows, axis=0, out=out.reshape(len(rows), -1), mode="clip")
            return
        around = self.crop.padding if self.crop is not None else 0
        gathered = pad(images.take(rows, axis=0), around)
        down, right, channels = out.shape[1:]
        pixel = np.dtype(
            (np.void, channels)
        )  # pixels as single items, because moving bytes is slow
        sources, targets = gathered.view(pixel)[..., 0], out.view(pixel)[..., 0]
        corners = places + np.array([around, around, 0, 0])
        for i, (y, x, flipped, upside_down) in enumerate(corners.tolist()):
            part = sources[i, y : y + down, x : x + right]
            targets[i] = part[:: -1 if upside_down else 1, :: -1 if flipped else 1]

    def _put(self, images: np.ndarray, out: np.ndarray, layout: Layout) -> None:
        """Copy gathered images to `out` in its layout, and scale them."""
        np.copyto(out, np.moveaxis(images, 3, 1) if layout == "chw" else images)
        if self.scale is not None:
            flat = out.reshape(len(out), -1)
            height, width, channels = images.shape[1:]
            planes = layout == "chw"
            scale, bias = scales_of_values(self.scale, channels, height * width, planes=planes)
            flat *= scale
            flat += bias
