"""Protocol of transforms, how they are applied, and helpers for image transforms."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeGuard, runtime_checkable

import numpy as np

from dshub._validate import whole
from dshub.catalog.features import Feature, MaskFeature
from dshub.errors import ArgumentError, DshubError
from dshub.loading.calling import calling, name_of
from dshub.loading.order import Draws
from dshub.loading.transforms.foreign import apply_to_images, package_of

Layout = Literal["hwc", "chw"]
Size = int | tuple[int, int]
Images = np.ndarray | list[np.ndarray]
"""Images of a column: an array (rows, height, width, channels), or a list of arrays (height, width,
channels) if they differ in size."""

Batch = dict[str, Any]
"""Columns by name: arrays (rows, …), or lists if rows differ in shape or are text."""


@dataclass(frozen=True)
class Context:
    """Information about a batch, passed to transforms.

    Attributes:
        draws: random numbers of the rows.
        features: features of the columns before any transform.
        image_columns: columns that hold images.
        label_columns: columns that hold labels.
        planes: whether callables of other packages receive images with channels first.
        training: whether random transforms change the batch.
        mask_columns: columns that hold masks.
        mask: feature of the masks that a transform changes like images, or None for images.
    """

    draws: Draws
    features: Mapping[str, Feature]
    image_columns: Sequence[str] = ()
    label_columns: Sequence[str] = ()
    planes: bool = False
    training: bool = True
    mask_columns: Sequence[str] = ()
    mask: MaskFeature | None = None


@runtime_checkable
class Transform(Protocol):
    """Protocol of dshub transforms, which are immutable."""

    def apply(self, batch: Batch, context: Context) -> Batch:
        """Return the transformed batch; its arrays can be modified in place."""


AnyTransform = Transform | Callable[..., Batch]


def check_size(name: str, value: Any) -> Size:
    """Check that a size is an integer or a pair (height, width) of at least 1.

    Args:
        name: name of the argument and its transform, for errors.
        value: size, with lists and NumPy integers allowed.

    Raises:
        ArgumentError: the size is invalid.
    """
    if not isinstance(value, list | tuple):
        return whole(name, value, least=1)
    if len(value) != 2:
        raise ArgumentError(name=name, value=value, expected="a number, or (height, width)")
    return whole(name, value[0], least=1), whole(name, value[1], least=1)


def pair(size: Size) -> tuple[int, int]:
    """Return a size as (height, width)."""
    return (size, size) if isinstance(size, int) else size


def check_fits(name: str, size: tuple[int, int], height: int, width: int) -> None:
    """Raise ArgumentError if a part is larger than an image.

    Args:
        name: name of the transform.
        size: height and width of the part.
        height, width: size of the image, including padding.
    """
    if size[0] > height or size[1] > width:
        raise ArgumentError(
            name=f"size of {name}",
            value=size,
            expected=f"at most ({height}, {width}), the size of the image",
            hint=f"put Resize before {name} to enlarge images, or pad them with RandomCrop",
        )


def random_box(
    size: tuple[int, ...], scale: tuple[float, float], ratio: tuple[float, float], drawn: Any
) -> tuple[slice, slice]:
    """Choose a random rectangle of an image, and return slices of its rows and columns.

    Args:
        size: height and width of the image, and further numbers.
        scale: smallest and largest fraction of the image area.
        ratio: smallest and largest width / height.
        drawn: four random numbers from 0 to 1, for area, ratio, row and column.
    """
    height, width = size[:2]
    low, high = scale
    area = height * width * (low + (high - low) * drawn[0])
    narrow, wide = (math.log(end) for end in ratio)
    shape = math.exp(narrow + (wide - narrow) * drawn[1])
    right = min(width, max(1, round(math.sqrt(area * shape))))
    down = min(height, max(1, round(math.sqrt(area / shape))))
    y, x = int(drawn[2] * (height - down + 1)), int(drawn[3] * (width - right + 1))
    return slice(y, y + down), slice(x, x + right)


def one_array(images: Images, name: str, column: str) -> np.ndarray:
    """Return images that are one array, or raise an error.

    Args:
        images: images of a column.
        name: name of the transform that requires an array.
        column: name of the column.

    Raises:
        DshubError: the images can differ in size.
    """
    if isinstance(images, np.ndarray):
        return images
    raise DshubError(
        f"{name} requires images of equal size, but those of column {column} can differ",
        hint=f"put Resize((height, width)) or RandomResizedCrop before {name}",
    )


def each(images: Images, function: Callable[[np.ndarray], np.ndarray]) -> Images:
    """Apply a function to an array of images, or to each array of a list."""
    return list(map(function, images)) if isinstance(images, list) else function(images)


def channels_first(images: np.ndarray) -> np.ndarray:
    """Move the channels of images, (…, height, width, channels), to the front."""
    return np.ascontiguousarray(np.moveaxis(images, -1, -3))


def stack(images: list[np.ndarray], size: Size | None = None) -> Images:
    """Stack images into one array if they have the same shape.

    Args:
        images: images in order.
        size: size of the images, used for an empty list.
    """
    if not images and size is not None:
        return np.empty((0, *pair(size), 3), np.uint8)
    return np.stack(images) if len({image.shape for image in images}) == 1 else images


def apply(
    transforms: Sequence[AnyTransform], batch: Batch, context: Context, *, first: int = 0
) -> Batch:
    """Apply transforms to a batch, each with its own random draws.

    Torchvision and albumentations transforms are called with each image (see
    `dshub.loading.transforms.foreign`). Other callables are called with the batch, and with a
    `numpy.random.Generator` if they have a parameter `generator`.

    Args:
        transforms: transforms in order.
        batch: batch to change.
        context: context of the batch.
        first: index of the first transform in the complete list.

    Raises:
        FunctionError: a transform fails. The error names the transform and shows its input.
        DshubError: a callable does not return a batch.
    """

    def where() -> str:
        rows = context.draws.rows
        return f"a batch of {len(rows):,} rows, from row {rows[0]:,}" if len(rows) else "no rows"

    for i, transform in enumerate(transforms, first):
        separate = replace(context, draws=context.draws.apart(i))
        with calling("batches", transform, where, dict(batch)):
            batch = _applied(transform, batch, separate)
    return batch


def _applied(transform: Any, batch: Batch, context: Context) -> Batch:
    if is_own(transform):
        return transform.apply(batch, context)
    if package_of(transform):
        return _applied_to_images(transform, batch, context)
    if _takes_generator(transform):
        return _check_batch(transform, transform(batch, generator=context.draws.generator()))
    return _check_batch(transform, transform(batch))


def _applied_to_images(transform: Any, batch: Batch, context: Context) -> Batch:
    """Apply a transform of another package to each image, and to the masks with the first image."""
    seeds, planes = context.draws.bits(), context.planes
    for name in context.image_columns:
        masks = context.mask_columns if name == context.image_columns[0] else ()
        columns = [batch[mask] for mask in masks]
        images, changed = apply_to_images(transform, batch[name], seeds, columns, planes=planes)
        batch[name] = stack(images)
        batch |= {mask: stack(values) for mask, values in zip(masks, changed, strict=bool(images))}
    return batch


def is_own(transform: Any) -> TypeGuard[Transform]:
    """Return True for dshub transforms; albumentations transforms also have a method `apply`."""
    return isinstance(transform, Transform) and not package_of(transform)


def _check_batch(transform: Any, returned: Any) -> Batch:
    """Check that a callable returned a batch, because `return` is easy to forget."""
    if isinstance(returned, Mapping):
        return returned  # type: ignore[return-value]  # tokenizers have their own mapping
    name = name_of(transform)
    raise DshubError(
        f"the transform {name} returned {type(returned).__name__} instead of a batch",
        hint=f"return the batch, which is a dict, from {name}",
    )


def _takes_generator(transform: Callable[..., Batch]) -> bool:
    try:
        return "generator" in inspect.signature(transform).parameters
    except (TypeError, ValueError):  # C functions can lack a signature
        return False
