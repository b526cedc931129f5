"""Transforms of torchvision and albumentations: image by image, and repeatable.

Both are recognized by the module that defines them; neither is imported here. Each image gets a
seed drawn for its row, so it changes in the same way in any batch.

Transforms of torchvision get what torchvision's own datasets give them: a Pillow image, or, for
version 2 of its transforms, a tensor with channels first. They use torch's global generator, whose
state is restored afterwards. Other threads use that generator too, so batches with such
transforms cannot be made in advance in a thread: see `needs_caller`. Transforms of albumentations
get an array with channels last, as `image=`, and have their own generator since version 2.
"""

import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

_lock = threading.Lock()  # threads share a transform, which holds its generator


def _unlock() -> None:
    """Replace the lock after a fork: the thread that held it does not exist in the child."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def package_of(transform: Any) -> str:
    """The package that defines a callable, if it is one of the two, else an empty text."""
    owner = transform if hasattr(transform, "__name__") else type(transform)
    package = str(getattr(owner, "__module__", "")).partition(".")[0]
    return package if package in {"torchvision", "albumentations"} else ""


def needs_caller(transforms: Sequence[Any]) -> bool:
    """True if one of the transforms must run in the thread that asks for a batch."""
    return any(package_of(transform) == "torchvision" for transform in transforms)


def changed(transform: Any, images: Any, seeds: np.ndarray, *, planes: bool) -> list[np.ndarray]:
    """Apply a transform of another package to a column of images.

    Args:
        transform: of torchvision or albumentations.
        images: an array (rows, …), or a list of arrays.
        seeds: uint64 (rows,).
        planes: whether channels come first, before and afterwards.
    """
    pairs = list(zip(images, (seeds >> np.uint64(32)).tolist(), strict=True))
    with _lock:
        if package_of(transform) == "torchvision":
            return _by_torchvision(transform, pairs, planes=planes)
        return [_by_albumentations(transform, *pair, planes=planes) for pair in pairs]


def _by_torchvision(
    transform: Any, pairs: Sequence[tuple[np.ndarray, int]], *, planes: bool
) -> list[np.ndarray]:
    torch: Any = sys.modules["torch"]  # imported by torchvision
    old = type(transform).__module__ == "torchvision.transforms.transforms"
    results = []
    with torch.random.fork_rng(devices=[]):
        for image, seed in pairs:
            array = np.ascontiguousarray(image if planes else np.moveaxis(image, -1, 0))
            torch.default_generator.manual_seed(seed)
            result = transform(_pillow(array) if old else torch.from_numpy(array))
            if isinstance(result, Image.Image):
                pixels = np.atleast_3d(np.asarray(result))
                results.append(np.moveaxis(pixels, -1, 0) if planes else pixels)
                continue
            values = result.numpy()
            results.append(values if planes or values.ndim < 3 else np.moveaxis(values, 0, -1))
    return results


def _pillow(array: np.ndarray) -> Any:
    """Make a Pillow image of (channels, height, width), or return a tensor of other pixels."""
    if array.dtype != np.uint8 or array.shape[0] not in {1, 3, 4}:
        return sys.modules["torch"].from_numpy(array)
    return Image.fromarray(array[0] if array.shape[0] == 1 else np.moveaxis(array, 0, -1))


def _by_albumentations(transform: Any, image: np.ndarray, seed: int, *, planes: bool) -> np.ndarray:
    array = np.ascontiguousarray(np.moveaxis(image, 0, -1) if planes else image)
    transform.set_random_seed(seed)
    result = transform(image=array)["image"]
    if isinstance(result, np.ndarray):
        return np.moveaxis(result, -1, 0) if planes else result
    tensor: np.ndarray = result.numpy()  # of ToTensorV2, which puts channels first
    return tensor if planes else np.moveaxis(tensor, 0, -1)
