"""Decode image and audio files when their rows are read.

Images become upright uint8 arrays (height, width, channels), with 1 channel if the feature's shape
has 1, or else with 3 (RGB). Audio becomes int16 (samples,), or (samples, channels) if there are
several channels.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from dshub.catalog.features import AudioFeature, ImageFeature
from dshub.datasets import images
from dshub.datasets.audio import decode_audio, probe
from dshub.errors import DshubError, ReadError, SchemaError

if TYPE_CHECKING:
    from dshub.datasets.dataset import Dataset

Encoded = ImageFeature | AudioFeature

_HINT = "use `ds.decode(False)` to get the undecoded files"
_TRANSPOSITIONS: Mapping[int, Image.Transpose] = {  # to make an image upright, by EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_all(
    files: Sequence[bytes], feature: Encoded, where: Callable[[int], str]
) -> np.ndarray | list[np.ndarray]:
    """Decode files into one array (files, …) if the feature has a shape, or else into a list.

    Args:
        files: contents of the files.
        feature: feature of the column.
        where: function that describes the row and column of a file by its index, for errors.

    Raises:
        ReadError: a file is damaged, or has an unsupported format.
        SchemaError: an image or audio file does not fit the feature.
        MissingExtraError: an audio file needs soundfile, which is not installed.
    """
    if not isinstance(feature, ImageFeature) or not feature.shape:
        return [_decode(data, feature, where, i) for i, data in enumerate(files)]
    decoded = np.empty((len(files), *feature.shape), np.uint8)
    for i, data in enumerate(files):
        decoded[i] = _decode(data, feature, where, i)
    return decoded


def _decode(data: bytes, feature: Encoded, where: Callable[[int], str], index: int) -> np.ndarray:
    with decoding_errors(lambda: where(index)):
        if isinstance(feature, ImageFeature):
            array, got = _decode_image(data, feature.shape)
            expected = _shape(feature.shape) if feature.shape else got
        else:
            return decode_audio(data, feature, lambda: where(index))
    if got != expected or array is None:
        raise SchemaError(where=where(index), expected=expected, got=got, hint=_HINT)
    return array


@contextmanager
def decoding_errors(where: Callable[[], str], *, hint: str = _HINT) -> Iterator[None]:
    """Convert exceptions of decoding libraries to ReadError."""
    try:
        yield
    except DshubError:
        raise
    except Exception as error:  # decoders raise arbitrary exceptions for damaged files
        reason = f"it cannot be decoded: {str(error) or type(error).__name__}"
        if isinstance(error, UnidentifiedImageError):
            reason = f"it is not an image in a supported format: {', '.join(images.formats())}"
        raise ReadError(file=where(), reason=reason, hint=hint) from error


def detect_audio(data: bytes, where: str) -> AudioFeature:
    """Infer the feature of an audio file; raise ReadError for a cut file or another format."""
    with decoding_errors(lambda: where, hint=""):
        return probe(data)


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _decode_image(data: bytes, shape: Sequence[int]) -> tuple[np.ndarray | None, str]:
    """Decode an image file to upright pixels, uint8 (height, width, channels).

    Transparency is dropped, 16-bit values are reduced to their upper 8 bits, and gray is the luma
    of ITU-R BT.601. If a file has several images, only the first is decoded.

    Args:
        data: contents of a file in a format of `dshub.datasets.images`.
        shape: expected shape of the pixels, or empty if the feature has none.

    Returns:
        The pixels, and their shape as text. If the header does not have the expected size, the file
        is not decoded and the pixels are None.

    Raises:
        ValueError: the pixels are floats, the header declares too many pixels, or the last rows
            are missing.
        Exception: any exception that Pillow raises for a damaged file.
    """
    height, width, channels = shape or (0, 0, 3)
    stream = io.BytesIO(data)
    with images.open_image(stream, len(data), expected=(width, height)) as opened:
        if shape and opened.size not in {(width, height), (height, width)}:
            return None, _shape((opened.height, opened.width, channels))
        images.load(opened, stream)
        image = _convert(opened, "L" if channels == 1 else "RGB")
        transposition = _TRANSPOSITIONS.get(images.orientation(opened))
    pixels = np.array(image if transposition is None else image.transpose(transposition))
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    return pixels, _shape(pixels.shape)


def _convert(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == mode:
        return image
    if image.mode == "F":
        raise ValueError("its pixels are floats of unknown range")
    if image.mode.startswith("I"):  # Pillow would clip 16-bit values at 255
        image = Image.fromarray((np.asarray(image).clip(0, 0xFFFF) >> 8).astype(np.uint8))
    if "transparency" in image.info or image.mode in {
        "PA",
        "RGBa",
    }:  # Pillow cannot convert it directly
        image = image.convert("RGBA")
    return image.convert(mode)


class LazyColumn(Sequence[Any]):
    """A column of image or audio files, decoded on access and not cached.

    ``ds["image"][3]`` is an image, and ``ds["image"][10:20]`` is another lazy column. ``np.array``
    decodes all rows, which must have the same shape and fit in memory.

    Args:
        view: dataset with only this column.
        name: name of the column.
        functions: functions to apply to each decoded row, in order.
    """

    def __init__(
        self, view: "Dataset", name: str, functions: tuple[Callable[[Any], Any], ...] = ()
    ) -> None:
        self._view, self._name, self._functions = view, name, functions

    def __len__(self) -> int:
        return len(self._view)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            rows = np.arange(len(self))[key]
            return LazyColumn(self._view.select(rows), self._name, self._functions)
        return self._value(self._view[key])

    def _value(self, row: dict[str, Any]) -> Any:
        value = row[self._name]
        for function in self._functions:
            value = function(value)
        return value

    def __iter__(self) -> Iterator[Any]:
        return map(self._value, self._view)

    def map(self, function: Callable[[Any], Any]) -> "LazyColumn":
        """Return the column with `function` applied to each row on access.

        `DataLoader` workers can receive the result if `function` can be pickled.
        """
        return LazyColumn(self._view, self._name, (*self._functions, function))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001  # NumPy's protocol
        if copy is False:
            raise ValueError(
                "a lazy column cannot become an array without a copy; leave out copy=False"
            )
        rows: list[np.ndarray] = []
        for row in self._view:
            rows.append(row[self._name])
            if rows[-1].shape != rows[0].shape:
                shapes = " and ".join(sorted(_shape(rows[i].shape) for i in (0, -1)))
                raise ValueError(
                    f"rows of column {self._name} have different shapes, such as {shapes}"
                )
        return np.array(rows, dtype)

    def __repr__(self) -> str:
        return f"<LazyColumn {self._name}: {len(self):,} rows, decoded on access>"
