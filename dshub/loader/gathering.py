"""One batch: rows gathered, pictures laid out, transforms applied."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dshub.errors import DshubError
from dshub.loader.buffers import Pool
from dshub.loader.options import BatchOptions, Rows
from dshub.manifest import Feature, ImageFeature, LabelFeature
from dshub.order import Draws
from dshub.transforms import Batch, Context, apply, is_own
from dshub.transforms.fused import Fused
from dshub.transforms.transform import AnyTransform


class Gatherer:
    """Makes the batches of a loader, also in several threads at once.

    Args:
        rows: the source of the rows.
        options: of the batches.
        pool: the memory of images.
    """

    def __init__(self, rows: Rows, options: BatchOptions, pool: Pool | None = None) -> None:
        self.options, self.pool = options, pool or Pool()
        self.own = own_transforms(options.transforms)
        self.fused = Fused.beginning(options.transforms)
        self._all, self._features = rows, rows.features
        self._pictures = list(rows.pictures)
        self._labels = [n for n, item in self._features.items() if isinstance(item, LabelFeature)]
        if not all(_is_array(self._features[name]) for name in self._pictures):
            self.fused = Fused(None, None, None, 0)  # the list is taken as it is
        self._pixels = {
            name: pixels
            for name in self._pictures
            if _is_array(self._features[name]) and (pixels := rows.pixels(name)) is not None
        }
        self._others = rows.without(list(self._pixels)) if self._pixels else rows

    def batch(self, rows: np.ndarray, epoch: int) -> Any:
        """The batch of some rows, with the randomness of an epoch."""
        gathered = self._others.gather(rows)
        context = self.context(rows, epoch)
        numbers = self._all.numbers(rows) if self._pixels else rows
        for name in self._pictures:
            if name in self._pixels:
                gathered[name] = self.picture(self._pixels[name], numbers, context)
            elif self.fused.taken:  # they lie in several pieces, or in files: one pass more
                own = np.arange(len(rows), dtype=np.int64)
                gathered[name] = self.picture(gathered[name], own, context)
        return self.finish({name: gathered[name] for name in self._features}, context)

    def context(self, rows: np.ndarray, epoch: int) -> Context:
        """What transforms are told of some rows."""
        draws = Draws.of(rows, self.options.seed, epoch)
        planes = self.options.layout == "chw"
        return Context(draws, self._features, self._pictures, self._labels, planes)

    def picture(self, pixels: np.ndarray, numbers: np.ndarray, context: Context) -> np.ndarray:
        """A column of pictures after the fused transforms.

        Args:
            pixels: uint8 (…, height, width, channels).
            numbers: int64 (rows,), which of them.
            context: of the batch.
        """
        layout = self.options.layout if self.fused.taken == self.own else "hwc"
        shape = self.fused.shape(pixels.shape, layout)
        out = self.pool.empty((len(numbers), *shape), self.fused.dtype)
        self.fused.run(pixels, numbers, context, out, layout)
        return out

    def finish(self, batch: Batch, context: Context) -> Any:
        """The batch after the rest of the transforms, in its layout.

        Raises:
            DshubError: it is to be `(x, y)`, and the transforms took one of them out.
        """
        taken, transforms = self.fused.taken, self.options.transforms
        batch = apply(transforms[taken : self.own], batch, context, first=taken)
        if self.options.layout == "chw":
            for name in context.pictures:
                if self.own > taken or not (taken or name in self._pixels):
                    batch[name] = planes(batch[name])
        batch = apply(transforms[self.own :], batch, context, first=self.own)
        pair = self._all.supervised
        if not self.options.supervised or pair is None:
            return batch
        for name in pair:
            if name not in batch:
                raise DshubError(
                    f"the transforms left no column {name!r}, and `supervised` makes (x, y) of it",
                    hint=f"let them keep {name!r}, or leave `supervised` out",
                )
        return batch[pair[0]], batch[pair[1]]


def _is_array(feature: Feature) -> bool:
    """Whether pictures of several rows are one uint8 array."""
    if not isinstance(feature, ImageFeature):
        return False
    return feature.dtype == "uint8" and len(feature.shape) == 3


def own_transforms(transforms: Sequence[AnyTransform]) -> int:
    """How many of the first transforms are dshub's own; those see channels last."""
    found = [is_own(transform) for transform in transforms]
    return found.index(False) if False in found else len(found)


def planes(pictures: Any) -> Any:
    """Pictures with their channels first."""
    if isinstance(pictures, list):
        return [np.ascontiguousarray(np.moveaxis(picture, -1, 0)) for picture in pictures]
    return np.ascontiguousarray(np.moveaxis(pictures, -1, 1))
