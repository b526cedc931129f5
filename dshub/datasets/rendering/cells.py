"""Encode images and audio for pages, and format other values as text."""

import base64
import io
import re
import wave
from collections.abc import Sequence
from typing import Any, NamedTuple, assert_never

import numpy as np
from PIL import Image, ImageOps

from dshub.catalog.features import (
    AudioFeature,
    BoxFeature,
    BytesFeature,
    DateFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
)

SMALL = 48  # pixels; an image up to this size is not scaled, and the browser enlarges it
LARGEST = 160  # pixels of the longest side after scaling
SECONDS = 3  # seconds of audio to include
VALUES = 6  # array values to show
ITEMS = 40  # list items to show
POINTS = 72  # points per waveform
CHARACTERS = 300  # characters of a text in Markdown

_MARKUP = re.compile(r"[\\`*_{}\[\]#|<>&~]")  # punctuation with a meaning in Markdown


class Media(NamedTuple):
    """Image or audio embedded in a page.

    Attributes:
        source: data URL (RFC 2397); empty for audio of unknown rate.
        title: original size of the image, or length of the audio.
        width, height: size of the encoded image in pixels.
        waveform: SVG path for audio.
    """

    source: str
    title: str
    width: int = 0
    height: int = 0
    waveform: str = ""

    @property
    def is_small(self) -> bool:
        """True if the image is shown enlarged, with visible pixels."""
        return max(self.width, self.height) <= SMALL


def encode(value: Any, feature: Feature, *, seconds: int = SECONDS) -> Any:
    """Encode an image or the first seconds of audio as `Media`; return other values unchanged."""
    if value is None:
        return value
    if isinstance(feature, ImageFeature):
        return _image(value)
    if isinstance(feature, MaskFeature):
        return _image(colored(value))
    if isinstance(feature, AudioFeature):
        return _audio(value, feature.rate, seconds)
    return value


def colored(mask: np.ndarray) -> np.ndarray:
    """Color a mask, (height, width), with the palette of Pascal VOC, uint8 (height, width, 3).

    The palette (Everingham and others, 2012 development kit) spreads the bits of a class number
    over the three colors. Numbers are taken modulo 256.
    """
    numbers, colors = np.arange(256), np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colors[:, channel] |= ((numbers >> channel & 1) << (7 - bit)).astype(np.uint8)
        numbers >>= 3
    painted: np.ndarray = colors[mask & 255]
    return painted


def to_rgb(image: np.ndarray) -> Image.Image:
    """Convert an image to 8-bit grayscale or RGB.

    An image with one or two channels becomes grayscale, from the first channel. Otherwise the first
    three channels are used.

    Args:
        image: array of shape (height, width, channels). Any dtype other than uint8 is scaled from
            the range of its values to 0 to 255.
    """
    if image.dtype != np.uint8:
        values = np.nan_to_num(image.astype(np.float64))
        low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
        image = np.rint((values - low) * (255 / ((high - low) or 1))).astype(np.uint8)
    channels = image[:, :, 0] if image.shape[2] < 3 else image[:, :, :3]
    return Image.fromarray(np.ascontiguousarray(channels))


def _image(value: np.ndarray) -> Media:
    """Encode a small image as PNG, or a large image as a scaled WebP."""
    image, title = to_rgb(value), f"{value.shape[1]} × {value.shape[0]} pixels"
    if max(image.size) > SMALL:
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        source = _data_url(_saved(image, "WEBP", quality=78, method=4), "image/webp")
    else:
        source = _data_url(_saved(image, "PNG", optimize=True), "image/png")
    return Media(source, title, *image.size)


def strip(images: Sequence[np.ndarray], *, side: int) -> bytes:
    """Return a WebP file with the centers of images side by side, each cropped to a square."""
    sheet = Image.new("RGB", (side * len(images), side))
    for number, image in enumerate(images):
        sheet.paste(ImageOps.fit(to_rgb(image).convert("RGB"), (side, side)), (side * number, 0))
    return _saved(sheet, "WEBP", quality=70, method=6)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _audio(samples: np.ndarray, rate: int, seconds: int) -> Media:
    """Encode the first seconds of audio as WAV.

    Args:
        samples: int16 array of shape (samples,) or (samples, channels).
        rate: samples per second; 0 if unknown, then only the waveform is drawn.
        seconds: number of seconds to include.
    """
    if not rate:
        return Media("", _length(samples, rate), waveform=waveform(samples, points=POINTS))
    clip = samples[: rate * seconds]
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        channels = clip.shape[1] if clip.ndim > 1 else 1
        file.setparams((channels, 2, rate, len(clip), "NONE", ""))
        file.writeframes(clip.astype("<i2").tobytes())
    source, title = _data_url(buffer.getvalue(), "audio/wav"), _length(samples, rate)
    return Media(source, title, waveform=waveform(samples, points=POINTS))


def waveform(samples: np.ndarray, *, points: int) -> str:
    """Return the volume over time as an SVG path, 2 units high and 1 unit wide per point."""
    mono = np.abs((samples if samples.ndim == 1 else samples.mean(axis=1)).astype(np.float64))
    peaks = [piece.max(initial=0.0) for piece in np.array_split(mono, points)]
    heights = 0.04 + 0.92 * np.array(peaks) / (max(peaks) or 1)
    return "".join(f"M{x} {1 - h:.2f}V{1 + h:.2f}" for x, h in enumerate(heights.tolist()))


def _data_url(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _length(samples: np.ndarray, rate: int) -> str:
    return f"{len(samples) / rate:.1f} s" if rate else f"{len(samples):,} samples"


def words(  # noqa: C901, PLR0911  # a case each
    value: Any, feature: Feature, separator: str = " · "
) -> str:
    """Format a value as plain text.

    Images, audio and bytes become their size, list items are joined with `separator`, and a missing
    value becomes a dash.
    """
    if value is None or value is np.ma.masked:
        return "–"
    match feature:
        case ImageFeature() | MaskFeature():
            return "×".join(map(str, value.shape))
        case AudioFeature():
            return _length(value, feature.rate)
        case ListFeature():
            return separator.join(items(value, feature))
        case LabelFeature():
            number = int(value)
            return feature.names[number] if 0 <= number < len(feature.names) else str(number)
        case NumberFeature() | BoxFeature():
            return _numbers(value)
        case TextFeature() | DateFeature():
            return str(value)
        case BytesFeature():
            return f"{len(value):,} bytes"
        case StructFeature():
            fields = feature.fields.items()
            return ", ".join(f"{name}: {words(value[name], of)}" for name, of in fields)
        case _:
            assert_never(feature)


def items(value: Any, feature: ListFeature) -> list[str]:
    """Format the first items of a list as plain text."""
    more = [f"… {len(value) - ITEMS:,} more"] if len(value) > ITEMS else []
    return [words(item, feature.of) for item in value[:ITEMS]] + more


def _numbers(value: Any) -> str:
    """Format a number, or the first values and the shape of an array."""
    if np.ndim(value) == 0:
        if isinstance(value, bool | np.bool_):
            return str(bool(value)).lower()
        return f"{float(value):.6g}" if isinstance(value, float | np.floating) else str(int(value))
    shown = ", ".join(map(_numbers, np.ravel(value)[:VALUES]))
    if np.size(value) <= VALUES:
        return f"[{shown}]"
    return f"[{shown}, …] {' × '.join(map(str, np.shape(value)))}"


def markdown(text: str) -> str:
    """Return plain text as one line of Markdown, which is truncated and escaped."""
    line = " ".join(text.split())
    short = line if len(line) <= CHARACTERS else f"{line[: CHARACTERS - 1]}…"
    # references, because a backslash does not escape all of these in every Markdown
    return _MARKUP.sub(lambda match: f"&#{ord(match[0])};", short)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table of plain text."""
    lines = [f"| {' | '.join(map(markdown, cells))} |" for cells in (header, *rows)]
    return "\n".join([lines[0], "|---" * len(header) + "|", *lines[1:]])
