"""Decode audio files to int16 samples."""

import io
import wave

import numpy as np

from dshub.errors import MissingExtraError, needs

ALWAYS_SAMPLES = 1 << 25  # samples allowed in any file, over all channels; 64 MiB decoded
SAMPLES_PER_BYTE = 250  # limit for larger files; FLAC has 1 for music, 64 for 6 kbit/s speech


def read_audio(data: bytes) -> tuple[np.ndarray, int]:
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
