"""Encode images and audio for pages, and put values into words."""

import base64
import io
import wave
from collections.abc import Sequence
from typing import Any, NamedTuple, assert_never

import numpy as np
from PIL import Image, ImageOps

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)

SMALL = 48  # pixels of the longest side of an image that is shown as it is, enlarged by the browser
LARGEST = 160  # pixels of the longest side of other images
SECONDS = 3  # of audio
VALUES = 6  # of an array
ITEMS = 40  # of a list
POINTS = 72  # of a waveform


class Media(NamedTuple):
    """An image or audio within a page.

    Attributes:
        source: a data URL (RFC 2397).
        title: the size of an image, or the length of audio.
        width, height: of an image as encoded, in pixels.
        waveform: of audio, as a path of SVG.
    """

    source: str
    title: str
    width: int = 0
    height: int = 0
    waveform: str = ""

    @property
    def is_small(self) -> bool:
        """Whether single pixels of an image are visible."""
        return max(self.width, self.height) <= SMALL


def encode(value: Any, feature: Feature) -> Any:
    """Encode images and audio as `Media`; other values stay."""
    if isinstance(feature, ImageFeature):
        return _image(value)
    return _audio(value, feature.rate) if isinstance(feature, AudioFeature) else value


def to_rgb(image: np.ndarray) -> Image.Image:
    """Convert an image to 8 bits of gray, or of red, green and blue.

    Args:
        image: (height, width, channels) of any dtype. Values other than uint8 are scaled from
            their minimum and maximum to 0 and 255. Of 2 channels the first is used, of more than 3
            the first 3.
    """
    if image.dtype != np.uint8:
        values = np.nan_to_num(image.astype(np.float64))
        low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
        image = np.rint((values - low) * (255 / ((high - low) or 1))).astype(np.uint8)
    channels = image[:, :, 0] if image.shape[2] < 3 else image[:, :, :3]
    return Image.fromarray(np.ascontiguousarray(channels))


def _image(value: np.ndarray) -> Media:
    """Encode an image: as PNG if it is small, else reduced as WebP."""
    image, title = to_rgb(value), f"{value.shape[1]} × {value.shape[0]} pixels"
    if max(image.size) > SMALL:
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        source = _data_url(_saved(image, "WEBP", quality=78, method=4), "image/webp")
    else:
        source = _data_url(_saved(image, "PNG", optimize=True), "image/png")
    return Media(source, title, *image.size)


def strip(images: Sequence[np.ndarray], *, side: int) -> bytes:
    """The centers of some images side by side, as squares in a WebP file."""
    sheet = Image.new("RGB", (side * len(images), side))
    for number, image in enumerate(images):
        sheet.paste(ImageOps.fit(to_rgb(image).convert("RGB"), (side, side)), (side * number, 0))
    return _saved(sheet, "WEBP", quality=70, method=6)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _audio(samples: np.ndarray, rate: int) -> Media:
    """Encode the beginning of audio as WAV.

    Args:
        samples: int16, (samples,) or (samples, channels).
        rate: samples per second.
    """
    clip = samples[: rate * SECONDS]
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        channels = clip.shape[1] if clip.ndim > 1 else 1
        file.setparams((channels, 2, rate, len(clip), "NONE", ""))
        file.writeframes(clip.astype("<i2").tobytes())
    source, title = _data_url(buffer.getvalue(), "audio/wav"), _seconds(samples, rate)
    return Media(source, title, waveform=waveform(samples, points=POINTS))


def waveform(samples: np.ndarray, *, points: int) -> str:
    """The volume of audio over time as a path of SVG, 2 units high and one unit wide per point."""
    mono = np.abs((samples if samples.ndim == 1 else samples.mean(axis=1)).astype(np.float64))
    peaks = [piece.max(initial=0.0) for piece in np.array_split(mono, points)]
    heights = 0.04 + 0.92 * np.array(peaks) / (max(peaks) or 1)
    return "".join(f"M{x} {1 - h:.2f}V{1 + h:.2f}" for x, h in enumerate(heights.tolist()))


def _data_url(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _seconds(samples: np.ndarray, rate: int) -> str:
    return f"{len(samples) / rate:.1f} s"


def words(value: Any, feature: Feature, separator: str = " · ") -> str:
    """A value as plain text; images and audio as their size, lists with a separator."""
    match feature:
        case ImageFeature():
            return "×".join(map(str, value.shape))
        case AudioFeature():
            return _seconds(value, feature.rate)
        case ListFeature():
            return separator.join(items(value, feature))
        case LabelFeature():
            number = int(value)
            return feature.names[number] if 0 <= number < len(feature.names) else str(number)
        case NumberFeature():
            return _numbers(value)
        case TextFeature():
            return str(value)
        case _:
            assert_never(feature)


def items(value: Any, feature: ListFeature) -> list[str]:
    """The first values of a list as plain text."""
    more = [f"… {len(value) - ITEMS:,} more"] if len(value) > ITEMS else []
    return [words(item, feature.of) for item in value[:ITEMS]] + more


def _numbers(value: Any) -> str:
    """A number, or the first numbers of an array with its shape."""
    if np.ndim(value) == 0:
        return f"{float(value):.6g}" if isinstance(value, float | np.floating) else str(int(value))
    shown = ", ".join(map(_numbers, np.ravel(value)[:VALUES]))
    if np.size(value) <= VALUES:
        return f"[{shown}]"
    return f"[{shown}, …] {' × '.join(map(str, np.shape(value)))}"
