"""Crop, resize, flip and scale raw images, each in one pass into the batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dshub.catalog.features import ImageFeature
from dshub.loading.blocks import ImageBlocks
from dshub.loading.transforms.compiled import kernels
from dshub.loading.transforms.fused import Fused
from dshub.loading.transforms.fused_files import FusedFiles, ImagePass
from dshub.loading.transforms.transform import AnyTransform, Context, Layout


@dataclass(frozen=True)
class FusedResizing:
    """Transforms that resize raw images; used like `Fused`.

    Attributes:
        fused: transforms to apply, which start with one that resizes.
        scale: always None, because `fused` scales pixels.
    """

    fused: FusedFiles
    scale: None = None

    @property
    def count(self) -> int:
        """Number of the transforms, at the start of the list."""
        return self.fused.count

    @property
    def dtype(self) -> type[np.generic]:
        """Dtype of the resulting pixels."""
        return self.fused.dtype

    def shape(self, images: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
        """Return the shape of a result for images of shape (…, height, width, channels)."""
        height, width = self.fused.size(ImageFeature(shape=images[-3:])) or images[-3:-1]
        channels = images[-1]
        return (channels, height, width) if layout == "chw" else (height, width, channels)

    def run(
        self,
        images: np.ndarray | ImageBlocks,
        rows: np.ndarray,
        context: Context,
        out: np.ndarray,
        layout: Layout,
    ) -> None:
        """Fill `out` with transformed rows of `images`; see `Fused.run`."""
        work = ImagePass(self.fused, context, images.shape[-1], out, layout)
        for index, row in enumerate(rows.tolist()):
            image = images[row]
            work.put(index, image, work.window_of(index, *image.shape[:2]))


def fused_transforms(
    transforms: Sequence[AnyTransform], features: Sequence[ImageFeature]
) -> Fused | FusedResizing:
    """Create a pass over raw images from the leading transforms of a list that can be fused.

    Args:
        transforms: transforms of a loader.
        features: features of all image columns, uint8 with a shape.
    """
    files = FusedFiles.beginning(transforms)
    few = all(feature.shape[-1] in {1, 3} for feature in features)
    if files.resize is None or not few or kernels() is None:
        return Fused.beginning(transforms)
    return FusedResizing(files)
