"""Recordings of classes: a tone of its own for each, with noise."""

import io
import wave

import numpy as np

from dshub.errors import MissingExtraError
from dshub.manifest import AudioFeature


def recordings(feature: AudioFeature, classes: np.ndarray, random: np.ndarray) -> list[bytes]:
    """A file for each row, a quarter of a second to a second long."""
    return [
        _file(feature, _tone(feature, int(c), int(r))) for c, r in zip(classes, random, strict=True)
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


def _file(feature: AudioFeature, samples: np.ndarray) -> bytes:
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
