"""What is done to a batch on its way out.

A transform is called with a batch, a dict of arrays (rows, …), and with `Draws`, random numbers
that belong to the rows: the same picture is cropped in the same way whatever batch, thread or
rank it comes in. It returns the batch. Those here are frozen values; any callable can stand
among them, also those of torchvision and albumentations (`dshub.loading.transforms.foreign`).

Transforms of pictures take (rows, height, width, channels); uint8 unless they say otherwise.
Where pictures differ in size the column is a list of arrays, which `Resize`, `CenterCrop`,
`RandomResizedCrop` and `RandomCrop` with a size make one array of; `MixUp` and `CutMix` need one.

`RandomCrop`, `RandomHorizontalFlip`, then `Normalize` or `ToFloat`, at the beginning and in that
order (any may be left out), are done in one pass over the pixels as they are gathered.
"""

from dshub.loading.transforms.colors import Normalize, ToFloat
from dshub.loading.transforms.erasing import Cutout, RandomErasing
from dshub.loading.transforms.geometry import CenterCrop, RandomCrop, RandomHorizontalFlip
from dshub.loading.transforms.mixing import CutMix, MixUp, OneHot
from dshub.loading.transforms.resizing import RandomResizedCrop, Resize
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
