"""Cut audio files of every encoding, and compare streamed headers with soundfile."""

import io
import struct

import numpy as np
import pytest

from dshub.datasets.audio_files import complete, encoding_of
from tests.datasets.audio_examples import FORMS, TONE, encode

soundfile = pytest.importorskip("soundfile")


@pytest.mark.parametrize("form", FORMS)
def test_encoding_is_recognized_and_whole_files_pass(form: str) -> None:
    for rate in (8_000, 24_000, 48_000):
        data = encode(form, rate)
        encoding = encoding_of(data[:12])
        assert encoding == form.partition("-")[0]
        with soundfile.SoundFile(io.BytesIO(complete(data, encoding))) as file:
            assert file.frames == len(TONE)


@pytest.mark.parametrize("form", [form for form in FORMS if form not in {"mp3", "flac"}])
def test_every_cut_is_noticed(form: str) -> None:
    data = encode(form)
    encoding = encoding_of(data[:12])
    assert encoding is not None
    for length in [*range(12, 200), *range(200, len(data), 97), len(data) - 1]:
        with pytest.raises(ValueError, match=r"truncated|header promises"):
            complete(data[:length], encoding)


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
def test_incomplete_frame_at_the_end_of_mp3_is_noticed(rate: int) -> None:
    data = encode("mp3", rate)
    assert complete(data + b"TAG" + bytes(125), "mp3")
    tag = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
    assert complete(tag + data, "mp3") == tag + data
    for whole in (data, tag + data):
        with pytest.raises(ValueError, match="last frame is incomplete"):
            complete(whole[:-1], "mp3")
    with pytest.raises(ValueError, match="truncated"):
        complete(tag[:15], "mp3")


@pytest.mark.parametrize("head", [b"", b"RIFF\0\0\0\0WEBP", b"\xff\xd8\xff\xe0", b"FORM    ILBM"])
def test_other_files_have_no_encoding(head: bytes) -> None:
    assert encoding_of(head) is None


@pytest.mark.parametrize(
    ("whole", "size"),
    [(0xFFFFFFFF, 0xFFFFFFFF), (0, 0), (0x7FFFF024, 0x7FFFF000), (0x7FFFFFFF, 0x7FFFFFDB)],
    ids=["ffmpeg", "zeros", "sox", "largest"],
)
def test_streamed_wav_extends_to_the_end_of_the_file(whole: int, size: int) -> None:
    data = bytearray(encode("wav"))
    data[4:8], data[40:44] = struct.pack("<I", whole), struct.pack("<I", size)
    assert complete(bytes(data), "wav") == encode("wav")


def test_rf64_of_unknown_length_extends_to_the_end_of_the_file() -> None:
    data = bytearray(encode("wav-rf64"))
    data[20:36] = bytes(16)  # both sizes in the `ds64` chunk
    values, _ = soundfile.read(io.BytesIO(complete(bytes(data), "wav")), dtype="int16")
    assert np.array_equal(values, TONE)


def test_empty_wav_is_complete() -> None:
    data = encode("wav", samples=TONE[:0])
    assert complete(data, "wav") == data
