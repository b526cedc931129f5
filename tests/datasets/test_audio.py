"""Compare decoded audio with soundfile and computed values."""

import io
import re
import struct
import sys
import wave
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import AudioFeature, LabelFeature
from dshub.datasets.audio import probe
from dshub.datasets.decoding import LazyColumn
from dshub.errors import DshubError, ReadError, SchemaError
from tests.datasets.audio_examples import FORMS, TONE, encode

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


def test_hint_for_another_rate_works() -> None:
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    sink = io.BytesIO()
    soundfile.write(sink, SAMPLES, RATE, format="FLAC")
    feature = AudioFeature(rate=16_000, channels=1, encoding="flac")
    rows = dataset(sink.getvalue(), feature=feature)
    with pytest.raises(SchemaError) as caught:
        rows[0]
    texts = re.findall(r"AudioFeature\(.*?\)", caught.value.hint)
    for text, shape in zip(texts, [(100,), (50, 2)], strict=True):
        assert rows.cast({"x": eval(text)})[0]["x"].shape == shape


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


LOUD = np.sign(np.sin(np.arange(24_000) * 0.11)) * 0.999


@pytest.mark.parametrize("form", ["mp3", "ogg-vorbis", "ogg-opus", "aiff", "aiff-float"])
@pytest.mark.parametrize("channels", [1, 2])
def test_other_formats_decode_like_soundfile(form: str, channels: int) -> None:
    """Codecs overshoot near full scale, and libsndfile would wrap around instead of clipping."""
    soundfile = pytest.importorskip("soundfile")
    data = encode(form, 24_000, np.stack([LOUD] * channels, axis=1))
    expected, rate = soundfile.read(io.BytesIO(data), always_2d=channels > 1)
    feature = AudioFeature(rate=rate, channels=channels, encoding="any")
    decoded = decode_one(data, feature)
    expected = np.clip(expected * 2**15, -(2**15), 2**15 - 1)
    assert decoded.dtype == np.int16
    assert decoded.shape == expected.shape
    assert np.abs(decoded - expected).max() <= 1


@pytest.mark.parametrize("form", FORMS)
def test_cut_file_of_every_format_is_a_read_error(form: str) -> None:
    pytest.importorskip("soundfile")
    data = encode(form)
    feature = AudioFeature(rate=24_000, encoding="any")
    assert len(decode_one(data, feature)) == len(TONE)
    for length in [40, *range(500, len(data), len(data) // 20), len(data) - 1]:
        with pytest.raises((ReadError, SchemaError), match=r"row 0, column x"):
            decode_one(data[:length], feature)


def test_flac_without_a_length_is_read_to_its_end() -> None:
    pytest.importorskip("soundfile")
    data = bytearray(encode("flac", samples=np.tile(TONE, 4)))
    data[21] &= 0xF0  # the number of samples in STREAMINFO: 0 if it was not known
    data[22:26] = bytes(4)
    feature = AudioFeature(rate=24_000, encoding="flac")
    assert np.array_equal(decode_one(bytes(data), feature), np.tile(TONE, 4))
    with pytest.raises(ReadError, match="cannot be decoded"):
        decode_one(bytes(data[: len(data) // 2]), feature)


def test_streamed_wav_needs_no_other_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    data = bytearray(WHOLE)
    data[4:8] = data[40:44] = b"\xff" * 4
    assert np.array_equal(decode_one(bytes(data), audio(2)), SAMPLES)


def test_rows_keep_their_rates_and_channels() -> None:
    files = [wav(SAMPLES.astype("<i2").tobytes(), 2, channels) for channels in (1, 2)]
    rows = dataset(*files, feature=AudioFeature(rate=0, channels=0))
    assert [row["x"].shape for row in rows] == [(100,), (50, 2)]
    assert [probe(row["x"]).channels for row in rows.decode(False)] == [1, 2]
    mono = rows.cast({"x": AudioFeature(rate=RATE, channels=1, resample=True)})
    assert np.array_equal(mono[0]["x"], rows[0]["x"])
    assert np.abs(mono[1]["x"] - SAMPLES.mean(axis=1)).max() <= 0.5
    stereo = rows.cast({"x": AudioFeature(rate=RATE, channels=2, resample=True)})
    assert np.array_equal(stereo[0]["x"], np.stack([rows[0]["x"]] * 2, axis=1))


def test_files_of_other_rates_are_resampled_on_request() -> None:
    """A tone keeps its frequency and volume."""
    pytest.importorskip("soxr")

    def tone(rate: int) -> np.ndarray:
        return 9000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)

    def at(rate: int) -> bytes:
        data = bytearray(wav(tone(rate).astype("<i2").tobytes(), 2, 1))
        data[24:28] = struct.pack("<I", rate)
        return bytes(data)

    rows = dataset(at(8000), at(44100), feature=AudioFeature(rate=16_000, resample=True))
    for row in rows:
        assert row["x"].shape == (16_000,)
        assert np.abs(row["x"] - tone(16_000))[200:-200].max() < 10


def test_resampling_cannot_exhaust_memory() -> None:
    data = bytearray(wav(bytes(20_000), 2, 1))
    data[24:28] = struct.pack("<I", 1)  # Hz
    with pytest.raises(ReadError, match="its 1 Hz are too few"):
        decode_one(bytes(data), AudioFeature(rate=16_000, resample=True))


def test_resampling_needs_soxr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(ImportError, match="soxr"):
        decode_one(WHOLE, AudioFeature(rate=16_000, channels=2, resample=True))


@pytest.mark.parametrize("form", FORMS)
def test_probe_reads_the_header(form: str) -> None:
    pytest.importorskip("soundfile")
    rate = 48_000 if form == "ogg-opus" else 24_000
    data = encode(form, rate, np.stack([TONE, TONE], axis=1))
    encoding: Any = form.partition("-")[0]
    assert probe(data) == AudioFeature(rate=rate, channels=2, encoding=encoding)


@pytest.mark.parametrize("data", [b"", b"<html>", WHOLE[:30]], ids=["nothing", "page", "cut"])
def test_probe_rejects_other_files(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"it is (not WAV, FLAC, MP3, Ogg or AIFF|truncated)"):
        probe(data)


def test_probe_rejects_a_rate_of_zero() -> None:
    data = WHOLE[:24] + bytes(4) + WHOLE[28:]
    with pytest.raises(ValueError, match="states 2 channels at 0 Hz"):
        probe(data)
