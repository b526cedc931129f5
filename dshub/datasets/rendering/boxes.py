"""Draw the boxes of objects on images."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace
from PIL import Image, ImageDraw

from dshub.catalog.features import (
    BoxFeature,
    Feature,
    LabelFeature,
    ListFeature,
    StructFeature,
    boxes_in,
)
from dshub.datasets.boxes import convert_boxes

MOST_BOXES = 200  # boxes to draw in an image
SIDE = 160  # pixels; the lines of a larger image are wider, because it is scaled down
COLORS = (  # by class number
    (230, 25, 75),
    (0, 130, 200),
    (60, 180, 75),
    (245, 130, 48),
    (145, 30, 180),
    (70, 240, 240),
    (255, 225, 25),
    (240, 50, 230),
)


def box_columns(features: Mapping[str, Feature]) -> list[str]:
    """Return the names of columns with boxes."""
    return [name for name, feature in features.items() if any(boxes_in(feature))]


def draw_boxes(
    image: Image.Image, row: Mapping[str, Any], features: Mapping[str, Feature]
) -> Image.Image:
    """Return an image with the boxes of its row, in a color for each class."""
    found = [item for name in box_columns(features) for item in _boxes(row[name], features[name])]
    if not found:
        return image
    drawn = image.convert("RGB")
    draw, limits = ImageDraw.Draw(drawn), np.array(drawn.size * 2) + 1.0
    width = max(1, round(1.5 * max(drawn.size) / SIDE))
    for feature, boxes, labels in found:
        corners = replace(feature, format="xyxy", relative=False, dtype="float64")
        pixels = convert_boxes(np.reshape(boxes, (-1, 4)), feature, corners, drawn.size)
        inside = np.clip(np.nan_to_num(pixels), -1, limits)[:MOST_BOXES].tolist()
        for (left, top, right, bottom), label in zip(inside, labels, strict=False):
            if left <= right and top <= bottom:
                color = COLORS[label % len(COLORS)]
                draw.rectangle((left, top, right, bottom), outline=color, width=width)
    return drawn


def labels_of(row: Mapping[str, Any], features: Mapping[str, Feature]) -> list[str]:
    """Return the distinct class names of the objects in a row."""
    names = []
    for name in box_columns(features):
        feature = features[name]
        fields = feature.fields if isinstance(feature, StructFeature) else {}
        for field, of in fields.items():
            if row[name] and isinstance(of, ListFeature) and isinstance(of.of, LabelFeature):
                names += [of.of.names[number] for number in row[name][field]]
    return list(dict.fromkeys(names))


def _boxes(value: Any, feature: Feature) -> Iterator[tuple[BoxFeature, Any, Sequence[int]]]:
    """Yield the format, the numbers and the class numbers of the boxes in a value."""
    if value is None:
        return
    if isinstance(feature, BoxFeature):
        yield feature, value, [0]
    elif isinstance(feature, ListFeature) and isinstance(feature.of, BoxFeature):
        yield feature.of, value, [0] * len(value)
    elif isinstance(feature, StructFeature):
        labels = [
            value[name]
            for name, of in feature.fields.items()
            if isinstance(of, ListFeature) and isinstance(of.of, LabelFeature)
        ]
        for name, of in feature.fields.items():
            for box, boxes, numbers in _boxes(value[name], of):
                yield box, boxes, np.asarray(labels[0]).tolist() if labels else numbers
