"""Decode audio files to int16 samples, (samples,) or (samples, channels).

WAV files of plain PCM need only the standard library. soundfile reads everything else.
"""

import io
import struct
import wave
from collections.abc import Callable

import numpy as np

from dshub.catalog.features import AudioFeature
from dshub.datasets.audio_files import Encoding, complete, encoding_of
from dshub.errors import MissingExtraError, SchemaError, needs

ALWAYS_SAMPLES = 1 << 25  # samples allowed in any file, over all channels; 64 MiB decoded
SAMPLES_PER_BYTE = 250  # limit for larger files; FLAC has 1 for music, 64 for 6 kbit/s speech
MAX_GROWTH = 100  # times the samples of a longer file that resampling may give
_FLOATS = ("FLOAT", "DOUBLE", "VORBIS", "OPUS", "MPEG")  # decoded to floats
_UNKNOWN = 1 << 36  # frames; FLAC cannot state more, and soundfile gives more if it states none
_BLOCK = 1 << 16  # frames to decode at once if their number is unknown


def probe(data: bytes) -> AudioFeature:
    """Return the rate, channels and encoding of an audio file, without decoding it.

    Raises:
        MissingExtraError: the file is neither WAV nor FLAC, and soundfile is not installed.
        ValueError: the file is cut, or is not an audio file.
        Exception: any exception that soundfile raises for a damaged file.
    """
    encoding = encoding_of(data[:12])
    if encoding is None:
        begin = f"it starts with {data[:8]!r}" if data else "it is empty"
        raise ValueError(f"it is not WAV, FLAC, MP3, Ogg or AIFF; {begin}")
    return _feature(complete(data, encoding), encoding)


def probe_beginning(data: bytes) -> AudioFeature | None:
    """Return the rate, channels and encoding in the beginning of an audio file; None without them.

    The file can be cut.
    """
    encoding = encoding_of(data[:12])
    try:
        return None if encoding is None else _feature(data, encoding)
    except Exception:  # noqa: BLE001  # damaged files are reported when they are read
        return None


def _feature(data: bytes, encoding: Encoding) -> AudioFeature:
    if encoding == "flac" and len(data) >= 21:  # STREAMINFO (RFC 9639)
        packed = int.from_bytes(data[18:21], "big")
        rate, channels = packed >> 4, (packed >> 1 & 7) + 1
    elif encoding == "wav":
        rate, channels = _wav_format(data)
    else:
        with needs("soundfile", extra="audio"):
            import soundfile
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate, channels = int(file.samplerate), int(file.channels)
    if not rate or not channels:
        raise ValueError(f"its header states {channels} channels at {rate} Hz")
    return AudioFeature(rate=rate, channels=channels, encoding=encoding)


def _wav_format(data: bytes) -> tuple[int, int]:
    """Return the rate and channels in the `fmt ` chunk of a WAV file."""
    order, offset = (">" if data[:4] == b"RIFX" else "<"), 12
    while offset + 16 <= len(data):
        name, size, _, channels, rate = struct.unpack_from(f"{order}4sIHHI", data, offset)
        if name == b"fmt ":
            return rate, channels
        offset += 8 + size + size % 2
    raise ValueError("it has no `fmt ` chunk")


def decode_audio(data: bytes, feature: AudioFeature, where: Callable[[], str]) -> np.ndarray:
    """Decode an audio file to int16 samples with the rate and channels of a feature.

    Args:
        data: contents of the file.
        feature: feature of the column.
        where: function that describes the row and column, for errors.

    Raises:
        SchemaError: the rate or the number of channels does not fit the feature.
        MissingExtraError: a package to read or resample the file is not installed.
        Exception: see `read_audio`.
    """
    samples, rate = read_audio(data)
    channels = samples.shape[1] if samples.ndim > 1 else 1
    if feature.resample:
        samples, channels = _mixed(samples, channels, feature.channels)
        samples, rate = _resampled(samples, rate, feature.rate), feature.rate
    if rate == (feature.rate or rate) and channels == (feature.channels or channels):
        return samples
    encoding = f"encoding={feature.encoding!r}"
    raise SchemaError(
        where=where(),
        expected=f"{feature.channels or channels} channel(s) at {feature.rate or rate} Hz",
        got=f"{channels} channel(s) at {rate} Hz",
        hint="convert files when they are read with `ds.cast({column: AudioFeature("
        f"rate={feature.rate}, channels={feature.channels}, {encoding}, resample=True)}})`, or "
        f"keep what files have with `AudioFeature(rate=0, channels=0, {encoding})`",
    )


def _mixed(samples: np.ndarray, channels: int, wanted: int) -> tuple[np.ndarray, int]:
    """Convert samples to mono, or mono to several channels, and return their number of channels."""
    if wanted == 1 and channels > 1:
        return np.rint(samples.mean(axis=1)).astype(np.int16), 1
    if wanted > 1 and channels == 1:
        return np.repeat(samples[:, None], wanted, axis=1), wanted
    return samples, channels


def _resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Convert int16 samples to another rate."""
    if rate == wanted:
        return samples
    if samples.size * wanted > rate * max(ALWAYS_SAMPLES, MAX_GROWTH * samples.size):
        raise ValueError(f"its {rate:,} Hz are too few to resample to {wanted:,} Hz")
    with needs("soxr", extra="audio"):
        import soxr
    resampled: np.ndarray = soxr.resample(samples, rate, wanted)
    return resampled


def read_audio(data: bytes) -> tuple[np.ndarray, int]:
    """Decode an audio file to int16 (samples,) or (samples, channels), and its sample rate.

    24-bit and 32-bit samples are reduced to their upper 16 bits, and 8-bit samples become the upper
    8 bits. Floats from -1 to 1, which MP3, Vorbis and Opus also give, are scaled to the full range.

    Raises:
        MissingExtraError: the file is not WAV, and soundfile is not installed.
        ValueError: the file is damaged or cut, or is a WAV file that requires soundfile.
        Exception: any exception that soundfile raises for a damaged file.
    """
    encoding = encoding_of(data[:12])
    if encoding is not None:
        data = complete(data, encoding)
    samples, rate = _read_wav(data) if encoding == "wav" else _read_with_soundfile(data)
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
        is_float = file.subtype.startswith(_FLOATS)
        dtype = "float64" if is_float else "int16"
        allowed = max(ALWAYS_SAMPLES, SAMPLES_PER_BYTE * len(data))
        if file.frames >= _UNKNOWN:
            values = _read_blocks(data, allowed)
        elif file.frames * file.channels > allowed:
            promised = f"{file.frames:,} samples for each of {file.channels} channels"
            raise ValueError(f"its header promises {promised}, but its bytes can hold {allowed:,}")
        else:
            values = file.read(dtype=dtype, always_2d=True)
            if len(values) != file.frames:
                raise ValueError(
                    f"its header promises {file.frames:,} samples, but {len(values):,} follow"
                )
        if is_float:  # libsndfile would not clip all of them
            values = np.clip(np.rint(values * 0x8000), -0x8000, 0x7FFF).astype(np.int16)
        return values, int(file.samplerate)


def _read_blocks(data: bytes, allowed: int) -> np.ndarray:
    """Read a FLAC file without a stated length, of at most `allowed` samples over all channels."""
    import soundfile

    class Forward(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
        """A file that soundfile reads without seeking, which fails if the length is unknown."""

        def seekable(self) -> bool:
            return False

    with Forward(io.BytesIO(data)) as file:
        blocks = [file.read(_BLOCK, dtype="int16", always_2d=True)]
        while len(blocks[-1]):
            if sum(block.size for block in blocks) > allowed:
                raise ValueError(f"it has more than {allowed:,} samples")
            blocks.append(file.read(_BLOCK, dtype="int16", always_2d=True))
    return np.concatenate(blocks)
