"""Decode image and audio files when their rows are read.

Images become uint8 (height, width, channels), upright, with 3 channels (RGB), or with 1 if the
feature's shape says so. Audio becomes int16 (samples,), or (samples, channels) if there are several
channels.
"""

import io
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from dshub.catalog.features import AudioFeature, ImageFeature
from dshub.datasets import images
from dshub.errors import DshubError, MissingExtraError, ReadError, SchemaError, needs

if TYPE_CHECKING:
    from dshub.datasets.dataset import Dataset

Encoded = ImageFeature | AudioFeature

ALWAYS_SAMPLES = 1 << 25  # of all channels: any file can hold so many, 64 MiB
SAMPLES_PER_BYTE = 250  # above that; FLAC of music has 1, of speech at 6 kbit/s 64
_HINT = "`ds.decode(False)` returns the files as they are"
_TRANSPOSITIONS: Mapping[int, Image.Transpose] = {  # that turn each EXIF orientation upright
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
    """Decode files: one array (files, …) if the feature has a shape, else a list of arrays.

    Args:
        files: their contents.
        feature: of the column.
        where: describes the dataset, row and column of a file by its index, for errors.

    Raises:
        ReadError: a file is damaged, or has an unsupported format.
        SchemaError: an image or audio file does not fit the feature.
        MissingExtraError: an audio file needs soundfile, which is not installed.
    """
    if not isinstance(feature, ImageFeature) or not feature.shape:
        return [_decoded(data, feature, where, i) for i, data in enumerate(files)]
    decoded = np.empty((len(files), *feature.shape), np.uint8)
    for i, data in enumerate(files):
        decoded[i] = _decoded(data, feature, where, i)
    return decoded


def _decoded(data: bytes, feature: Encoded, where: Callable[[int], str], index: int) -> np.ndarray:
    with decoding_errors(lambda: where(index)):
        if isinstance(feature, ImageFeature):
            array, got = _decode_image(data, feature.shape)
            expected = _shape(feature.shape) if feature.shape else got
        else:
            array, rate = _decode_audio(data)
            got = _format(_channels(array), rate)
            expected = _format(feature.channels, feature.rate)
    if got != expected or array is None:
        raise SchemaError(where=where(index), expected=expected, got=got, hint=_HINT)
    return array


@contextmanager
def decoding_errors(where: Callable[[], str], *, hint: str = _HINT) -> Iterator[None]:
    """Turn a library's error about a file that it cannot read into a ReadError."""
    try:
        yield
    except DshubError:
        raise
    except Exception as error:  # on damaged bytes, these libraries raise any exception
        reason = f"it cannot be decoded: {str(error) or type(error).__name__}"
        if isinstance(error, UnidentifiedImageError):
            reason = f"it is not an image in a supported format: {', '.join(images.formats())}"
        raise ReadError(file=where(), reason=reason, hint=hint) from error


def detect_audio(data: bytes, where: str) -> AudioFeature:
    """Infer the feature of an audio file; raises ReadError unless it is WAV or FLAC."""
    if data[:4] not in {b"RIFF", b"fLaC"}:
        reason = f"it is neither WAV nor FLAC: it begins with {data[:8]!r}"
        raise ReadError(file=where, reason=reason)
    with decoding_errors(lambda: where):
        samples, rate = _decode_audio(data)
    encoding: Literal["wav", "flac"] = "wav" if data[:4] == b"RIFF" else "flac"
    return AudioFeature(rate=rate, channels=_channels(samples), encoding=encoding)


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _format(channels: int, rate: int) -> str:
    return f"{channels} channel(s) at {rate} Hz"


def _channels(samples: np.ndarray) -> int:
    return samples.shape[1] if samples.ndim > 1 else 1


def _decode_image(data: bytes, shape: Sequence[int]) -> tuple[np.ndarray | None, str]:
    """Decode the pixels of a file, upright, uint8 (height, width, channels).

    Transparency is dropped, 16 bits are reduced to the upper 8, and gray is the luma of ITU-R
    BT.601. Of several images in a file, the first is decoded.

    Args:
        data: the file, in a format of `dshub.datasets.images`.
        shape: of the pixels, if the feature has one.

    Returns:
        The pixels and their shape as text. A file whose header has another shape than expected is
        not decoded: its pixels are None.

    Raises:
        ValueError: the values are floats, the file promises too many pixels, or ends early.
        Exception: whatever Pillow raises for a damaged file.
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
        raise ValueError("its values are floats, whose range is unknown")
    if image.mode.startswith("I"):  # 16 bits, which Pillow's own conversion would cut off at 255
        image = Image.fromarray((np.asarray(image).clip(0, 0xFFFF) >> 8).astype(np.uint8))
    if "transparency" in image.info or image.mode in {"PA", "RGBa"}:  # no direct conversion
        image = image.convert("RGBA")
    return image.convert(mode)


def _decode_audio(data: bytes) -> tuple[np.ndarray, int]:
    """Decode a WAV or FLAC file: int16 (samples,) or (samples, channels), and the rate.

    24 and 32 bits are reduced to the upper 16; 8 bits become the upper ones; floats from -1 to 1
    become the whole range.

    Raises:
        MissingExtraError: it is FLAC, and soundfile is not installed.
        ValueError: it is damaged, or a WAV file that the standard library cannot read.
        Exception: whatever soundfile raises for a damaged file.
    """
    samples, rate = _read_wav(data) if data[:4] == b"RIFF" else _read_with_soundfile(data)
    return (samples[:, 0] if samples.shape[1] == 1 else samples), rate


def _read_wav(data: bytes) -> tuple[np.ndarray, int]:
    """Read (samples, channels) int16, and samples per second."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, rate, count = file.getparams()[:4]
            values = file.readframes(count)
    except EOFError:
        raise ValueError("it ends too early") from None
    except wave.Error as error:  # the standard library reads PCM only
        try:
            return _read_with_soundfile(data)
        except MissingExtraError:
            hint = "more kinds can be read with `pip install 'dshub[audio]'`"
            raise ValueError(f"{error}; {hint}") from None
    if len(values) != channels * width * count:
        present = len(values) // (channels * width)
        raise ValueError(f"its header promises {count:,} samples, but {present:,} follow")
    return _upper_bits(values, width).reshape(-1, channels), rate


def _upper_bits(values: bytes, width: int) -> np.ndarray:
    """Convert little-endian PCM of `width` bytes to int16; a single byte is unsigned."""
    if width == 1:
        return (np.frombuffer(values, np.uint8).astype(np.int16) - 128) << 8
    upper = np.frombuffer(values, np.uint8).reshape(-1, width)[:, -2:]
    return np.ascontiguousarray(upper).view("<i2")[:, 0].astype(np.int16)


def _read_with_soundfile(data: bytes) -> tuple[np.ndarray, int]:
    """Read (samples, channels) int16, and samples per second."""
    with needs("soundfile", extra="audio"):
        import soundfile
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        allowed = max(ALWAYS_SAMPLES, SAMPLES_PER_BYTE * len(data))
        if file.frames * file.channels > allowed:
            promised = f"{file.frames:,} samples for each of {file.channels} channels"
            raise ValueError(f"its header promises {promised}, but its bytes can hold {allowed:,}")
        is_float = file.subtype in {"FLOAT", "DOUBLE"}
        values = file.read(dtype="float64" if is_float else "int16", always_2d=True)
        if len(values) != file.frames:
            raise ValueError(f"it promises {file.frames:,} samples, but {len(values):,} follow")
        if is_float:
            values = np.clip(np.rint(values * 0x8000), -0x8000, 0x7FFF).astype(np.int16)
        return values, int(file.samplerate)


class LazyColumn(Sequence[Any]):
    """A whole column of files, each decoded on access and not kept.

    ``ds["image"][3]`` is an image; ``ds["image"][10:20]`` is again such a column. ``np.array``
    decodes all rows, which needs the memory for all, and rows of one shape.

    Args:
        view: a dataset with that column alone.
        name: of the column.
        functions: applied in order to each decoded row.
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

    def mapped(self, function: Callable[[Any], Any]) -> "LazyColumn":
        """The same column with a function applied to each row on access.

        It pickles, for the workers of a `DataLoader`, if `function` does.
        """
        return LazyColumn(self._view, self._name, (*self._functions, function))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001  # NumPy's protocol
        if copy is False:
            raise ValueError("a decoded column is always a new array")
        rows: list[np.ndarray] = []
        for row in self._view:
            rows.append(row[self._name])
            if rows[-1].shape != rows[0].shape:
                shapes = " and ".join(sorted(_shape(rows[i].shape) for i in (0, -1)))
                raise ValueError(f"rows of column {self._name} have several shapes, {shapes}")
        return np.array(rows, dtype)

    def __repr__(self) -> str:
        return f"<LazyColumn {self._name}: {len(self):,} rows, decoded on access>"
