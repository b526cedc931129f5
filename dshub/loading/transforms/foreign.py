"""Transforms of torchvision and albumentations, picture by picture, repeatable.

Both are told by the module that defines them; neither is imported here. Each picture gets a seed
of its own, drawn for its row, so that it is changed in the same way in any batch, whatever was
drawn before.

torchvision's get a tensor with channels first and draw from torch's own generator, which is put
back afterwards. Other threads draw from it too, so their batches cannot be made ahead in one:
`needs_caller` tells. Albumentations' get an array with channels last, as `image=`, and draw from
a generator of their own, which they have since version 2.
"""

import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

_one_at_a_time = threading.Lock()  # a transform holds its generator, and threads share it


def _unlock() -> None:
    """In a process that was forked while a thread held it: that thread is not there to let go."""
    global _one_at_a_time  # noqa: PLW0603
    _one_at_a_time = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def package_of(transform: Any) -> str:
    """The package that defines a callable, of those known here; or nothing."""
    owner = transform if hasattr(transform, "__name__") else type(transform)
    package = str(getattr(owner, "__module__", "")).partition(".")[0]
    return package if package in {"torchvision", "albumentations"} else ""


def needs_caller(transforms: Sequence[Any]) -> bool:
    """Whether one of them must run in the thread that asks for a batch."""
    return any(package_of(transform) == "torchvision" for transform in transforms)


def changed(
    transform: Any, pictures: Any, seeds: np.ndarray, *, planes: bool
) -> np.ndarray | list[np.ndarray]:
    """A column of pictures after a transform of another package.

    Args:
        transform: of torchvision or albumentations.
        pictures: an array (rows, …), or a list of arrays.
        seeds: uint64 (rows,).
        planes: whether channels are first, before and afterwards.

    Returns:
        An array where all pictures came out in one shape, a list where they did not.
    """
    numbers = (seeds >> np.uint64(32)).tolist()
    seeded = list(zip(pictures, numbers, strict=True))
    with _one_at_a_time:
        if package_of(transform) == "torchvision":
            found = _by_torchvision(transform, seeded, planes=planes)
        else:
            found = [_by_albumentations(transform, *one, planes=planes) for one in seeded]
    same = len({picture.shape for picture in found}) == 1
    return np.stack(found) if same else found


def _by_torchvision(
    transform: Any, seeded: Sequence[tuple[np.ndarray, int]], *, planes: bool
) -> list[np.ndarray]:
    torch: Any = sys.modules["torch"]  # it is there where torchvision is
    generator, found = torch.default_generator, []
    before = generator.get_state()
    try:
        for picture, seed in seeded:
            given = np.ascontiguousarray(picture if planes else np.moveaxis(picture, -1, 0))
            generator.manual_seed(seed)
            out = transform(torch.from_numpy(given)).numpy()
            found.append(out if planes or out.ndim < 3 else np.moveaxis(out, 0, -1))
    finally:
        generator.set_state(before)
    return found


def _by_albumentations(
    transform: Any, picture: np.ndarray, seed: int, *, planes: bool
) -> np.ndarray:
    given = np.ascontiguousarray(np.moveaxis(picture, 0, -1) if planes else picture)
    transform.set_random_seed(seed)
    out = transform(image=given)["image"]
    if isinstance(out, np.ndarray):
        return np.moveaxis(out, -1, 0) if planes else out
    tensor: np.ndarray = out.numpy()  # of ToTensorV2, which puts channels first
    return tensor if planes else np.moveaxis(tensor, 0, -1)
