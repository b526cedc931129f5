"""Generate synthetic images and audio.

Random values are raw bits from NumPy's Philox generator, which are stable across releases.
NumPy's distributions can change, so they are not used.
"""

import hashlib
import io
import wave

import msgspec
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dshub.catalog.features import AudioFeature, ImageFeature, MaskFeature
from dshub.errors import MissingExtraError

GRID = 5  # random patches per row and column in the background of a class
SHIFT = 3  # pixels, the maximum offset of an image from the center
SIZES = ((64, 48), (48, 64), (64, 64), (72, 56))  # height and width of images without a fixed shape


def bits(count: int, seed: int, *words: str) -> np.ndarray:
    """Return `count` random uint64 values, seeded by a number and words."""
    key = int.from_bytes(hashlib.sha256(" ".join(words).encode()).digest()[:8], "big")
    return _raw(count, np.array([seed, key], np.uint64))


def _raw(count: int, key: int | np.ndarray) -> np.ndarray:
    raw: np.ndarray = np.random.Philox(key=key).random_raw(count)
    return raw


def raw_images(
    feature: ImageFeature, names: tuple[str, ...], classes: np.ndarray, random: np.ndarray
) -> np.ndarray:
    """Draw an array of images, each the slightly shifted stamp of its class with noise."""
    height, width, _ = feature.shape
    present, places = np.unique(classes, return_inverse=True)
    stamps = np.stack([_stamp(feature.shape, int(i), names[i]) for i in present])
    down = (random % np.uint64(2 * SHIFT + 1)).astype(np.int64) - SHIFT
    right = ((random >> np.uint64(8)) % np.uint64(2 * SHIFT + 1)).astype(np.int64) - SHIFT
    vertical = (np.arange(height) - down[:, None]) % height
    horizontal = (np.arange(width) - right[:, None]) % width
    shifted = stamps[places[:, None, None], vertical[:, :, None], horizontal[:, None, :]]
    noise = _raw(-(-shifted.size // 8), int(random[0]) if len(random) else 0)
    grain = noise.view(np.uint8)[: shifted.size].reshape(shifted.shape)
    mixed = (shifted.astype(np.uint16) * 144 + grain.astype(np.uint16) * 112) >> 8
    images: np.ndarray = mixed.astype(np.uint8).astype(feature.dtype)
    return images


def _stamp(shape: tuple[int, ...], number: int, name: str) -> np.ndarray:
    """Draw the name of a class on a background of blended patches."""
    height, width, channels = shape
    patches = bits(GRID * GRID * channels, 0, f"class{number}").reshape(GRID, GRID, channels)
    coarse = (patches % np.uint64(120)).astype(np.float64)
    rows = _blend(coarse, height)
    blended = _blend(rows.swapaxes(0, 1), width).swapaxes(0, 1).astype(np.uint8)
    text = name if 0 < len(name) <= 2 and name.isascii() else str(number)
    return np.where(_written(text, height, width)[:, :, None], np.uint8(255), blended)


def _blend(values: np.ndarray, length: int) -> np.ndarray:
    """Stretch the first axis to `length` by linear interpolation."""
    where = np.linspace(0, len(values) - 1, length)
    low = np.minimum(where.astype(np.int64), len(values) - 2)
    share = (where - low).reshape(-1, *[1] * (values.ndim - 1))
    blended: np.ndarray = values[low] * (1 - share) + values[low + 1] * share
    return blended


def _written(text: str, height: int, width: int) -> np.ndarray:
    """Return a (height, width) mask with text in the center, as large as possible."""
    glyphs = Image.new("1", (200, 50))
    ImageDraw.Draw(glyphs).text((0, 0), text, fill=1, font=ImageFont.load_default_imagefont())
    glyphs = glyphs.crop(glyphs.getbbox())
    scale = min((height - 2 * SHIFT) // glyphs.height, (width - 2 * SHIFT) // glyphs.width)
    image = Image.new("1", (width, height))
    if scale >= 1:
        glyphs = glyphs.resize((glyphs.width * scale, glyphs.height * scale))
        image.paste(glyphs, ((width - glyphs.width) // 2, (height - glyphs.height) // 2))
    return np.array(image)


def encoded_images(
    feature: ImageFeature, names: tuple[str, ...], classes: np.ndarray, random: np.ndarray
) -> list[bytes]:
    """Draw images as encoded files, in several sizes if the feature has no shape."""
    form = "PNG" if feature.encoding == "png" else "JPEG"
    sizes = [feature.shape[:2]] if feature.shape else SIZES
    channels = feature.shape[2] if feature.shape else 3
    files: list[bytes] = [b""] * len(classes)
    which = (random >> np.uint64(20)) % np.uint64(len(sizes))
    for i, size in enumerate(sizes):
        rows = np.flatnonzero(which == i)
        if len(rows):
            shape = (*size, channels)
            plain = msgspec.structs.replace(feature, shape=shape, encoding="raw", dtype="uint8")
            images = raw_images(plain, names, classes[rows], random[rows])
            for row, pixels in zip(rows, images, strict=True):
                files[row] = _image_file(_deepened(pixels, feature), form)
    return files


def _deepened(pixels: np.ndarray, feature: ImageFeature) -> np.ndarray:
    """Convert gray pixels to 16 bits, which Pillow can write, if the feature is not uint8."""
    return pixels if feature.dtype == "uint8" or pixels.shape[2] > 1 else pixels.astype("u2") << 8


def raw_masks(feature: MaskFeature, random: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Draw masks of a size, each a ring of regions of all classes, (rows, height, width)."""
    count = min(len(feature.names), 255) or 4
    rows, columns = ((np.arange(length) * 2 - length) / length for length in size)
    angle = np.arctan2(rows[:, None], columns) / (2 * np.pi) + 0.5  # 0 to 1
    turned = angle[None] + (random % np.uint64(64)).astype(np.float64)[:, None, None] / 64
    masks: np.ndarray = ((turned * count).astype(np.int64) % count).astype(feature.dtype)
    return masks


def encoded_masks(feature: MaskFeature, random: np.ndarray) -> list[bytes]:
    """Draw masks as PNG files, in several sizes if the feature has no shape."""
    sizes = [feature.shape] if feature.shape else SIZES
    which = ((random >> np.uint64(20)) % np.uint64(len(sizes))).tolist()
    masks = (
        raw_masks(feature, random[row : row + 1], sizes[size])[0] for row, size in enumerate(which)
    )
    dtype = "uint8" if feature.dtype == "uint8" else "uint16"
    return [_image_file(mask.astype(dtype)[..., None], "PNG") for mask in masks]


def _image_file(pixels: np.ndarray, form: str) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(sink, form)
    return sink.getvalue()


def audio_file(feature: AudioFeature, number: int, random: int) -> bytes:
    """Generate the tone of a class with noise, a quarter of a second to a second long."""
    rate, channels = feature.rate or 16_000, feature.channels or 1
    count = rate // 4 * (1 + random % 4)
    time = np.arange(count)[:, None] / rate
    pitch = 110 * 2 ** (number % 36 / 12)
    noise = _raw(count * channels, random) % np.uint64(2048)
    grain = noise.astype(np.int64).reshape(count, channels) - 1024
    samples = (8000 * np.sin(2 * np.pi * pitch * time) + grain).astype("<i2")
    sink = io.BytesIO()
    if feature.encoding in {"wav", "any"}:
        with wave.open(sink, "wb") as file:
            file.setparams((channels, 2, rate, count, "NONE", ""))
            file.writeframes(samples.tobytes())
        return sink.getvalue()
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError(package="soundfile", extra="audio") from error
    soundfile.write(sink, samples, rate, format=feature.encoding.upper())
    return sink.getvalue()
