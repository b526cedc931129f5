"""Transforms of batches, such as cropping and normalizing images.

A transform takes a batch, which is a dict of arrays (rows, …), and random numbers for its rows, and
returns a batch. Random numbers depend on the row, so an image is cropped in the same way in any
batch, thread or rank. The transforms in this package are immutable. Other callables can follow
them, including torchvision and albumentations transforms (`dshub.loading.transforms.foreign`).

Image transforms take arrays (rows, height, width, channels), uint8 unless documented otherwise. If
images differ in size, the column is a list of arrays. `Resize` to a fixed height and width,
`CenterCrop`, `RandomResizedCrop`, and `RandomCrop` with a size convert it to one array, which
`MixUp` and `CutMix` require.

Transforms can also be called directly with an image, several images or a batch, for example in a
server: ``Normalize(mean=(0.286,), std=(0.353,))(image)``. `Compose` combines several transforms
and saves them as JSON.

If a list of transforms starts with `RandomCrop`, `RandomHorizontalFlip`, `RandomVerticalFlip`, and
`Normalize` or `ToFloat`, in this order, they are applied in one pass while pixels are gathered.
Each of them is optional. Transforms of image files, and lists that start with `Resize` or
`RandomResizedCrop`, are applied to one image at a time, in one pass, too; see
`dshub.loading.transforms.fused_files`.
"""

from dshub.loading.transforms.callables import BaseTransform, ImageTransform
from dshub.loading.transforms.colors import Normalize, ToFloat
from dshub.loading.transforms.compose import Compose
from dshub.loading.transforms.erasing import Cutout, RandomErasing
from dshub.loading.transforms.geometry import (
    CenterCrop,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
)
from dshub.loading.transforms.jitter import ColorJitter
from dshub.loading.transforms.mixing import CutMix, MixUp, MultiHot, OneHot
from dshub.loading.transforms.transform import Batch, Context, Transform, apply, is_own

__all__ = [
    "BaseTransform",
    "Batch",
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "Context",
    "CutMix",
    "Cutout",
    "ImageTransform",
    "MixUp",
    "MultiHot",
    "Normalize",
    "OneHot",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomVerticalFlip",
    "Resize",
    "ToFloat",
    "Transform",
    "apply",
    "is_own",
]
