"""Test that `dshub new` lists bad image and audio files, and can leave them out."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dshub.errors import ReadError
from tests.datasets.audio_examples import encode
from tests.photos import CUT, EMPTY, NAMES, files, png
from tests.publishing.authoring.conftest import New

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"


def write(folder: Path) -> None:
    for name, content in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_all_bad_files_are_listed(new: New, data: Path) -> None:
    write(data)
    (data / "cat" / "link.jpg").write_text(POINTER)
    with pytest.raises(ReadError) as caught:
        new(data)
    text = str(caught.value)
    assert text.startswith("files that cannot be decoded: 3 of 11\n")
    assert "it is a Git LFS pointer, not the file itself; run `git lfs pull`" in text
    for line in (f"{CUT}: it cannot be decoded", f"{EMPTY}: it ", "link.jpg: it is a Git LFS poi"):
        assert line in text
    assert "--skip-bad" in caught.value.hint
    assert not list(Path.cwd().rglob("*.toml"))


def test_one_bad_file_is_named(new: New, data: Path) -> None:
    write(data)
    (data / EMPTY).write_bytes(png(1))
    with pytest.raises(ReadError, match=rf"{CUT}: it cannot be decoded") as caught:
        new(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
def test_bad_files_can_be_left_out(new: New, data: Path, *, packed: bool) -> None:
    write(data)
    source = data
    if packed:
        source = data.with_name("photos.zip")
        with zipfile.ZipFile(source, "w") as archive:
            for name in NAMES:
                archive.write(data / name, name)
    result = new(source, "--skip-bad")
    (doubt,) = result.doubts("decoded")
    assert doubt.startswith("skipped 2 files that cannot be decoded: ")
    assert CUT in doubt
    rows = result["train"]
    values = [i for i, name in enumerate(NAMES) if name not in {CUT, EMPTY}]
    assert [int(row["image"][0, 0, 0]) for row in rows] == values
    assert rows["label"].tolist() == [0] * 4 + [1] * 4


def test_a_folder_of_only_bad_files_is_refused(new: New, data: Path) -> None:
    for name in ("a/1.jpg", "b/1.jpg"):
        (data / name).parent.mkdir()
        (data / name).write_bytes(b"no image")
    with pytest.raises(ReadError, match="cannot be decoded: 2 of 2"):
        new(data, "--skip-bad")


def test_check_media_decodes_audio_to_its_end(new: New, data: Path) -> None:
    """The header of a FLAC file says nothing about its frames."""
    pytest.importorskip("soundfile")
    sound = encode("flac", samples=np.random.default_rng(0).integers(-9, 9, 48_000, np.int16))
    broken = sound[: len(sound) // 2] + bytes(2000) + sound[len(sound) // 2 + 2000 :]
    for name, content in {"a/1.flac": sound, "b/2.flac": broken}.items():
        (data / name).parent.mkdir()
        (data / name).write_bytes(content)
    with pytest.raises(ReadError, match=r"b/2\.flac: it cannot be decoded"):
        new(data, "--check-media")
    assert not list(Path.cwd().rglob("*.toml"))


def test_check_media_decodes_the_files_of_a_table(new: New, data: Path) -> None:
    sink = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(sink, "PNG")
    good = sink.getvalue()
    table = pa.table({"image": [good, good[:-30], good], "label": [0, 1, 0]})
    pq.write_table(table, data / "train.parquet")
    with pytest.raises(ReadError, match="train, row 1, column image: it "):
        new(data / "train.parquet", "--check-media")
