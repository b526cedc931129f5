"""The protocol of transforms, and helpers for those that change images."""

import inspect
import math
from abc import ABC, abstractmethod
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
Images = np.ndarray | list[np.ndarray]
"""A column: an array (rows, height, width, channels), or a list of arrays (height, width,
channels) if images differ in size."""

Batch = dict[str, Any]
"""Column name to an array (rows, …), or to a list if rows differ in shape or are text."""


@dataclass(frozen=True)
class Context:
    """What a transform gets besides the batch.

    Attributes:
        draws: random numbers of the rows.
        features: of the columns as they were read.
        image_columns: the columns that hold images.
        labels: the columns that hold classes.
        planes: whether callables of other packages get channels first.
    """

    draws: Draws
    features: Mapping[str, Feature]
    image_columns: Sequence[str] = ()
    labels: Sequence[str] = ()
    planes: bool = False


@runtime_checkable
class Transform(Protocol):
    """A transform of dshub: a frozen value."""

    def apply(self, batch: Batch, context: Context) -> Batch:
        """Return the batch, changed; arrays can be changed in place."""


AnyTransform = Transform | Callable[..., Batch]


class ImageTransform(ABC):
    """A transform that changes each column of images by itself."""

    @abstractmethod
    def change(self, images: Images, context: Context) -> Images:
        """Return the images of a column, changed."""

    def apply(self, batch: Batch, context: Context) -> Batch:
        for name in context.image_columns:
            batch[name] = self.change(batch[name], context)
        return batch


def check_size(name: str, value: Any) -> Size:
    """Check a size: one number, or height and width, each at least 1; raises ArgumentError.

    Args:
        name: of the argument and its transform.
        value: also a list, or numbers of NumPy.
    """
    if not isinstance(value, list | tuple):
        return whole(name, value, least=1)
    if len(value) != 2:
        raise ArgumentError(name=name, value=value, expected="a number, or (height, width)")
    return whole(name, value[0], least=1), whole(name, value[1], least=1)


def pair(size: Size) -> tuple[int, int]:
    """Height and width."""
    return (size, size) if isinstance(size, int) else size


def check_fits(name: str, size: tuple[int, int], height: int, width: int) -> None:
    """Check that a part fits into an image; raises ArgumentError.

    Args:
        name: of the transform.
        size: height and width of the part.
        height, width: of the image, with its padding.
    """
    if size[0] > height or size[1] > width:
        raise ArgumentError(
            name=f"size of {name}",
            value=size,
            expected=f"at most ({height}, {width}), the size of the image",
            hint=f"put Resize before {name} to enlarge images; RandomCrop also takes padding",
        )


def random_box(
    image: np.ndarray, scale: tuple[float, float], ratio: tuple[float, float], drawn: np.ndarray
) -> tuple[slice, slice]:
    """Choose a random rectangle of an image, as rows and columns of pixels.

    Args:
        image: (height, width, channels).
        scale: the smallest and the largest share of its area.
        ratio: the smallest and the largest width / height.
        drawn: four numbers from 0 to 1: for area, ratio, row and column.
    """
    height, width = image.shape[:2]
    low, high = scale
    area = height * width * (low + (high - low) * drawn[0])
    narrow, wide = (math.log(end) for end in ratio)
    shape = math.exp(narrow + (wide - narrow) * drawn[1])
    right = min(width, max(1, round(math.sqrt(area * shape))))
    down = min(height, max(1, round(math.sqrt(area / shape))))
    y, x = int(drawn[2] * (height - down + 1)), int(drawn[3] * (width - right + 1))
    return slice(y, y + down), slice(x, x + right)


def one_array(images: Images, name: str, column: str) -> np.ndarray:
    """Return images that are one array.

    Args:
        images: a column.
        name: of the transform that needs an array.
        column: for the error.

    Raises:
        DshubError: the images can differ in size.
    """
    if isinstance(images, np.ndarray):
        return images
    raise DshubError(
        f"{name} needs images of one size, and those of column {column} can differ",
        hint=f"put Resize((height, width)) or RandomResizedCrop before {name}",
    )


def each(images: Images, function: Callable[[np.ndarray], np.ndarray]) -> Images:
    """Apply a function to the array of a column, or to each array of a list."""
    return list(map(function, images)) if isinstance(images, list) else function(images)


def stacked(images: list[np.ndarray], size: Size | None = None) -> Images:
    """Stack images if they have one shape.

    Args:
        images: in order.
        size: of the images, if it is known for an empty list.
    """
    if not images and size is not None:
        return np.empty((0, *pair(size), 3), np.uint8)
    return np.stack(images) if len({image.shape for image in images}) == 1 else images


def apply(
    transforms: Sequence[AnyTransform], batch: Batch, context: Context, *, first: int = 0
) -> Batch:
    """Apply transforms to a batch, each with its own draws.

    Other callables are called with the batch, and with `generator`, a `numpy.random.Generator`
    for this batch, if they have a parameter of that name. Those of torchvision or albumentations
    are called with each image: `dshub.loading.transforms.foreign`.

    Args:
        transforms: in order.
        batch: to change.
        context: of the batch.
        first: index of the first transform in the whole list.

    Raises:
        DshubError: a callable does not return a batch.
    """
    transform: Any  # a type checker cannot tell the kinds apart
    for i, transform in enumerate(transforms, first):
        own = replace(context, draws=context.draws.apart(i))
        if is_own(transform):
            batch = transform.apply(batch, own)
        elif package_of(transform):
            for name in own.image_columns:
                images = changed(transform, batch[name], own.draws.bits(), planes=own.planes)
                batch[name] = stacked(images)
        elif _takes_generator(transform):
            batch = _checked(transform, transform(batch, generator=own.draws.generator()))
        else:
            batch = _checked(transform, transform(batch))
    return batch


def is_own(transform: Any) -> TypeGuard[Transform]:
    """True for transforms of dshub's kind; those of albumentations also have a method `apply`."""
    return isinstance(transform, Transform) and not package_of(transform)


def _checked(transform: Any, returned: Any) -> Batch:
    """Check that a callable returned a batch; people often forget the `return`."""
    if isinstance(returned, Mapping):
        return returned  # type: ignore[return-value]  # such as a tokenizer's own kind
    name = getattr(transform, "__qualname__", type(transform).__name__)
    raise DshubError(
        f"the transform {name} returned {type(returned).__name__} instead of a batch",
        hint="return the changed dict, or another one",
    )


def _takes_generator(transform: Callable[..., Batch]) -> bool:
    try:
        return "generator" in inspect.signature(transform).parameters
    except (TypeError, ValueError):  # built in C, without a signature
        return False
