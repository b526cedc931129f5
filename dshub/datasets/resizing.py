"""Resize images for storage, as smaller JPEG files or as raw pixels of one size.

Decoding a photograph takes most of the time of image training. A table of smaller images needs a
fraction of it: JPEG files of a quarter of the pixels decode about three times as fast, and raw
pixels need no decoding at all. Masks get the size of their images, without loss.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from PIL import Image

from dshub.catalog.features import Feature, ImageFeature, MaskFeature
from dshub.datasets.mapping import MappedSource
from dshub.datasets.sources import Source
from dshub.errors import ArgumentError, SchemaError
from dshub.loading.transforms.callables import check_boxes
from dshub.loading.transforms.geometry import CenterCrop, Resize, nearest
from dshub.loading.transforms.transform import Size
from dshub.loading.transforms.windows import Window

if TYPE_CHECKING:
    from dshub.datasets.view import RowView

QUALITY = 90  # default quality of JPEG files
REVISION = 1  # increment if the pixels of a result change
BLOCK = 16  # images per call; a photograph takes several MB
_HINT = "resize a dataset with a column of images"
_JPEG = re.compile(r"jpeg(?::([1-9]\d?|100))?")


@dataclass(frozen=True)
class Encoding:
    """Encoding of resized images.

    Attributes:
        quality: quality of JPEG files, from 1 to 100; None for raw pixels.
        square: whether the longer side is cropped at the center.
    """

    quality: int | None = None
    square: bool = False

    def __str__(self) -> str:
        return "raw" if self.quality is None else f"jpeg:{self.quality}"

    @classmethod
    def parse(cls, text: Any) -> "Encoding":
        """Parse `raw`, `jpeg` or `jpeg:QUALITY`; raise ArgumentError for any other text."""
        matched = _JPEG.fullmatch(text) if isinstance(text, str) else None
        if text != "raw" and matched is None:
            expected = "'raw', 'jpeg' or 'jpeg:QUALITY', such as 'jpeg:90'"
            raise ArgumentError(name="encode", value=text, expected=expected)
        return cls(int(matched[1] or QUALITY) if matched else None)

    def feature(
        self, old: ImageFeature | MaskFeature, size: tuple[int, ...]
    ) -> ImageFeature | MaskFeature:
        """Return the feature of resized images or masks; the size is empty if they differ."""
        if isinstance(old, MaskFeature):
            lossless = "any" if old.dtype == "int32" else "png"
            encoding = "raw" if self.quality is None else lossless
            return msgspec.structs.replace(old, shape=size, encoding=encoding)
        channels = old.shape[2] if old.shape else 3
        shape = (*size, channels) if size else ()
        return ImageFeature(shape=shape, encoding="raw" if self.quality is None else "jpeg")

    def encode(self, pixels: np.ndarray) -> Any:
        """Encode an image, uint8 (height, width, 1 or 3), or without loss a mask."""
        if self.quality is None:
            return pixels
        stream = io.BytesIO()
        image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels)
        if pixels.ndim == 2:
            image.save(stream, "TIFF" if pixels.dtype == np.int32 else "PNG")
        else:
            image.save(stream, "JPEG", quality=self.quality)
        return stream.getvalue()


@dataclass(frozen=True)
class Resizing:
    """Function for `map` that resizes and encodes columns of images and masks.

    Attributes:
        size: (height, width), or the length of the shorter side.
        encodings: encoding by column.
    """

    size: Size
    encodings: Mapping[str, Encoding]

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: [encoding.encode(self._resized(image, encoding)) for image in batch[name]]
            for name, encoding in self.encodings.items()
        }

    def _resized(self, image: np.ndarray, encoding: Encoding) -> np.ndarray:
        if image.ndim == 2:
            return self._resized_mask(image, encoding)
        resized: np.ndarray = Resize(self.size)(image)
        return CenterCrop(self.size)(resized) if encoding.square else resized

    def _resized_mask(self, mask: np.ndarray, encoding: Encoding) -> np.ndarray:
        whole = Window.of((0, 0, *mask.shape), Resize(self.size).target(*mask.shape))
        resized = nearest(mask, whole)
        return CenterCrop(self.size)(resized[..., None])[..., 0] if encoding.square else resized

    def feature(self, name: str, old: ImageFeature | MaskFeature) -> ImageFeature | MaskFeature:
        """Return the feature of a resized column."""
        encoding = self.encodings[name]
        if old.shape:
            whole = np.empty(old.shape[:2], np.uint8)
            return encoding.feature(old, self._resized_mask(whole, encoding).shape)
        if isinstance(self.size, tuple):
            return encoding.feature(old, self.size)
        return encoding.feature(old, (self.size, self.size) if encoding.square else ())


class ResizedSource(MappedSource):
    """Rows of another source with resized images.

    Args:
        source: source of the rows, without decoding.
        inputs: decoding view of all rows with the columns to resize.
        resizing: function that resizes these columns.
    """

    def __init__(self, source: Source, inputs: "RowView", resizing: Resizing) -> None:
        self._resizing = resizing
        features = {name: resizing.feature(name, inputs.features[name]) for name in inputs.features}
        size = (
            resizing.size if isinstance(resizing.size, int) else "x".join(map(str, resizing.size))
        )
        self.cache_name = f"{source.manifest.name if source.manifest else 'images'}-{size}"
        super().__init__(source, inputs, resizing, batched=True, block=BLOCK, features=features)

    def _features(self, passed: Mapping[str, Feature]) -> dict[str, Feature]:
        return dict(passed)  # known without computing rows

    def _described(self) -> list[Any]:
        encodings = {name: str(value) for name, value in self._resizing.encodings.items()}
        return ["resize", REVISION, self._resizing.size, encodings]


def resizing_of(view: "RowView", size: Size, encode: str | None) -> Resizing:
    """Return the function that resizes all columns of images and masks of a view.

    Args:
        view: view of the rows.
        size: (height, width), or the length of the shorter side.
        encode: encoding, or None for raw pixels if all images get the same size, and else JPEG.

    Raises:
        ArgumentError: `size` or `encode` is invalid.
        SchemaError: there is no image column, or its pixels are not uint8.
        DshubError: the view has boxes, which would not be resized.
    """
    size = Resize(size).size
    columns = {
        name: feature
        for name, feature in view.features.items()
        if isinstance(feature, ImageFeature | MaskFeature)
    }
    has_masks = any(isinstance(feature, MaskFeature) for feature in columns.values())
    all_same = all(feature.shape for feature in columns.values())
    encodings = {}
    for name, feature in columns.items():
        if isinstance(feature, ImageFeature) and feature.dtype != "uint8":
            got = f"pixels of the type {feature.dtype}"
            raise SchemaError(where=f"column {name}", expected="uint8 pixels", got=got, hint=_HINT)
        # masks are cropped if their images are
        same = isinstance(size, tuple) or (all_same if has_masks else bool(feature.shape))
        encoding = Encoding.parse(("raw" if same else "jpeg") if encode is None else encode)
        encodings[name] = replace(encoding, square=encoding.quality is None and not same)
    if not any(isinstance(feature, ImageFeature) for feature in columns.values()):
        got = f"columns {', '.join(view.features)}"
        raise SchemaError(where="resize", expected="a column of images", got=got, hint=_HINT)
    is_cropped = any(encoding.square for encoding in encodings.values())
    check_boxes([CenterCrop(size)] if is_cropped else [Resize(size)], view.features)
    return Resizing(size, encodings)
