"""Pictures and recordings that are kept as files, against Pillow, soundfile and arithmetic."""

import io
import pickle
import shutil
import struct
import sys
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dshub import Dataset, Hub
from dshub.catalog.features import AudioFeature, ImageFeature, LabelFeature
from dshub.datasets.decoding import LazyColumn
from dshub.errors import ArgumentError, DshubError, ReadError, SchemaError

ANY = ImageFeature(encoding="any")
COLOURS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
GREYS = COLOURS[..., 0]


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    sink = io.BytesIO()
    image.save(sink, form, **options)
    return sink.getvalue()


def dataset(*files: bytes, feature: Any = ANY) -> Dataset:
    return Dataset.from_arrays({"x": list(files)}, features={"x": feature})


def only(data: bytes, feature: Any = ANY) -> np.ndarray:
    """What one file decodes to."""
    found: np.ndarray = dataset(data, feature=feature)[0]["x"]
    return found


# Pictures


def palette() -> Image.Image:
    return Image.fromarray(COLOURS).quantize(30)


def transparent_palette() -> Image.Image:
    image = palette()
    image.info["transparency"] = bytes([0, 100, 200])
    return image


SIXTEEN = (GREYS.astype(np.uint16) << 8) + 77
CLEAR = np.dstack([COLOURS, GREYS])
PICTURES: dict[str, tuple[bytes, np.ndarray]] = {
    "rgb": (saved(Image.fromarray(COLOURS)), COLOURS),
    "grey": (saved(Image.fromarray(GREYS)), np.dstack([GREYS] * 3)),
    "alpha": (saved(Image.fromarray(CLEAR)), COLOURS),
    "grey with alpha": (
        saved(Image.fromarray(np.dstack([GREYS, GREYS]))),
        np.dstack([GREYS] * 3),
    ),
    "palette": (saved(palette()), np.array(palette().convert("RGB"))),
    "palette with alpha": (
        saved(transparent_palette(), transparency=bytes([0, 100, 200])),
        np.array(palette().convert("RGB")),
    ),
    "16 bits": (saved(Image.fromarray(SIXTEEN)), np.dstack([GREYS] * 3)),
    "16 bits, TIFF": (saved(Image.fromarray(SIXTEEN), "TIFF"), np.dstack([GREYS] * 3)),
    "one bit": (
        saved(Image.fromarray(GREYS > 99)),
        np.dstack([np.where(GREYS > 99, 255, 0)] * 3).astype(np.uint8),
    ),
    "webp": (saved(Image.fromarray(COLOURS), "WEBP", lossless=True), COLOURS),
    "bmp": (saved(Image.fromarray(COLOURS), "BMP"), COLOURS),
    "two pictures": (
        saved(Image.fromarray(COLOURS), "TIFF", save_all=True, append_images=[palette()]),
        COLOURS,
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_rgb(name: str) -> None:
    """uint8 (height, width, 3), whatever its file holds; an array that may be written to."""
    data, pixels = PICTURES[name]
    found = only(data)
    assert found.dtype == np.uint8
    assert found.shape == (6, 5, 3)
    assert np.array_equal(found, pixels)
    found[:] = 0


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_photographs_are_as_pillow_decodes_them(mode: str) -> None:
    """JPEG in colours, in grey and of the four inks of print."""
    data = saved(Image.fromarray(COLOURS).convert(mode), "JPEG", quality=95)
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == mode
        assert np.array_equal(only(data), np.array(image.convert("RGB")))


@pytest.mark.parametrize("name", PICTURES)
def test_one_channel_where_the_shape_says_so(name: str) -> None:
    """uint8 (height, width, 1), the luma of the colours."""
    data, pixels = PICTURES[name]
    found = only(data, ImageFeature(encoding="any", shape=(6, 5, 1)))
    assert found.shape == (6, 5, 1)
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(found[..., 0] - luma).max() <= 1


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("held", range(1, 9))
def test_pictures_stand_upright(form: str, held: int) -> None:
    """However the camera was held, which EXIF tells by a number from 1 to 8."""
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 250  # a light corner, up and to the left
    seen = {  # where the corner lies in the file: turned, mirrored
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[held]
    exif = Image.Exif()
    exif[0x0112] = held
    found = only(saved(Image.fromarray(seen.copy()), form, exif=exif))
    assert found.shape == upright.shape
    assert np.array_equal(found > 128, upright > 128)


def test_damaged_notes_beside_a_picture_do_not_matter() -> None:
    """The pixels are there, whatever stands in its EXIF."""
    data = saved(Image.fromarray(COLOURS), "JPEG", exif=b"Exif\0\0nonsense" * 3)
    assert only(data).shape == (6, 5, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff" + b"x" * 100,
        b"<!DOCTYPE html>",
        saved(Image.fromarray(COLOURS))[:-30],
        saved(Image.fromarray(np.zeros((64, 64, 3), np.uint8)), "JPEG")[:400],
        saved(Image.fromarray(np.float32(GREYS)), "TIFF"),
    ],
    ids=["nothing", "noise", "page", "short png", "short jpeg", "floats"],
)
def test_a_picture_that_cannot_be_decoded(data: bytes) -> None:
    """The error names row and column, and the hint says how to look at the file."""
    rows = dataset(PICTURES["rgb"][0], data, PICTURES["rgb"][0])
    with pytest.raises(ReadError, match="row 1, column x: it ") as caught:
        rows[:]
    assert "ds.decode(False)" in caught.value.hint
    with pytest.raises(ReadError, match="row 1, column x"):
        rows.select([0, 2, 1])[-1]
    assert rows.decode(False)[1]["x"] == data
    assert len(rows[[0, 2]]["x"]) == 2


def test_the_error_names_dataset_and_split(prepared: Any, tmp_path: Path) -> None:
    """Of prepared tables, in each of which rows are counted on their own."""
    moved = shutil.copytree(prepared.folders["test"], tmp_path / "moved")
    photo = prepared.dataset("test").decode(False)["photo"][2]
    for path in moved.glob("*.arrow"):
        path.write_bytes(path.read_bytes().replace(photo, photo[:20] + bytes(len(photo) - 20)))
    both = Dataset.from_tables([prepared.folders["train"], moved])
    with pytest.raises(ReadError, match=r"mixed@1\.0\.0, split test, row 2, column photo: it "):
        both[42]
    assert both[43]["photo"].tolist() == prepared.rows["test"][3]["photo"]


@given(st.sampled_from(list(PICTURES)), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_of_a_picture(name: str, place: float, flip: int) -> None:
    """It gives pixels, or an error of ours: no other kind of exception comes out."""
    data = bytearray(PICTURES[name][0])
    data[int(place * len(data))] ^= flip
    found: object = None
    try:
        found = only(bytes(data)).dtype
    except DshubError as error:
        assert "row 0, column x" in str(error)  # noqa: PT017  # either is right
    assert found in {None, np.dtype(np.uint8)}


# Several at once


def test_several_pictures_without_a_shape_are_a_list() -> None:
    """An array for each, also in batches; channels first where that is asked for."""
    images = [Image.fromarray(COLOURS), Image.fromarray(COLOURS[:3]), Image.fromarray(COLOURS)]
    rows = dataset(*map(saved, images))
    for several in (rows[:], rows[[0, 1, 2]], rows[np.array([True] * 3)]):
        assert type(several["x"]) is list
        assert [picture.shape for picture in several["x"]] == [(6, 5, 3), (3, 5, 3), (6, 5, 3)]
    (batch,) = rows.batches(3, layout="chw")
    assert [picture.shape for picture in batch["x"]] == [(3, 6, 5), (3, 3, 5), (3, 6, 5)]
    assert np.array_equal(batch["x"][0], COLOURS.transpose(2, 0, 1))
    assert rows[:0]["x"] == []


def test_several_pictures_with_a_shape_are_one_array() -> None:
    """Stacked; none of them is an array of none."""
    rows = dataset(*[PICTURES["rgb"][0]] * 3, feature=ImageFeature(encoding="png", shape=(6, 5, 3)))
    assert np.array_equal(rows[:]["x"], np.stack([COLOURS] * 3))
    (batch,) = rows.batches(3, layout="chw")
    assert np.array_equal(batch["x"], np.stack([COLOURS.transpose(2, 0, 1)] * 3))
    assert (rows[:0]["x"].dtype, rows[:0]["x"].shape) == (np.uint8, (0, 6, 5, 3))


def test_a_picture_of_another_shape_than_the_feature_says() -> None:
    """The error names the row and both shapes."""
    feature = ImageFeature(encoding="any", shape=(6, 5, 3))
    rows = dataset(PICTURES["rgb"][0], saved(Image.fromarray(COLOURS[:4])), feature=feature)
    with pytest.raises(SchemaError, match="row 1, column x: got 4x5x3, expected 6x5x3"):
        rows[:]


def test_a_whole_column_is_decoded_row_by_row() -> None:
    """What is not asked for is not decoded: a damaged file among the others does not matter."""
    rows = dataset(PICTURES["rgb"][0], b"damaged", PICTURES["webp"][0])
    for column in (rows["x"], rows.numpy()["x"]):
        assert isinstance(column, LazyColumn)
        assert isinstance(column, Sequence)
        assert len(column) == 3
        assert np.array_equal(column[0], COLOURS)
        assert np.array_equal(column[-1], COLOURS)
        assert [picture.shape for picture in column[::2]] == [(6, 5, 3)] * 2
        with pytest.raises(ReadError, match="row 1"):
            list(column)
        with pytest.raises(IndexError):
            column[3]
    assert "3 rows" in repr(rows["x"])


def test_a_whole_column_crosses_to_another_process() -> None:
    """As a `DataLoader` of it has to send it to its workers; what is made of rows goes along."""
    column = dataset(PICTURES["rgb"][0], PICTURES["webp"][0])["x"]
    assert isinstance(column, LazyColumn)
    again = pickle.loads(pickle.dumps(column.mapped(np.fliplr)))
    assert np.array_equal(again[1], column[1][:, ::-1])
    assert np.array_equal(again[::-1][0], column[1][:, ::-1])


def test_a_whole_column_as_one_array() -> None:
    """NumPy makes one of it, where all rows have one shape."""
    rows = dataset(PICTURES["rgb"][0], PICTURES["webp"][0])
    assert np.array_equal(np.asarray(rows["x"]), np.stack([COLOURS] * 2))
    assert np.array(rows["x"], np.float32).dtype == np.float32
    mixed = dataset(PICTURES["rgb"][0], saved(Image.fromarray(COLOURS[:3])))
    with pytest.raises(ValueError, match="column x have several shapes, 3x5x3 and 6x5x3"):
        np.asarray(mixed["x"])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts pages")
def test_walking_over_pictures_takes_little_memory() -> None:
    """Pictures of 600 MB together, of which few are there at a time."""
    import resource

    data = saved(Image.fromarray(np.zeros((1000, 1000, 3), np.uint8)), "JPEG")
    rows = dataset(*[data] * 200)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(row["x"].shape[0] for row in rows) == 200_000
    assert sum(picture.shape[0] for picture in rows["x"]) == 200_000
    assert len(rows.filter(lambda batch: np.array([True] * len(batch["x"])))) == 200
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10 < 250


def test_files_as_they_are(prepared: Any) -> None:
    """`decode(False)` gives bytes in rows, slices, columns and batches; `decode()` goes back."""
    view = prepared.dataset().decode(False)
    files = view["photo"]
    assert all(data.startswith(b"\x89PNG") for data in files)
    assert view[3]["photo"] == files[3]
    assert view[2:5]["photo"] == files[2:5]
    (first, *_) = view.batches(8, layout="chw")
    assert first["photo"] == files[:8]
    assert view.pictures == ["image"]
    assert prepared.dataset().pictures == ["image", "photo"]
    with Image.open(io.BytesIO(files[5])) as image:
        assert np.array_equal(view.decode()[5]["photo"], np.array(image))
    assert view.fingerprint != prepared.dataset().fingerprint == view.decode().fingerprint


def test_load_data_of_pictures_of_several_shapes() -> None:
    """Whoever asks for one array is told what to do instead."""
    # the arrays of Keras's convention are whole columns
    images: dict[str, Any] = {
        "x": [PICTURES["rgb"][0], saved(Image.fromarray(COLOURS[:3]))],
        "y": np.arange(2),
    }
    own = Dataset.from_arrays(images, features={"x": ANY}, supervised=("x", "y"))

    class Fixed(Hub):
        def load(self, *_: Any, **__: Any) -> Any:
            return own

    with pytest.raises(ArgumentError, match="several shapes") as caught:
        Fixed().load_data("any")
    assert "`batches`" in caught.value.hint


# Recordings

RATE = 8000
SAMPLES = np.random.default_rng(1).integers(-(2**15), 2**15, (50, 2), np.int16)


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
def test_wav_of_every_width(width: int, channels: int) -> None:
    """int16 (samples,), or (samples, channels): the upper bits of what the file holds."""
    samples = SAMPLES[:, :channels]
    values = {
        1: ((samples >> 8) + 128).astype(np.uint8).tobytes(),
        2: samples.astype("<i2").tobytes(),
        3: b"".join(struct.pack("<i", (int(v) << 8) + 99)[:3] for v in samples.reshape(-1)),
        4: ((samples.astype(np.int32) << 16) + 12345).astype("<i4").tobytes(),
    }[width]
    found = only(wav(values, width, channels), audio(channels))
    wanted = samples >> 8 << 8 if width == 1 else samples
    assert found.dtype == np.int16
    assert np.array_equal(found, wanted[:, 0] if channels == 1 else wanted)
    found[:] = 0


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_flac(channels: int, subtype: str) -> None:
    """The same samples as soundfile reads."""
    soundfile = pytest.importorskip("soundfile")
    sink, samples = io.BytesIO(), SAMPLES[:, :channels]
    soundfile.write(sink, samples, RATE, format="FLAC", subtype=subtype)
    found = only(sink.getvalue(), audio(channels, encoding="flac"))
    assert np.array_equal(found, samples[:, 0] if channels == 1 else samples)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE", "ULAW"])
def test_wav_that_is_no_pcm(subtype: str) -> None:
    """What the standard library does not read, soundfile does; floats fill the whole range."""
    soundfile = pytest.importorskip("soundfile")
    sink = io.BytesIO()
    soundfile.write(sink, SAMPLES[:, 0] / 2**15, RATE, format="WAV", subtype=subtype)
    found = only(sink.getvalue(), audio())
    assert found.dtype == np.int16
    assert np.abs(found.astype(int) - SAMPLES[:, 0]).max() <= (0 if subtype != "ULAW" else 1100)


def test_wav_that_is_no_pcm_without_soundfile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what reads it."""
    data = bytearray(wav(bytes(20), 2, 1))
    data[20] = 3  # the kind: floats
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ReadError, match=r"row 0, column x: .*pip install 'dshub\[audio\]'"):
        only(bytes(data), audio())


def test_flac_without_soundfile(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an ImportError that names the extra."""
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ImportError, match="soundfile") as caught:
        only(b"fLaC" + bytes(50), audio(encoding="flac"))
    assert isinstance(caught.value, DshubError)
    assert "dshub[audio]" in caught.value.hint


WHOLE = wav(SAMPLES.astype("<i2").tobytes(), 2, 2)


@pytest.mark.parametrize(
    "data",
    [b"", WHOLE[:20], WHOLE[:44], WHOLE[:-8], b"fLaC" + bytes(60), b"<!DOCTYPE html>"],
    ids=["nothing", "header", "no samples", "short", "no flac", "page"],
)
def test_a_recording_that_cannot_be_decoded(data: bytes) -> None:
    """The error names row and column."""
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
def test_a_recording_of_another_rate_than_the_feature_says(
    feature: AudioFeature, words: str
) -> None:
    """Samples of another rate or number of channels would be silently wrong."""
    with pytest.raises(SchemaError, match=f"row 0, column x: got .*{words}"):
        only(WHOLE, feature)


def test_recordings_are_lists_in_batches_and_lazy_in_columns() -> None:
    """As pictures of several sizes are."""
    short = wav(SAMPLES[:7].astype("<i2").tobytes(), 2, 2)
    rows = Dataset.from_arrays(
        {"x": [WHOLE, short], "label": np.array([0, 1])},
        features={"x": audio(2), "label": LabelFeature(names=("a", "b"))},
    )
    (batch,) = rows.batches(2)
    assert [part.shape for part in batch["x"]] == [(50, 2), (7, 2)]
    assert isinstance(rows["x"], LazyColumn)
    assert rows.pictures == []


def test_recording_that_promises_hours_is_refused() -> None:
    """A few bytes of FLAC may hold hours of silence; that is seen before any is decoded."""
    soundfile = pytest.importorskip("soundfile")
    sink = io.BytesIO()
    soundfile.write(sink, np.zeros(65_536, np.int16), 16_000, format="FLAC", subtype="PCM_16")
    data = bytearray(sink.getvalue())
    data[21:26] = (0xF << 36 | 1 << 31).to_bytes(5, "big")  # STREAMINFO: 16 bits, and samples
    feature = AudioFeature(rate=16_000, encoding="flac")
    with pytest.raises(ReadError, match=r"promises 2,147,483,648 samples.* can hold 33,554,432"):
        only(bytes(data), feature)
