"""Decode image and audio files when their rows are read.

`dshub.loading.decoding` decodes images to upright uint8 arrays (height, width, channels), with 1
channel if the feature's shape has 1, or else with 3. Audio becomes int16 (samples,), or (samples,
channels) if there are several channels.
"""

import io
import wave
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dshub.catalog.features import AudioFeature, ImageFeature
from dshub.errors import MissingExtraError, ReadError, SchemaError, needs
from dshub.loading.decoding.images import HINT, decoding_errors
from dshub.loading.decoding.pixels import DEFAULT, Decoding, decode_image, shape_text

if TYPE_CHECKING:
    from dshub.datasets.dataset import Dataset

Encoded = ImageFeature | AudioFeature

ALWAYS_SAMPLES = 1 << 25  # samples allowed in any file, over all channels; 64 MiB decoded
SAMPLES_PER_BYTE = 250  # limit for larger files; FLAC has 1 for music, 64 for 6 kbit/s speech


def decode_all(
    files: Sequence[bytes],
    feature: Encoded,
    where: Callable[[int], str],
    decoding: Decoding = DEFAULT,
) -> np.ndarray | list[np.ndarray]:
    """Decode files into one array (files, …) if the feature has a shape, or else into a list.

    Args:
        files: contents of the files.
        feature: feature of the column.
        where: function that describes the row and column of a file by its index, for errors.
        decoding: decoder of images.

    Raises:
        ReadError: a file is damaged, or has an unsupported format.
        SchemaError: an image or audio file does not fit the feature.
        MissingExtraError: an audio file needs soundfile, which is not installed.
    """
    if isinstance(feature, AudioFeature):
        return [_decode_checked(data, feature, where, i) for i, data in enumerate(files)]
    if not feature.shape:
        return [
            decode_image(data, feature, decoding, partial(where, i)) for i, data in enumerate(files)
        ]
    decoded = np.empty((len(files), *feature.shape), np.uint8)
    for i, data in enumerate(files):
        decoded[i] = decode_image(data, feature, decoding, partial(where, i), reuse=True)
    return decoded


def _decode_checked(
    data: bytes, feature: AudioFeature, where: Callable[[int], str], index: int
) -> np.ndarray:
    with decoding_errors(lambda: where(index)):
        array, rate = _decode_audio(data)
    expected, got = _format(feature.channels, feature.rate), _format(_channels(array), rate)
    if got != expected:
        raise SchemaError(where=where(index), expected=expected, got=got, hint=HINT)
    return array


def detect_audio(data: bytes, where: str) -> AudioFeature:
    """Infer the feature of a WAV or FLAC file; raise ReadError for any other file."""
    if data[:4] not in {b"RIFF", b"fLaC"}:
        reason = f"it is neither WAV nor FLAC; it starts with {data[:8]!r}"
        raise ReadError(file=where, reason=reason)
    with decoding_errors(lambda: where):
        samples, rate = _decode_audio(data)
    encoding: Literal["wav", "flac"] = "wav" if data[:4] == b"RIFF" else "flac"
    return AudioFeature(rate=rate, channels=_channels(samples), encoding=encoding)


def _format(channels: int, rate: int) -> str:
    return f"{channels} channel(s) at {rate} Hz"


def _channels(samples: np.ndarray) -> int:
    return samples.shape[1] if samples.ndim > 1 else 1


def _decode_audio(data: bytes) -> tuple[np.ndarray, int]:
    """Decode a WAV or FLAC file to int16 (samples,) or (samples, channels), and its sample rate.

    24-bit and 32-bit samples are reduced to their upper 16 bits, and 8-bit samples become the upper
    8 bits. Floats from -1 to 1 are scaled to the full range.

    Raises:
        MissingExtraError: the file is FLAC, and soundfile is not installed.
        ValueError: the file is damaged, or is a WAV file that requires soundfile.
        Exception: any exception that soundfile raises for a damaged file.
    """
    samples, rate = _read_wav(data) if data[:4] == b"RIFF" else _read_with_soundfile(data)
    return (samples[:, 0] if samples.shape[1] == 1 else samples), rate


def _read_wav(data: bytes) -> tuple[np.ndarray, int]:
    """Read a WAV file as int16 (samples, channels), and its sample rate."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, rate, count = file.getparams()[:4]
            values = file.readframes(count)
    except EOFError:
        raise ValueError("it is truncated") from None
    except wave.Error as error:  # the standard library reads PCM only
        try:
            return _read_with_soundfile(data)
        except MissingExtraError:
            hint = "`pip install 'dshub[audio]'` adds support for other encodings"
            raise ValueError(f"{error}; {hint}") from None
    if len(values) != channels * width * count:
        present = len(values) // (channels * width)
        raise ValueError(f"its header promises {count:,} samples, but {present:,} follow")
    return _upper_bits(values, width).reshape(-1, channels), rate


def _upper_bits(values: bytes, width: int) -> np.ndarray:
    """Convert little-endian PCM of `width` bytes per sample to int16; 8-bit PCM is unsigned."""
    if width == 1:
        return (np.frombuffer(values, np.uint8).astype(np.int16) - 128) << 8
    upper = np.frombuffer(values, np.uint8).reshape(-1, width)[:, -2:]
    return np.ascontiguousarray(upper).view("<i2")[:, 0].astype(np.int16)


def _read_with_soundfile(data: bytes) -> tuple[np.ndarray, int]:
    """Read an audio file with soundfile as int16 (samples, channels), and its sample rate."""
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
            raise ValueError(
                f"its header promises {file.frames:,} samples, but {len(values):,} follow"
            )
        if is_float:
            values = np.clip(np.rint(values * 0x8000), -0x8000, 0x7FFF).astype(np.int16)
        return values, int(file.samplerate)


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
                shapes = " and ".join(sorted(shape_text(rows[i].shape) for i in (0, -1)))
                raise ValueError(
                    f"rows of column {self._name} have different shapes, such as {shapes}"
                )
        return np.array(rows, dtype)

    def __repr__(self) -> str:
        return f"<LazyColumn {self._name}: {len(self):,} rows, decoded on access>"
