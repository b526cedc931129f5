"""Values of rows as a page shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

import numpy as np

from dshub.manifest import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.web import media

SHORT = 140  # characters of a text that are seen before it is unfolded
LONG = 2000  # characters of it at all
VALUES = 6  # of an array
ITEMS = 40  # of a list
POINTS = 72  # of a waveform


@dataclass(frozen=True)
class Cell:
    """One value.

    Attributes:
        kind: `picture`, `audio`, `label`, `text`, `number` or `list`.
        text: the value in words; of a picture or recording what it is.
        more: the whole of a long text, or empty.
        source: of a picture or recording, a `data:` address.
        width, height: of a picture, in pixels.
        path: of a recording, its waveform as a path of SVG.
        items: of a list, its values in words.
    """

    kind: str
    text: str
    more: str = ""
    source: str = ""
    width: int = 0
    height: int = 0
    path: str = ""
    items: tuple[str, ...] = field(default=())

    @property
    def small(self) -> bool:
        """Whether it is a picture whose pixels are to be seen."""
        return 0 < max(self.width, self.height) <= media.SMALL


def cell(value: Any, feature: Feature) -> Cell:
    """One value of a column, as a dataset gives it."""
    match feature:
        case ImageFeature():
            source, width, height = media.thumbnail(value)
            size = f"{value.shape[1]} × {value.shape[0]} pixels"
            return Cell("picture", size, source=source, width=width, height=height)
        case AudioFeature():
            path = media.waveform(value, points=POINTS)
            length = f"{len(value) / feature.rate:.1f} s"
            return Cell("audio", length, source=media.recording(value, feature.rate), path=path)
        case LabelFeature():
            return Cell("label", _name(feature, int(value)))
        case NumberFeature():
            return Cell("number", numbers(value))
        case TextFeature():
            return _text(value)
        case ListFeature():
            return _list(value, feature)
        case _:
            assert_never(feature)


def row_cells(row: Mapping[str, Any], features: Mapping[str, Feature]) -> dict[str, Cell]:
    """A row's values by column."""
    return {name: cell(row[name], feature) for name, feature in features.items()}


def words(value: Any, feature: Feature) -> str:
    """One value as plain text, for a terminal: of pictures and recordings what they are."""
    match feature:
        case ImageFeature():
            return "×".join(map(str, value.shape))
        case AudioFeature():
            return f"{len(value) / feature.rate:.1f} s"
        case ListFeature():
            return " · ".join(_list(value, feature).items)
        case LabelFeature():
            return _name(feature, int(value))
        case NumberFeature():
            return numbers(value)
        case TextFeature():
            return str(value)
        case _:
            assert_never(feature)


def numbers(value: Any) -> str:
    """A number, or the first of an array's with its shape."""
    if np.ndim(value) == 0:
        return _number(value)
    flat = np.ravel(value)
    shown = ", ".join(_number(item) for item in flat[:VALUES])
    if flat.size <= VALUES:
        return f"[{shown}]"
    return f"[{shown}, …] {' × '.join(map(str, np.shape(value)))}"


def _number(value: Any) -> str:
    return f"{float(value):.6g}" if isinstance(value, float | np.floating) else str(int(value))


def _name(feature: LabelFeature, number: int) -> str:
    return feature.names[number] if 0 <= number < len(feature.names) else str(number)


def _text(value: str) -> Cell:
    flat = " ".join(value.split())
    if len(flat) <= SHORT:
        return Cell("text", flat)
    cut = value if len(value) <= LONG else f"{value[:LONG]}…"
    return Cell("text", f"{flat[:SHORT].rstrip()}…", more=cut)


def _list(value: Any, feature: ListFeature) -> Cell:
    items = tuple(words(item, feature.of) for item in value[:ITEMS])
    rest = len(value) - len(items)
    shown = (*items, f"… {rest:,} more") if rest else items
    return Cell("list", f"{len(value):,} values", items=shown)
