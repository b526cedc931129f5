"""Cells of a table of rows: text, numbers, and small images and audio.

Pictures and recordings as small files that stand within a page.
"""

import base64
import io
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

import numpy as np
from PIL import Image

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)

SMALL = 48  # pixels: up to here a picture is shown as it is, its pixels enlarged by the browser
LARGEST = 160  # pixels of the longer side of a larger one
SECONDS = 3  # of a recording


def to_rgb(picture: np.ndarray) -> Image.Image:
    """A picture as 8 bits of grey or of red, green and blue.

    Args:
        picture: (height, width, channels) of any dtype. Values that are not uint8 are stretched
            from their least to their largest; of 2 channels the first is taken, of more than 3
            the first 3.
    """
    if picture.dtype != np.uint8:
        values = np.nan_to_num(picture.astype(np.float64))
        low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
        picture = np.rint((values - low) * (255 / ((high - low) or 1))).astype(np.uint8)
    if picture.shape[2] < 3:
        return Image.fromarray(np.ascontiguousarray(picture[:, :, 0]))
    return Image.fromarray(np.ascontiguousarray(picture[:, :, :3]))


def thumbnail(picture: np.ndarray) -> tuple[str, int, int]:
    """A picture as a `data:` address, with its width and height: PNG as it is, or smaller WebP."""
    image = to_rgb(picture)
    if max(image.size) > SMALL:
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        data, kind = _encoded(image, "WEBP", quality=78, method=4), "webp"
    else:
        data, kind = _encoded(image, "PNG", optimize=True), "png"
    return address(data, f"image/{kind}"), image.width, image.height


def strip(pictures: Sequence[np.ndarray], *, side: int) -> bytes:
    """The middles of some pictures side by side, squares of so many pixels, as WebP."""
    sheet = Image.new("RGB", (side * len(pictures), side))
    for number, picture in enumerate(pictures):
        image = to_rgb(picture).convert("RGB")
        short = min(image.size)
        left, top = (image.width - short) // 2, (image.height - short) // 2
        middle = image.crop((left, top, left + short, top + short))
        method = Image.Resampling.LANCZOS if short > side else Image.Resampling.BICUBIC
        sheet.paste(middle.resize((side, side), method), (side * number, 0))
    return _encoded(sheet, "WEBP", quality=70, method=6)


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def recording(samples: np.ndarray, rate: int) -> str:
    """The beginning of a recording as a `data:` address of a WAV file.

    Args:
        samples: int16, (samples,) or (samples, channels).
        rate: samples a second.
    """
    cut = samples[: rate * SECONDS]
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(cut.shape[1] if cut.ndim > 1 else 1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(cut.astype("<i2").tobytes())
    return address(buffer.getvalue(), "audio/wav")


def waveform(samples: np.ndarray, *, points: int) -> str:
    """How loud a recording is over its time, as a path of SVG: 2 high, a unit wide for a point."""
    mono = np.abs((samples if samples.ndim == 1 else samples.mean(axis=1)).astype(np.float64))
    pieces = np.array_split(mono, points)
    peaks = np.array([piece.max() if len(piece) else 0.0 for piece in pieces])
    heights = 0.04 + 0.92 * peaks / (peaks.max() or 1)
    return "".join(f"M{x} {1 - h:.2f}V{1 + h:.2f}" for x, h in enumerate(heights.tolist()))


def address(data: bytes, kind: str) -> str:
    """Bytes as a `data:` address (RFC 2397)."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


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
        return 0 < max(self.width, self.height) <= SMALL


def cell(value: Any, feature: Feature) -> Cell:
    """One value of a column, as a dataset gives it."""
    match feature:
        case ImageFeature():
            source, width, height = thumbnail(value)
            size = f"{value.shape[1]} × {value.shape[0]} pixels"
            return Cell("picture", size, source=source, width=width, height=height)
        case AudioFeature():
            path = waveform(value, points=POINTS)
            length = f"{len(value) / feature.rate:.1f} s"
            return Cell("audio", length, source=recording(value, feature.rate), path=path)
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
