"""Transforms: change batches on their way out.

A transform is called with a batch, a dict of arrays (rows, …), and with `Draws`, random numbers
for its rows: an image is cropped in the same way in any batch, thread or rank. It returns the
batch. The transforms here are frozen values. Any callable can follow them, also transforms of
torchvision and albumentations (`dshub.loading.transforms.foreign`).

Transforms of images take (rows, height, width, channels), uint8 unless they say otherwise. If
images differ in size the column is a list of arrays, which `Resize`, `CenterCrop`,
`RandomResizedCrop`, and `RandomCrop` with a size turn into one array; `MixUp` and `CutMix` need
one.

`RandomCrop`, `RandomHorizontalFlip`, then `Normalize` or `ToFloat`, at the beginning and in that
order (any can be left out), are applied in one pass over the pixels as they are gathered.
"""

from dshub.loading.transforms.colors import Normalize, ToFloat
from dshub.loading.transforms.erasing import Cutout, RandomErasing
from dshub.loading.transforms.geometry import (
    CenterCrop,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
)
from dshub.loading.transforms.mixing import CutMix, MixUp, OneHot
from dshub.loading.transforms.transform import Batch, Context, Transform, apply, is_own

__all__ = [
    "Batch",
    "CenterCrop",
    "Context",
    "CutMix",
    "Cutout",
    "MixUp",
    "Normalize",
    "OneHot",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "Resize",
    "ToFloat",
    "Transform",
    "apply",
    "is_own",
]
