"""Apply torchvision and albumentations transforms to each image, reproducibly.

Transforms are recognized by the module that defines them, and neither package is imported here.
Each image has a seed drawn for its row, so it is transformed in the same way in any batch.

Torchvision transforms receive the same input as from torchvision's datasets: a Pillow image, or a
tensor with channels first for version 2 of the transforms. They use torch's global generator. The
state of the generator is restored afterwards. Other threads use the generator too, so batches with
these transforms cannot be prepared in a background thread (see `needs_caller`). Albumentations
transforms receive an array with channels last as `image=`, and have their own generator since
version 2. Masks are changed with the first column of images: `tv_tensors.Mask` for version 2 of
torchvision's transforms, and `masks=` for albumentations.
"""

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from PIL import Image

from dshub.errors import DshubError
from dshub.loading.calling import name_of

_COLORS = {  # version 1 of torchvision's transforms that do not move pixels
    "ColorJitter",
    "ConvertImageDtype",
    "GaussianBlur",
    "Grayscale",
    "Normalize",
    "PILToTensor",
    "RandomErasing",
    "RandomGrayscale",
    "ToTensor",
}
_GEOMETRIC = {  # of version 1 of torchvision's transforms
    "CenterCrop",
    "ElasticTransform",
    "FiveCrop",
    "Pad",
    "RandomAffine",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomPerspective",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
    "Resize",
    "TenCrop",
    "AutoAugment",
    "RandAugment",
    "TrivialAugmentWide",
    "AugMix",
}

_lock = threading.Lock()  # threads share transforms, which hold random generators


def _unlock() -> None:
    """Replace the lock after a fork, because its holder does not exist in the child process."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def package_of(transform: Any) -> str:
    """Return `torchvision` or `albumentations` if it defines `transform`, else an empty string."""
    owner = transform if hasattr(transform, "__name__") else type(transform)
    package = str(getattr(owner, "__module__", "")).partition(".")[0]
    return package if package in {"torchvision", "albumentations"} else ""


def needs_caller(transforms: Sequence[Any]) -> bool:
    """Return True if a transform must run in the thread that requests the batch."""
    return any(package_of(transform) == "torchvision" for transform in transforms)


def moves_pixels(transform: Any) -> bool:
    """Return True if a torchvision or albumentations transform changes where objects are."""
    if not package_of(transform):
        return False
    inner = getattr(transform, "transforms", None) or getattr(transform, "transform", None) or ()
    if isinstance(inner, list | tuple):
        if inner:
            return any(map(moves_pixels, inner))
    elif moves_pixels(inner):
        return True
    kinds = [kind for kind in type(transform).__mro__ if kind.__module__ != "builtins"]
    modules = {kind.__module__.rpartition(".")[2] for kind in kinds}
    names = {kind.__name__ for kind in kinds}
    return bool("_geometry" in modules or names & {"DualTransform", *_GEOMETRIC})


def apply_to_images(
    transform: Any, images: Any, seeds: np.ndarray, masks: Sequence[Any] = (), *, planes: bool
) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """Apply a torchvision or albumentations transform to a column of images and to their masks.

    Args:
        transform: transform from one of the packages.
        images: array (rows, …), or list of arrays.
        seeds: seed of each row, uint64 (rows,).
        masks: columns of masks, each an array (rows, height, width) or a list of arrays.
        planes: whether channels come first, in `images` and in the result.

    Returns:
        The images, and the columns of masks.

    Raises:
        DshubError: there are masks, which the transform would not change.
    """
    torchvision = package_of(transform) == "torchvision"
    is_old = type(transform).__module__ == "torchvision.transforms.transforms"
    if masks and is_old and type(transform).__name__ not in _COLORS:
        raise DshubError(
            f"{name_of(transform)} does not change masks with their images",
            hint="use transforms of torchvision.transforms.v2, or remove the columns of masks",
        )
    apply = _by_torchvision if torchvision else _by_albumentations
    rows = zip(images, (seeds >> np.uint64(32)).tolist(), *masks, strict=True)
    with _lock, _restored_generator() if torchvision else nullcontext():
        results = [apply(transform, *row, planes=planes) for row in rows]
    changed = zip(*(rest for _, *rest in results), strict=True)
    return [image for image, *_ in results], list(map(list, changed))


def _restored_generator() -> AbstractContextManager[None]:
    """Restore the state of torch's generator afterwards."""
    torch: Any = sys.modules["torch"]  # imported by torchvision
    context: AbstractContextManager[None] = torch.random.fork_rng(devices=[])
    return context


def _by_torchvision(
    transform: Any, image: np.ndarray, seed: int, *masks: np.ndarray, planes: bool
) -> list[np.ndarray]:
    torch: Any = sys.modules["torch"]
    is_old = type(transform).__module__ == "torchvision.transforms.transforms"
    array = np.ascontiguousarray(image if planes else np.moveaxis(image, -1, 0))
    torch.default_generator.manual_seed(seed)
    first = _pillow(array) if is_old else torch.from_numpy(array)
    if is_old or not masks:
        return [_array(transform(first), planes=planes), *masks]
    kind = sys.modules["torchvision.tv_tensors"].Mask
    tensors = [kind(torch.from_numpy(np.ascontiguousarray(mask))) for mask in masks]
    first, *tensors = transform(first, *tensors)
    return [_array(first, planes=planes), *(tensor.numpy() for tensor in tensors)]


def _array(result: Any, *, planes: bool) -> np.ndarray:
    """Convert a Pillow image or a tensor with channels first to an array."""
    if isinstance(result, Image.Image):
        pixels = np.atleast_3d(np.asarray(result))
        return np.moveaxis(pixels, -1, 0) if planes else pixels
    values: np.ndarray = result.numpy()
    return values if planes or values.ndim < 3 else np.moveaxis(values, 0, -1)


def _pillow(array: np.ndarray) -> Any:
    """Make a Pillow image of (channels, height, width), or return a tensor of other pixels."""
    if array.dtype != np.uint8 or array.shape[0] not in {1, 3, 4}:
        return sys.modules["torch"].from_numpy(array)
    return Image.fromarray(array[0] if array.shape[0] == 1 else np.moveaxis(array, 0, -1))


def _by_albumentations(
    transform: Any, image: np.ndarray, seed: int, *masks: np.ndarray, planes: bool
) -> list[np.ndarray]:
    array = np.ascontiguousarray(np.moveaxis(image, 0, -1) if planes else image)
    transform.set_random_seed(seed)
    added = {"masks": [np.ascontiguousarray(mask) for mask in masks]} if masks else {}
    results = transform(image=array, **added)
    changed = [np.asarray(mask) for mask in results.get("masks", ())]
    result = results["image"]
    if isinstance(result, np.ndarray):
        return [np.moveaxis(result, -1, 0) if planes else result, *changed]
    tensor: np.ndarray = result.numpy()  # ToTensorV2 puts channels first
    return [tensor if planes else np.moveaxis(tensor, 0, -1), *changed]
