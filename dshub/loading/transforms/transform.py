"""What a transform is, and the image sizes it can count on.

What the transforms are told about sizes, and what they ask of the pictures they are given.
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeGuard, runtime_checkable

import numpy as np

from dshub._validate import whole
from dshub.catalog.features import Feature
from dshub.errors import ArgumentError, DshubError
from dshub.loading.order import Draws
from dshub.loading.transforms.foreign import changed, package_of

Size = int | tuple[int, int]
Pictures = np.ndarray | list[np.ndarray]
"""A column: an array (rows, height, width, channels), or a list of arrays (height, width,
channels) where pictures differ in size."""


def size_of(name: str, value: Any) -> Size:
    """One number, or height and width, each at least 1; raises ArgumentError.

    Args:
        name: of the argument and its transform.
        value: also a list, or numbers of NumPy's.
    """
    if not isinstance(value, list | tuple):
        return whole(name, value, least=1)
    if len(value) != 2:
        raise ArgumentError(name=name, value=value, expected="a number, or (height, width)")
    return whole(name, value[0], least=1), whole(name, value[1], least=1)


def pair(size: Size) -> tuple[int, int]:
    """Height and width."""
    return (size, size) if isinstance(size, int) else size


def too_large(name: str, wanted: tuple[int, int], height: int, width: int) -> ArgumentError:
    """The error for a picture that is smaller than what is to be cut out of it.

    Args:
        name: of the transform.
        wanted: height and width of the part.
        height, width: of the picture, with what is put around it.
    """
    return ArgumentError(
        name=f"size of {name}",
        value=wanted,
        expected=f"at most ({height}, {width}), which is what there is of a picture",
        hint=f"Resize before {name} makes pictures large enough; RandomCrop also takes padding",
    )


def box(
    picture: np.ndarray,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    drawn: np.ndarray,
) -> tuple[slice, slice]:
    """A random rectangle of a picture, as rows and columns of pixels.

    Args:
        picture: (height, width, channels).
        scale: the least and the largest share of its area.
        ratio: the least and the largest width by height.
        drawn: four numbers from 0 to 1: for area, ratio, and place down and right.
    """
    height, width = picture.shape[:2]
    low, high = scale
    area = height * width * (low + (high - low) * drawn[0])
    narrow, wide = (math.log(end) for end in ratio)
    shape = math.exp(narrow + (wide - narrow) * drawn[1])
    right = min(width, max(1, round(math.sqrt(area * shape))))
    down = min(height, max(1, round(math.sqrt(area / shape))))
    y, x = int(drawn[2] * (height - down + 1)), int(drawn[3] * (width - right + 1))
    return slice(y, y + down), slice(x, x + right)


def array_of(pictures: Pictures, name: str, column: str) -> np.ndarray:
    """The pictures, where they are one array.

    Args:
        pictures: a column.
        name: of the transform that needs them so.
        column: for the error.

    Raises:
        DshubError: they may differ in size.
    """
    if isinstance(pictures, np.ndarray):
        return pictures
    raise DshubError(
        f"{name} takes pictures of one size, and those of column {column} may differ",
        hint=f"put Resize((height, width)) or RandomResizedCrop before {name}",
    )


def copied(pictures: Pictures) -> Pictures:
    """The same in memory of their own, to draw in."""
    if isinstance(pictures, list):
        return [picture.copy() for picture in pictures]
    return pictures.copy()


Batch = dict[str, Any]
"""Column name to an array (rows, …), or to a list where rows differ in shape or are text."""


@dataclass(frozen=True)
class Context:
    """What a transform is told besides the batch.

    Attributes:
        draws: random numbers of the rows.
        features: what the columns held when they were read.
        pictures: the columns that hold pictures.
        labels: the columns that hold classes.
        planes: whether channels come first in what callables of other packages are given.
    """

    draws: Draws
    features: Mapping[str, Feature]
    pictures: Sequence[str] = ()
    labels: Sequence[str] = ()
    planes: bool = False


@runtime_checkable
class Transform(Protocol):
    """A transform of dshub's own: a frozen value."""

    def apply(self, batch: Batch, context: Context) -> Batch:
        """The batch, changed; arrays may be changed in place."""


AnyTransform = Transform | Callable[..., Batch]


def apply(
    transforms: Sequence[AnyTransform], batch: Batch, context: Context, *, first: int = 0
) -> Batch:
    """The batch after all transforms, each with draws of its own.

    A callable of another kind is called with the batch; and with `generator`, a
    `numpy.random.Generator` for this batch, if it has a parameter of that name. One of
    torchvision or albumentations is called with each picture: `dshub.loading.transforms.foreign`.

    Args:
        first: number of the first transform in the whole list.

    Raises:
        DshubError: a callable returns no batch.
    """
    transform: Any  # a type checker cannot know that what is not dshub's own is called
    for i, transform in enumerate(transforms, first):
        own = replace(context, draws=context.draws.apart(i))
        if is_own(transform):
            batch = transform.apply(batch, own)
        elif package_of(transform):
            for name in own.pictures:
                batch[name] = changed(transform, batch[name], own.draws.bits(), planes=own.planes)
        elif _wants_generator(transform):
            batch = _returned(transform, transform(batch, generator=own.draws.generator()))
        else:
            batch = _returned(transform, transform(batch))
    return batch


def is_own(transform: Any) -> TypeGuard[Transform]:
    """Whether it is one of dshub's kind; albumentations' have a method of the same name."""
    return isinstance(transform, Transform) and not package_of(transform)


def _returned(transform: Any, found: Any) -> Batch:
    """The batch that a callable returned; a forgotten `return` is what people meet most."""
    if isinstance(found, Mapping):
        return found  # type: ignore[return-value]  # such as a tokenizer's own kind
    name = getattr(transform, "__qualname__", type(transform).__name__)
    raise DshubError(
        f"the transform {name} returned {type(found).__name__}, and no batch",
        hint="let it return the dict that it was given, changed, or another one",
    )


def _wants_generator(transform: Callable[..., Batch]) -> bool:
    try:
        return "generator" in inspect.signature(transform).parameters
    except (TypeError, ValueError):  # built in C, without a signature
        return False
