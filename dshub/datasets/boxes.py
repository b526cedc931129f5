"""Convert bounding boxes between formats, and between pixels and fractions of the image."""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from dshub.catalog.features import (
    BoxFeature,
    BoxFormat,
    Feature,
    ImageFeature,
    ListFeature,
    StructFeature,
    boxes_in,
    describe,
)
from dshub.datasets.sources import Source
from dshub.errors import SchemaError
from dshub.loading.decoding import images
from dshub.tables.columns import Values

SIZE = ("width", "height")  # columns with the size of the image
_ROTATED = range(5, 9)  # EXIF orientations that swap width and height

Change = Callable[[np.ndarray, BoxFeature], np.ndarray]


def convert_boxes(
    boxes: np.ndarray, old: BoxFeature, new: BoxFeature, size: tuple[float, float] | None = None
) -> np.ndarray:
    """Convert boxes of shape (…, 4) to another format.

    Args:
        boxes: numbers in the format `old`.
        old: format of the boxes.
        new: format of the result.
        size: width and height of the image in pixels; needed if only one of the formats is
            relative.
    """
    values = np.asarray(boxes, np.float64)
    first, second = values[..., :2], values[..., 2:]
    extent = second - first if old.format == "xyxy" else second
    corner = first - extent / 2 if old.format == "cxcywh" else first
    if new.relative != old.relative:
        assert size is not None  # noqa: S101  # the caller passes it
        scale = np.array(size) if old.relative else 1 / np.array(size)
        corner, extent = corner * scale, extent * scale
    first = corner + extent / 2 if new.format == "cxcywh" else corner
    second = corner + extent if new.format == "xyxy" else extent
    return np.concatenate([first, second], axis=-1).astype(new.dtype)


def check_boxes(name: str, old: Feature, new: Feature) -> None:
    """Raise SchemaError if features have boxes in different formats, which `cast` cannot convert.

    Args:
        name: name of the column.
        old: feature of the column.
        new: requested feature.
    """
    formats = [{(box.format, box.relative) for box in boxes_in(item)} for item in (old, new)]
    if all(formats) and formats[0] != formats[1]:
        (form, relative), *_ = sorted(formats[1])
        raise SchemaError(
            where=f"column {name}",
            expected=f"boxes in the same format, {describe(next(boxes_in(old)))}",
            got=describe(next(boxes_in(new))),
            hint=f'convert them with ds.convert_boxes("{form}", relative={relative})',
        )


class BoxSource(Source):
    """Rows of another source, with boxes in another format.

    Args:
        source: source of the rows.
        format: format of the boxes.
        relative: whether boxes become fractions of the image; None keeps each column as it is.

    Raises:
        SchemaError: no column has boxes; or `relative` changes boxes, and there are neither columns
            `width` and `height` nor exactly one column of images.
    """

    def __init__(self, source: Source, format: BoxFormat, *, relative: bool | None) -> None:  # noqa: A002
        self._source, self._format, self._relative = source, format, relative
        names = [name for name, feature in source.features.items() if any(boxes_in(feature))]
        if not names:
            raise SchemaError(
                where="convert_boxes",
                expected="a column of boxes",
                got=f"the columns {', '.join(source.features)}",
                hint='state the format with ds.cast({"boxes": BoxFeature(format="xyxy")})',
            )
        self._boxes = {name: source.features[name] for name in names}
        new = {name: self._feature(feature) for name, feature in self._boxes.items()}
        self.features = {**source.features, **new}
        self.rows, self.manifest = source.rows, source.manifest
        self._size = (
            self._columns_of_size() if any(map(self._is_scaled, self._boxes.values())) else ()
        )

    def _new(self, box: BoxFeature) -> BoxFeature:
        relative = box.relative if self._relative is None else self._relative
        return replace(box, format=self._format, relative=relative)

    def _is_scaled(self, feature: Feature) -> bool:
        return any(self._new(box).relative != box.relative for box in boxes_in(feature))

    def _feature(self, feature: Feature) -> Feature:
        """Return a feature with boxes in the new format, at any depth."""
        if isinstance(feature, BoxFeature):
            return self._new(feature)
        if isinstance(feature, ListFeature):
            return replace(feature, of=self._feature(feature.of))
        if isinstance(feature, StructFeature):
            return replace(feature, fields={n: self._feature(f) for n, f in feature.fields.items()})
        return feature

    def _columns_of_size(self) -> tuple[str, ...]:
        """Return the columns `width` and `height`, or else the only column of images."""
        features = self._source.features
        found = [name for name, item in features.items() if isinstance(item, ImageFeature)]
        if set(SIZE) <= features.keys():
            return SIZE
        if len(found) == 1:
            return (found[0],)
        raise SchemaError(
            where="convert_boxes",
            expected="columns `width` and `height`, or one column of images",
            got=f"the columns {', '.join(features)}",
            hint="keep the image column, or add the columns with ds.with_column",
        )

    @cached_property
    def identity(self) -> list[str]:
        text = msgspec.json.encode({"boxes": self._format, "relative": self._relative}).decode()
        return [*self._source.identity, text]

    def where(self, row: int) -> str:
        return self._source.where(row)

    def read(self, name: str, rows: range | np.ndarray) -> Values:
        return self.batch([name], rows)[name]

    def batch(self, names: Sequence[str], rows: range | np.ndarray) -> dict[str, Values]:
        scaled = self._size and any(
            self._is_scaled(self._boxes[n]) for n in names if n in self._boxes
        )
        extra = [name for name in (self._size if scaled else ()) if name not in names]
        batch = self._source.batch([*names, *extra], rows)
        sizes = self._sizes(batch, rows) if scaled else [None] * len(rows)
        converted = {
            name: self._column(batch[name], self._boxes[name], sizes)
            for name in names
            if name in self._boxes
        }
        return {name: converted.get(name, batch[name]) for name in names}

    def _column(
        self, values: Values, feature: Feature, sizes: Sequence[tuple[int, int] | None]
    ) -> Values:
        if isinstance(feature, BoxFeature) and not self._is_scaled(feature):
            return convert_boxes(np.asarray(values), feature, self._new(feature))
        rows = [
            self._value(value, feature, size) for value, size in zip(values, sizes, strict=True)
        ]
        return np.stack(rows) if isinstance(values, np.ndarray) and rows else rows or values

    def _value(self, value: Any, feature: Feature, size: tuple[int, int] | None) -> Any:
        if value is None:
            return None
        if isinstance(feature, ListFeature) and isinstance(feature.of, BoxFeature):
            return convert_boxes(value, feature.of, self._new(feature.of), size)
        if isinstance(feature, BoxFeature):
            return convert_boxes(value, feature, self._new(feature), size)
        if isinstance(feature, ListFeature) and any(boxes_in(feature)):
            return [self._value(one, feature.of, size) for one in value]
        if isinstance(feature, StructFeature):
            fields = feature.fields.items()
            return {name: self._value(value[name], of, size) for name, of in fields}
        return value

    def _sizes(
        self, batch: Mapping[str, Any], rows: range | np.ndarray
    ) -> list[tuple[int, int] | None]:
        """Return the width and height of the image of each row."""
        if self._size == SIZE:
            pairs = zip(*(np.asarray(batch[name]).tolist() for name in SIZE), strict=True)
            return list(pairs)
        numbers = np.asarray(rows).tolist()
        values = zip(batch[self._size[0]], numbers, strict=True)
        return [self._image_size(value, row) for value, row in values]

    def _image_size(self, value: Any, row: int) -> tuple[int, int]:
        if isinstance(value, np.ndarray):
            return value.shape[1], value.shape[0]
        stream = io.BytesIO(value)
        with (
            images.decoding_errors(lambda: self.where(row)),
            images.open_image(stream, len(value)) as image,
        ):
            width, height = image.size
            is_rotated = images.orientation(image) in _ROTATED
        return (height, width) if is_rotated else (width, height)

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        return self._source.contents(name, rows)

    def contiguous(self, name: str) -> np.ndarray | None:
        return None if name in self._boxes else self._source.contiguous(name)

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        return None if name in self._boxes else self._source.arrow(name)
