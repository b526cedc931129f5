"""Base classes of dshub transforms, which can be called with images."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, cast

import numpy as np
from PIL import Image

from dshub._validate import choice, flag, whole
from dshub.catalog.features import (
    Feature,
    ImageFeature,
    LabelFeature,
    MaskFeature,
    NumberFeature,
    boxes_in,
    describe,
)
from dshub.errors import ArgumentError, DshubError
from dshub.loading.calling import describe_values, name_of
from dshub.loading.order import Draws
from dshub.loading.transforms.foreign import moves_pixels, package_of
from dshub.loading.transforms.transform import (
    AnyTransform,
    Batch,
    Context,
    Images,
    Layout,
    apply,
    channels_first,
    each,
    is_own,
    stack,
)

IMAGE = "image"  # column name for images that are passed without a batch


class BaseTransform(ABC):
    """A transform that changes batches in a loader, and can be called with images.

    Attributes:
        needs_images: whether a batch must have a column of images.
        moves: `no` if objects keep their place in the image; `scales` if their place changes only
            in pixels, not in fractions of the image; otherwise `yes`.
    """

    needs_images: ClassVar[bool] = True
    moves: ClassVar[Literal["no", "scales", "yes"]] = "no"

    @abstractmethod
    def apply(self, batch: Batch, context: Context) -> Batch:
        """Return the transformed batch."""

    @property
    def steps(self) -> tuple[AnyTransform, ...]:
        """Transforms to apply, in order; only this one, except for `Compose`."""
        return (self,)

    def __call__(
        self,
        images: Any,
        *,
        training: bool = False,
        seed: int = 0,
        layout: Layout = "hwc",
        features: Mapping[str, Feature] | None = None,
    ) -> Any:
        """Transform an image, several images or a batch, for example in a server.

        ::

            Normalize(mean=(0.286,), std=(0.353,))(image)
            RandomCrop(28, padding=2)(images, training=True, seed=1)

        Args:
            images: one image, as an array (height, width, channels) or a Pillow image; several
                images, as an array (rows, height, width, channels) or a list; or a batch, as a
                dict of columns.
            training: whether to augment. If False, random crops take the center, and flips,
                erasing and mixing do nothing.
            seed: seed of random changes, which equal those of the first rows in the first epoch of
                ``ds.batches(…, transform=…, seed=seed)``.
            layout: `hwc`, or `chw` for a result with channels first.
            features: features of a batch, such as ``ds.features``. Without them, columns of images
                are recognized by their shape, and no column has labels.

        Returns:
            The transformed image, images or batch. `images` is not modified.

        Raises:
            ArgumentError: `images` has an unsupported type, or an option is invalid.
            DshubError: a batch has no images.
        """
        training, seed = flag("training", training), whole("seed", seed)
        planes = choice("layout", layout, ("hwc", "chw")) == "chw"
        if isinstance(images, Mapping):
            return self._call(dict(images), features, training=training, seed=seed, planes=planes)
        several = isinstance(images, list | tuple) or getattr(images, "ndim", 0) == 4
        if not several and not _is_image(images):
            expected = "an image (height, width, channels), several images, or a batch"
            raise ArgumentError(name="images", value=_Shown(images), expected=expected)
        batch = {IMAGE: images if several else [images]}
        batch = self._call(batch, None, training=training, seed=seed, planes=planes)
        return batch[IMAGE] if several else batch[IMAGE][0]

    def _call(
        self,
        batch: Batch,
        features: Mapping[str, Feature] | None,
        *,
        training: bool,
        seed: int,
        planes: bool,
    ) -> Batch:
        kinds = {name: kind for name, kind in (features or {}).items() if name in batch}
        images = [name for name, kind in kinds.items() if isinstance(kind, ImageFeature)]
        if features is None:
            images = [name for name, values in batch.items() if name == IMAGE or _is_images(values)]
        check_images(self.steps, images, kinds)
        batch |= {name: _pixels(name, batch[name]) for name in images}
        draws = Draws.of(np.arange(len(next(iter(batch.values()), ()))), seed, 0)
        labels = [name for name, kind in kinds.items() if isinstance(kind, LabelFeature)]
        masks = [name for name, kind in kinds.items() if isinstance(kind, MaskFeature)]
        context = Context(draws, kinds, images, labels, planes, training, masks)
        own = [step for step in self.steps if is_own(step)]
        batch = apply(own, batch, context)
        for name in images if planes else ():
            batch[name] = each(batch[name], channels_first)
        return apply(self.steps[len(own) :], batch, context, first=len(own))


class ImageTransform(BaseTransform):
    """Base class of transforms that change each image column separately."""

    @abstractmethod
    def change(self, images: Images, context: Context) -> Images:
        """Return the transformed images of a column."""

    def apply(self, batch: Batch, context: Context) -> Batch:
        for name in context.image_columns:
            batch[name] = self.change(batch[name], context)
        return batch


class GeometricTransform(ImageTransform):
    """Base class of transforms that move pixels, which change masks in the same way.

    `change` also receives masks, (rows, height, width, 1), with `Context.mask`. It must not blend
    their values.
    """

    def apply(self, batch: Batch, context: Context) -> Batch:
        batch = super().apply(batch, context)
        for name in context.mask_columns:
            feature = cast("MaskFeature", context.features[name])
            masks = each(batch[name], lambda mask: mask[..., None])
            masks = self.change(masks, replace(context, mask=feature))
            batch[name] = each(masks, lambda mask: mask[..., 0])
        return batch


def check_images(
    transforms: Sequence[AnyTransform], columns: Sequence[str], features: Mapping[str, Feature]
) -> None:
    """Raise DshubError if a transform needs images and there is no column of images.

    Args:
        transforms: transforms in order.
        columns: columns of images.
        features: features of all columns.
    """
    for transform in () if columns else transforms:
        if getattr(transform, "needs_images", False) or package_of(transform):
            kinds = ", ".join(f"{name} ({describe(kind)})" for name, kind in features.items())
            note = f"; the columns are {kinds}" if kinds else ""
            raise DshubError(
                f"{name_of(transform)} requires an image column{note}", hint=_hint(features)
            )


def check_boxes(transforms: Sequence[AnyTransform], features: Mapping[str, Feature]) -> None:
    """Raise DshubError if a transform moves objects in an image, but not their boxes.

    Args:
        transforms: transforms in order.
        features: features of all columns.
    """
    boxes = {name: box for name, feature in features.items() for box in boxes_in(feature)}
    for transform in transforms if boxes else ():
        moves = getattr(transform, "moves", "yes" if moves_pixels(transform) else "no")
        wrong = [n for n, box in boxes.items() if moves == "yes" or not box.relative]
        if moves == "no" or not wrong:
            continue
        others = [name for name in features if name not in boxes]
        relative = 'convert them with ds.convert_boxes("xyxy", relative=True), or '
        raise DshubError(
            f"{name_of(transform)} would move the objects in images, but not the boxes of column "
            f"{wrong[0]}",
            hint=f"{relative if moves == 'scales' else ''}transform images and boxes together in a "
            f"function for ds.map or DataLoader, or leave the boxes out with ds.columns({others})",
        )


def _hint(features: Mapping[str, Feature]) -> str:
    """Return a hint on how to get images, with the shape of the most similar column."""
    if any(isinstance(kind, ImageFeature) for kind in features.values()):
        return "call ds.decode() to get pixels instead of files"
    for name, kind in features.items():
        if isinstance(kind, NumberFeature) and len(kind.shape) in {2, 3}:
            shape = (*kind.shape, 1)[:3]
            dtype = "" if kind.dtype == "uint8" else f', dtype="{kind.dtype}"'
            hint = f'pass features={{"{name}": ImageFeature(shape={shape}{dtype})}}'
            added = f", with arrays of shape (rows, {', '.join(map(str, shape))})"
            return hint + (added if len(kind.shape) == 2 else "")
    return 'pass features={"x": ImageFeature(shape=(height, width, channels))}'


def _is_images(values: Any) -> bool:
    if isinstance(values, list | tuple):
        return bool(values) and _is_image(values[0])
    return isinstance(values, np.ndarray) and values.ndim == 4


def _is_image(value: Any) -> bool:
    return isinstance(value, Image.Image) or (isinstance(value, np.ndarray) and value.ndim == 3)


def _pixels(name: str, images: Any) -> Images:
    """Convert the images of a column to one array, or to a list of arrays if they differ in size.

    Raises:
        ArgumentError: the values are not images.
    """
    if isinstance(images, np.ndarray) and images.ndim == 4:
        return images
    if isinstance(images, list | tuple) and all(map(_is_image, images)):
        return stack(list(map(_array, images))) if images else []
    raise ArgumentError(
        name=f"column {name}",
        value=_Shown(images),
        expected="an array (rows, height, width, channels), or a list of arrays "
        "(height, width, channels) and Pillow images",
    )


def _array(image: Any) -> np.ndarray:
    if not isinstance(image, Image.Image):
        array: np.ndarray = image
        return array
    if image.mode in {"1", "L"}:
        return np.asarray(image.convert("L"))[:, :, None]
    return np.asarray(image.convert("RGB"))


class _Shown:
    """A value that is shown by its shape in error messages."""

    def __init__(self, value: object) -> None:
        self.text = describe_values(value)

    def __repr__(self) -> str:
        return self.text
