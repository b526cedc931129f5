"""Gather rows into batches, reusing memory."""

from collections.abc import Collection, Mapping
from typing import Any, cast

import numpy as np

from dshub.catalog.features import (
    Feature,
    ImageFeature,
    LabelFeature,
    MaskFeature,
    is_encoded,
)
from dshub.errors import DshubError, UnknownNameError
from dshub.loading.bad_rows import BadRows
from dshub.loading.blocks import ImageBlocks
from dshub.loading.encoded import EncodedImages
from dshub.loading.memory import Pool
from dshub.loading.options import BatchOptions, Rows
from dshub.loading.order import Draws
from dshub.loading.pairs import paired
from dshub.loading.read_ahead import ReadAhead
from dshub.loading.tolerance import Failures, Tolerance
from dshub.loading.transforms.fused import Fused
from dshub.loading.transforms.fused_resizing import fused_transforms
from dshub.loading.transforms.transform import (
    Batch,
    Context,
    Images,
    Layout,
    apply,
    channels_first,
    each,
    is_own,
)


class Gatherer:
    """Thread-safe factory of the batches of a loader.

    Args:
        rows: rows to read.
        options: options of the batches.
        pool: memory pool for images.
        found: record of rows that cannot be decoded.
    """

    def __init__(
        self,
        rows: Rows,
        options: BatchOptions,
        pool: Pool | None = None,
        *,
        found: BadRows | None = None,
    ) -> None:
        self.options, self.pool, self._ahead = options, pool or Pool(), ReadAhead()
        own = [is_own(transform) for transform in options.transforms]
        self.own_count = (
            own.index(False) if False in own else len(own)
        )  # dshub transforms come first
        self._all, self._features = rows, rows.features
        self._pair = options.pair(rows)
        self._images = list(rows.image_columns)
        self._labels = [n for n, item in self._features.items() if isinstance(item, LabelFeature)]
        self.encoded = EncodedImages(rows, options)
        self._masks = _mask_columns(self._features, self.encoded.names)
        arrays = [name for name in self._images if _is_array(self._features[name])]
        fusible = len(arrays) == len(self._images) and not (self.encoded.names or self._masks)
        kinds = [cast("ImageFeature", self._features[name]) for name in arrays]
        self.fused = fused_transforms(options.transforms, kinds) if fusible else Fused()
        pixels = {name: rows.pixels(name) for name in arrays if name not in self.encoded.names}
        self._pixels = {name: array for name, array in pixels.items() if array is not None}
        separate = [*self._pixels, *self.encoded.names]
        self._others = rows.without(separate) if separate else rows
        self._tolerance = None
        if options.on_error != "raise":
            self._tolerance = Tolerance(
                mode=options.on_error,
                total=len(rows),
                decode=self._decode,
                read=self._others.gather,
                gather=self._gather,
                found=BadRows(options.on_error) if found is None else found,
            )

    def batch(self, rows: np.ndarray, epoch: int) -> Any:
        """Create a batch from rows, with the random numbers of an epoch.

        Raises:
            DshubError: `supervised` is set, but a transform removed one of its columns.
        """
        options = self.options
        planes = options.layout == "chw"
        draws = Draws.of(rows, options.seed, epoch)
        columns = self._images, self._labels
        context = Context(draws, self._features, *columns, planes, mask_columns=self._masks)
        if self._tolerance is None:
            batch = self._gather(rows, context, self._decode(rows, context))
        else:
            batch, context = self._tolerance.batch(rows, context, epoch)
        fused, transforms = self.fused_count, options.transforms
        batch = apply(transforms[fused : self.own_count], batch, context, first=fused)
        for name in self._images if planes else ():
            if self.own_count > fused or not (fused or name in self._final):
                batch[name] = each(batch[name], channels_first)
        batch = apply(transforms[self.own_count :], batch, context, first=self.own_count)
        for name, fill in (options.pad or {}).items():
            if name not in batch:
                raise UnknownNameError(kind="column", name=name, known=tuple(batch))
            batch[name] = padded(batch[name], fill, name)
        return batch if self._pair is None else paired(batch, self._pair, self._features)

    @property
    def _layout(self) -> Layout:
        """Layout of images after the fused transforms."""
        return self.options.layout if self.fused_count == self.own_count else "hwc"

    def _decode(
        self, rows: np.ndarray, context: Context, failures: Failures | None = None
    ) -> dict[str, Images]:
        """Decode the columns of image files, and apply the fused transforms."""
        return {
            name: self.encoded.gather(name, rows, context, self._layout, self.pool, failures)
            for name in self.encoded.names
        }

    def _gather(self, rows: np.ndarray, context: Context, decoded: Mapping[str, Images]) -> Batch:
        """Gather rows with their decoded images, and apply the fused transforms to others."""
        batch = {**self._others.gather(rows), **decoded}
        numbers = self._all.numbers(rows) if self._pixels else rows
        for name in dict.fromkeys([*self._images, *self.encoded.names]):
            if name in self._pixels:
                batch[name] = self.gather_images(self._pixels[name], numbers, context)
            elif self.fused.count:  # images that are not one array need a separate pass
                indices = np.arange(len(rows), dtype=np.int64)
                batch[name] = self.gather_images(batch[name], indices, context)
        return {name: batch[name] for name in self._features}

    @property
    def fused_count(self) -> int:
        """Number of transforms that are applied while images are gathered or decoded."""
        return self.fused.count or self.encoded.fused.count

    @property
    def _final(self) -> set[str]:
        """Columns that need no change of layout if there are no transforms."""
        return {*self._pixels, *self.encoded.fixed}

    def gather_images(
        self, pixels: np.ndarray | ImageBlocks, numbers: np.ndarray, context: Context
    ) -> np.ndarray:
        """Gather a column of images, and apply the fused transforms.

        Args:
            pixels: uint8 (…, height, width, channels), or blocks of them.
            numbers: indices of the images to gather, int64 (rows,).
            context: context of the batch.
        """
        self._ahead.start(pixels[number] for number in numbers.tolist())
        shape = self.fused.shape(pixels.shape, self._layout)
        out = self.pool.empty((len(numbers), *shape), self.fused.dtype)
        self.fused.run(pixels, numbers, context, out, self._layout)
        return out


def padded(values: Any, fill: float, name: str) -> np.ndarray:
    """Pad lists of numbers at the end to the same length, (rows, length, …).

    Args:
        values: array or list for each row, or an array of all rows, which needs no padding.
        fill: value of the padding.
        name: name of the column, for errors.

    Raises:
        DshubError: rows are not lists of numbers, their items differ in shape, or their dtype
            cannot represent `fill`.
    """
    if isinstance(values, np.ndarray):
        return values
    try:
        rows = [np.asarray(row) for row in values]
        longest = max(map(len, rows), default=0)
        dtype = np.result_type(*rows) if rows else np.dtype(np.int64)
        if np.array(fill).astype(dtype) != fill:
            raise DshubError(
                f"column {name} cannot be padded with {fill}, because its values are {dtype}",
                hint="choose a fill value of that dtype, or convert the column with ds.cast",
            )
        out = np.full((len(rows), longest, *(rows[0].shape[1:] if rows else ())), fill, dtype)
        for target, row in zip(out, rows, strict=True):
            target[: len(row)] = row
    except (TypeError, ValueError) as error:
        raise DshubError(
            f"column {name} cannot be padded: its rows are not lists of numbers",
            hint="pad only columns of lists of numbers, such as token ids",
        ) from error
    return out


def _mask_columns(features: Mapping[str, Feature], encoded: Collection[str]) -> list[str]:
    """Return the columns of decoded masks."""
    masks = [name for name, feature in features.items() if isinstance(feature, MaskFeature)]
    return [name for name in masks if name in encoded or not is_encoded(features[name])]


def _is_array(feature: Feature) -> bool:
    """Return True if images of several rows form one uint8 array."""
    if not isinstance(feature, ImageFeature):
        return False
    return feature.dtype == "uint8" and len(feature.shape) == 3
