"""Compare decoded audio with soundfile and computed values."""

import io
import struct
import sys
import wave
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import AudioFeature, LabelFeature
from dshub.datasets.decoding import LazyColumn
from dshub.errors import DshubError, ReadError, SchemaError

RATE = 8000
SAMPLES = np.random.default_rng(1).integers(-(2**15), 2**15, (50, 2), np.int16)


def dataset(*files: bytes, feature: AudioFeature) -> Dataset:
    return Dataset.from_arrays({"x": list(files)}, features={"x": feature})


def decode_one(data: bytes, feature: AudioFeature) -> np.ndarray:
    decoded: np.ndarray = dataset(data, feature=feature)[0]["x"]
    return decoded


def wav(values: bytes, width: int, channels: int) -> bytes:
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(RATE)
        file.writeframes(values)
    return sink.getvalue()


def audio(channels: int = 1, **options: Any) -> AudioFeature:
    return AudioFeature(rate=RATE, channels=channels, **options)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_wav_of_every_sample_size_decodes_to_int16(width: int, channels: int) -> None:
    samples = SAMPLES[:, :channels]
    values = {
        1: ((samples >> 8) + 128).astype(np.uint8).tobytes(),
        2: samples.astype("<i2").tobytes(),
        3: b"".join(struct.pack("<i", (int(v) << 8) + 99)[:3] for v in samples.reshape(-1)),
        4: ((samples.astype(np.int32) << 16) + 12345).astype("<i4").tobytes(),
    }[width]
    decoded = decode_one(wav(values, width, channels), audio(channels))
    expected = samples >> 8 << 8 if width == 1 else samples
    assert decoded.dtype == np.int16
    assert np.array_equal(decoded, expected[:, 0] if channels == 1 else expected)
    decoded[:] = 0


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_flac_decodes_like_soundfile(channels: int, subtype: str) -> None:
    soundfile = pytest.importorskip("soundfile")
    sink, samples = io.BytesIO(), SAMPLES[:, :channels]
    soundfile.write(sink, samples, RATE, format="FLAC", subtype=subtype)
    decoded = decode_one(sink.getvalue(), audio(channels, encoding="flac"))
    assert np.array_equal(decoded, samples[:, 0] if channels == 1 else samples)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE", "ULAW"])
def test_wav_with_other_encodings_is_read_by_soundfile(subtype: str) -> None:
    soundfile = pytest.importorskip("soundfile")
    sink = io.BytesIO()
    soundfile.write(sink, SAMPLES[:, 0] / 2**15, RATE, format="WAV", subtype=subtype)
    decoded = decode_one(sink.getvalue(), audio())
    assert decoded.dtype == np.int16
    assert np.abs(decoded.astype(int) - SAMPLES[:, 0]).max() <= (0 if subtype != "ULAW" else 1100)


def test_wav_with_other_encodings_needs_soundfile(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(wav(bytes(20), 2, 1))
    data[20] = 3  # format tag 3 means floating-point samples
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ReadError, match=r"row 0, column x: .*pip install 'dshub\[audio\]'"):
        decode_one(bytes(data), audio())


def test_flac_needs_soundfile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ImportError, match="soundfile") as caught:
        decode_one(b"fLaC" + bytes(50), audio(encoding="flac"))
    assert isinstance(caught.value, DshubError)
    assert "dshub[audio]" in caught.value.hint


WHOLE = wav(SAMPLES.astype("<i2").tobytes(), 2, 2)


@pytest.mark.parametrize(
    "data",
    [b"", WHOLE[:20], WHOLE[:44], WHOLE[:-8], b"fLaC" + bytes(60), b"<!DOCTYPE html>"],
    ids=["nothing", "header", "no samples", "short", "no flac", "page"],
)
def test_undecodable_audio_is_a_read_error(data: bytes) -> None:
    pytest.importorskip("soundfile")
    with pytest.raises(ReadError, match=r"row 1, column x: it cannot be decoded: .+"):
        dataset(WHOLE, data, feature=audio(2))[:]


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (AudioFeature(rate=16000, channels=2), "8000 Hz, expected .* 16000 Hz"),
        (AudioFeature(rate=8000, channels=1), r"2 channel.*, expected 1 channel"),
    ],
)
def test_audio_of_another_rate_is_rejected(feature: AudioFeature, words: str) -> None:
    with pytest.raises(SchemaError, match=f"row 0, column x: got .*{words}"):
        decode_one(WHOLE, feature)


def test_audio_is_a_list_in_batches_and_lazy_in_columns() -> None:
    short = wav(SAMPLES[:7].astype("<i2").tobytes(), 2, 2)
    rows = Dataset.from_arrays(
        {"x": [WHOLE, short], "label": np.array([0, 1])},
        features={"x": audio(2), "label": LabelFeature(names=("a", "b"))},
    )
    (batch,) = rows.batches(2)
    assert [part.shape for part in batch["x"]] == [(50, 2), (7, 2)]
    assert isinstance(rows["x"], LazyColumn)
    assert rows.image_columns == []


def test_audio_that_declares_hours_is_rejected() -> None:
    """FLAC can store hours of silence in a few bytes, so the header is checked before decoding."""
    soundfile = pytest.importorskip("soundfile")
    sink = io.BytesIO()
    soundfile.write(sink, np.zeros(65_536, np.int16), 16_000, format="FLAC", subtype="PCM_16")
    data = bytearray(sink.getvalue())
    # sample size and number of samples in STREAMINFO
    data[21:26] = (0xF << 36 | 1 << 31).to_bytes(5, "big")
    feature = AudioFeature(rate=16_000, encoding="flac")
    with pytest.raises(ReadError, match=r"promises 2,147,483,648 samples.* can hold 33,554,432"):
        decode_one(bytes(data), feature)
