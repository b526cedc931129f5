"""Synthetic images and audio.

Raw random bits of NumPy's Philox generator, which releases keep.

Its distributions, which they may change, are not used.
"""

import hashlib
import io
import wave

import msgspec
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dshub.catalog.features import AudioFeature, ImageFeature
from dshub.errors import MissingExtraError


def bits(count: int, seed: int, *words: str) -> np.ndarray:
    """`count` random uint64 that belong to a seed and some words."""
    key = int.from_bytes(hashlib.sha256(" ".join(words).encode()).digest()[:8], "big")
    generator = np.random.Philox(key=np.array([seed, key], np.uint64))
    raw: np.ndarray = generator.random_raw(count)
    return raw


GRID = 5  # a class's background is this many random patches each way, blended
SHIFT = 3  # pixels that a picture may lie off centre
SIZES = ((64, 48), (48, 64), (64, 64), (72, 56))  # height, width, where pictures differ


def raw_pictures(
    feature: ImageFeature, names: tuple[str, ...], classes: np.ndarray, random: np.ndarray
) -> np.ndarray:
    """(rows, height, width, channels): the class's stamp, moved a little, with noise."""
    height, width, _ = feature.shape
    present, places = np.unique(classes, return_inverse=True)
    stamps = np.stack([_stamp(feature.shape, int(i), names[i]) for i in present])
    down = (random % np.uint64(2 * SHIFT + 1)).astype(np.int64) - SHIFT
    right = ((random >> np.uint64(8)) % np.uint64(2 * SHIFT + 1)).astype(np.int64) - SHIFT
    vertical = (np.arange(height) - down[:, None]) % height
    horizontal = (np.arange(width) - right[:, None]) % width
    moved = stamps[places[:, None, None], vertical[:, :, None], horizontal[:, None, :]]
    noise = np.random.Philox(key=int(random[0]) if len(random) else 0).random_raw(
        -(-moved.size // 8)
    )
    grain = noise.view(np.uint8)[: moved.size].reshape(moved.shape)
    mixed = (moved.astype(np.uint16) * 144 + grain.astype(np.uint16) * 112) >> 8
    pictures: np.ndarray = mixed.astype(np.uint8).astype(feature.dtype)
    return pictures


def _stamp(shape: tuple[int, ...], number: int, name: str) -> np.ndarray:
    """(height, width, channels) uint8: blended patches of the class, its name written on them."""
    height, width, channels = shape
    patches = bits(GRID * GRID * channels, 0, f"class{number}").reshape(GRID, GRID, channels)
    coarse = (patches % np.uint64(120)).astype(np.float64)
    rows = _blend(coarse, height)
    blended = _blend(rows.swapaxes(0, 1), width).swapaxes(0, 1).astype(np.uint8)
    text = name if 0 < len(name) <= 2 and name.isascii() else str(number)
    written = _written(text, height, width)
    return np.where(written[:, :, None], np.uint8(255), blended)


def _blend(values: np.ndarray, length: int) -> np.ndarray:
    """Stretch the first axis to `length` by linear interpolation."""
    where = np.linspace(0, len(values) - 1, length)
    low = np.minimum(where.astype(np.int64), len(values) - 2)
    share = (where - low).reshape(-1, *[1] * (values.ndim - 1))
    blended: np.ndarray = values[low] * (1 - share) + values[low + 1] * share
    return blended


def _written(text: str, height: int, width: int) -> np.ndarray:
    """(height, width) bool: a text as large as fits, in the middle; empty if none fits."""
    font = ImageFont.load_default_imagefont()
    _, _, right, bottom = (int(edge) for edge in font.getbbox(text))
    picture = Image.new("1", (max(right, 1), max(bottom, 1)))
    ImageDraw.Draw(picture).text((0, 0), text, fill=1, font=font)
    glyphs = np.array(picture)
    inked = np.argwhere(glyphs)
    result = np.zeros((height, width), bool)
    if not len(inked):
        return result
    (y0, x0), (y1, x1) = inked.min(axis=0), inked.max(axis=0) + 1
    glyphs = glyphs[y0:y1, x0:x1]
    scale = min((height - 2 * SHIFT) // glyphs.shape[0], (width - 2 * SHIFT) // glyphs.shape[1])
    if scale < 1:
        return result
    glyphs = glyphs.repeat(scale, axis=0).repeat(scale, axis=1)
    y, x = (height - glyphs.shape[0]) // 2, (width - glyphs.shape[1]) // 2
    result[y : y + glyphs.shape[0], x : x + glyphs.shape[1]] = glyphs
    return result


def encoded_pictures(
    feature: ImageFeature, names: tuple[str, ...], classes: np.ndarray, random: np.ndarray
) -> list[bytes]:
    """The same as files; of several sizes where the feature has no shape."""
    form = "PNG" if feature.encoding == "png" else "JPEG"
    sizes = [feature.shape[:2]] if feature.shape else SIZES
    channels = feature.shape[2] if feature.shape else 3
    files: list[bytes] = [b""] * len(classes)
    which = (random >> np.uint64(20)) % np.uint64(len(sizes))
    for i, size in enumerate(sizes):
        rows = np.flatnonzero(which == i)
        if len(rows):
            plain = msgspec.structs.replace(feature, shape=(*size, channels), encoding="raw")
            for row, pixels in zip(
                rows, raw_pictures(plain, names, classes[rows], random[rows]), strict=True
            ):
                files[row] = _image_file(pixels, form)
    return files


def _image_file(pixels: np.ndarray, form: str) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(sink, form)
    return sink.getvalue()


def recordings(feature: AudioFeature, classes: np.ndarray, random: np.ndarray) -> list[bytes]:
    """A file for each row, a quarter of a second to a second long."""
    return [
        _audio_file(feature, _tone(feature, int(c), int(r)))
        for c, r in zip(classes, random, strict=True)
    ]


def _tone(feature: AudioFeature, number: int, random: int) -> np.ndarray:
    """(samples, channels) int16."""
    samples = feature.rate // 4 * (1 + random % 4)
    time = np.arange(samples)[:, None] / feature.rate
    pitch = 110 * 2 ** (number % 36 / 12)
    noise = np.random.Philox(key=random).random_raw(samples * feature.channels)
    grain = (noise % np.uint64(2048)).astype(np.int64).reshape(samples, feature.channels) - 1024
    tone: np.ndarray = (8000 * np.sin(2 * np.pi * pitch * time) + grain).astype(np.int16)
    return tone


def _audio_file(feature: AudioFeature, samples: np.ndarray) -> bytes:
    sink = io.BytesIO()
    if feature.encoding == "wav":
        with wave.open(sink, "wb") as file:
            file.setnchannels(feature.channels)
            file.setsampwidth(2)
            file.setframerate(feature.rate)
            file.writeframes(samples.astype("<i2").tobytes())
        return sink.getvalue()
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError(package="soundfile", extra="audio") from error
    soundfile.write(sink, samples, feature.rate, format="FLAC", subtype="PCM_16")
    return sink.getvalue()
