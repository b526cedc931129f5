"""One batch: rows gathered, pictures laid out, transforms applied."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dshub.loader.buffers import Pool
from dshub.loader.plan import Batch, Plan, Rows
from dshub.manifest import LabelFeature
from dshub.order import Draws
from dshub.transforms import Context, Transform, apply
from dshub.transforms.fused import Fused
from dshub.transforms.transform import AnyTransform


class Gatherer:
    """Makes the batches of a loader, also in several threads at once.

    Args:
        rows: where from.
        plan: how.
    """

    def __init__(self, rows: Rows, plan: Plan) -> None:
        self.plan, self.pool = plan, Pool()
        self.fused = Fused.beginning(plan.transforms)
        self._all = rows
        self._pixels = {
            name: pixels
            for name in rows.pictures
            if (pixels := rows.pixels(name)) is not None and pixels.dtype == np.uint8
        }
        self._others = rows.without(list(self._pixels))
        if len(self._pixels) < len(rows.pictures):  # some cannot: then the list is taken as it is
            self.fused, self._pixels, self._others = Fused(None, None, None, 0), {}, rows
        self.own = own_transforms(plan.transforms)

    def batch(self, rows: np.ndarray, epoch: int) -> Any:
        """The batch of some rows, with the randomness of an epoch."""
        batch = self._others.gather(rows)
        context = self.context(rows, epoch)
        for name, pixels in self._pixels.items():
            batch[name] = self.picture(name, pixels, rows, context)
        batch = {name: batch[name] for name in self._all.features}
        return self.finish(batch, context)

    def context(self, rows: np.ndarray, epoch: int) -> Context:
        """What transforms are told of some rows."""
        features = self._all.features
        labels = [name for name, item in features.items() if isinstance(item, LabelFeature)]
        draws = Draws.of(rows, self.plan.seed, epoch)
        return Context(draws, features, self._all.pictures, labels)

    def picture(
        self, name: str, pixels: np.ndarray, rows: np.ndarray, context: Context
    ) -> np.ndarray:
        """A column of pictures after the fused transforms."""
        del name
        layout = self.plan.layout if self.fused.taken == self.own else "hwc"
        shape = self.fused.shape(pixels.shape, layout)
        out = self.pool.empty((len(rows), *shape), self.fused.dtype)
        self.fused.run(pixels, self._all.numbers(rows), context, out, layout)
        return out

    def finish(self, batch: Batch, context: Context) -> Any:
        """The batch after the rest of the transforms, in its layout."""
        taken, transforms = self.fused.taken, self.plan.transforms
        batch = apply(transforms[taken : self.own], batch, context, first=taken)
        if self.plan.layout == "chw" and (self.own > taken or not self._pixels):
            for name in context.pictures:
                batch[name] = planes(batch[name])
        batch = apply(transforms[self.own :], batch, context, first=self.own)
        pair = self._all.supervised
        if not self.plan.supervised or pair is None:
            return batch
        return batch[pair[0]], batch[pair[1]]


def own_transforms(transforms: Sequence[AnyTransform]) -> int:
    """How many of the first transforms are dshub's own; those see channels last."""
    found = [isinstance(transform, Transform) for transform in transforms]
    return found.index(False) if False in found else len(found)


def planes(pictures: Any) -> Any:
    """Pictures with their channels first."""
    if isinstance(pictures, list):
        return [np.ascontiguousarray(np.moveaxis(picture, -1, 0)) for picture in pictures]
    return np.ascontiguousarray(np.moveaxis(pictures, -1, 1))
