"""Fuzz media: decode images and audio, and recognize files by their headers."""

import io
import wave

import numpy as np
import soundfile
from PIL import Image

from dshub.archives import open_files
from dshub.catalog.features import AudioFeature, ImageFeature
from dshub.datasets.decoding import decode_all, detect_audio
from dshub.datasets.tabular.json_records import read_records
from dshub.publishing.authoring import scanning as media
from dshub.publishing.authoring.detection import form
from dshub.publishing.authoring.survey import Entry

from . import mutations
from .target import Target, tried, written


def image(data: bytes) -> None:
    """Decode an input as a color image of any shape, and as a grayscale image of a fixed shape."""
    for feature in (ImageFeature(encoding="any"), ImageFeature(shape=(4, 5, 1), encoding="any")):
        with tried:
            decode_all([data], feature, str)


def audio(data: bytes) -> None:
    """Decode an input as audio in the format that its header declares, and as 8 kHz WAV."""
    with tried:
        decode_all([data], detect_audio(data, "input"), str)
    decode_all([data], AudioFeature(rate=8000, channels=1, encoding="wav"), str)


def headers(data: bytes) -> None:
    """Recognize an input by its first bytes, as `dshub new` does."""
    for name in ("input.jpg", "input.wav", "input.csv", "input.json", "input"):
        path = written(data, name)
        with open_files(path, title=name) as (file,):
            entry = Entry(name=name, path=path, file=file)
            with tried:
                assert form(entry)
            for read in (media.image_feature, media.audio_feature):
                with tried:
                    assert read(entry.content(), name)
            with tried:
                assert read_records([file])


def _encode_image(kind: str, mode: str = "RGB") -> bytes:
    sink = io.BytesIO()
    values = (np.arange(4 * 5 * 3) * 4).astype(np.uint8).reshape(4, 5, 3)
    Image.fromarray(values).convert(mode).save(sink, kind)
    return sink.getvalue()


def _images() -> dict[str, bytes]:
    kinds = {"png": "RGB", "jpeg": "RGB", "gif": "P", "bmp": "RGB", "tiff": "RGB", "webp": "RGB"}
    seeds = {f"image.{kind}": _encode_image(kind, mode) for kind, mode in kinds.items()}
    seeds["palette.png"] = _encode_image("png", "P")
    seeds["alpha.png"] = _encode_image("png", "RGBA")
    seeds["grey.ppm"] = _encode_image("ppm", "L")
    seeds["bits.png"] = _encode_image("png", "1")
    return seeds


def _audio() -> dict[str, bytes]:
    samples = np.arange(-8, 8, dtype=np.int16) * 1000
    flac, aiff, mp3, floats, plain = (io.BytesIO() for _ in range(5))
    soundfile.write(flac, samples, 8000, format="FLAC")
    soundfile.write(aiff, samples, 8000, format="AIFF")
    soundfile.write(mp3, samples, 8000, format="MP3")
    soundfile.write(floats, samples / 0x8000, 8000, format="WAV", subtype="FLOAT")
    with wave.open(plain, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return {
        "plain.wav": plain.getvalue(),
        "floats.wav": _without_time(floats.getvalue()),
        "sound.flac": flac.getvalue(),
        "sound.aiff": aiff.getvalue(),
        "sound.mp3": mp3.getvalue(),
    }


def _files() -> dict[str, bytes]:
    rows = {"rows.jsonl": b'{"a": 1}\n{"a": 2}\n', "list.json": b'{"data": [{"a": "x"}]}'}
    return _images() | _audio() | rows | {"table.tsv": b"a\tb\n1\tx\n"}


def _without_time(data: bytes) -> bytes:
    """Zero the write time in the PEAK chunk of a WAV file."""
    at = data.find(b"PEAK")
    return data[: at + 12] + bytes(4) + data[at + 16 :]


TARGETS = (
    Target("image", image, _images, mutations.repaired(mutations.png_sums, mutations.png_pixels)),
    Target("audio", audio, _audio, tokens=(b"data", b"fmt ", b"LIST", b"\xff" * 4)),
    Target("headers", headers, _files, share=0.5),
)
