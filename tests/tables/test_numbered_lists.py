import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest

from dshub import Registry
from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest
from dshub.errors import ManifestError, ReadError
from dshub.synthetic.synthesize import synthesize
from dshub.tables.building import rows_of

MANIFEST = """
schema = 1
name = "birds"
version = "1.0.0"
title = "Birds"
summary = "Images with a separate list of labels."
task = "image-classification"
homepage = "https://example.org"
[resources.archive]
filename = "birds.tar"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
[resources.labels]
filename = "labels"
sha256 = "1111111111111111111111111111111111111111111111111111111111111111"
[features.image]
kind = "image"
encoding = "jpeg"
[features.label]
kind = "label"
names = ["crow", "duck", "emu"]
codes = ["n07", "n03", "n05"]
[splits.train]
rows = 3
reader = { format = "folder", path = "jpg/image_{id:05d}.jpg" }
files = { image = "archive:jpg/*.jpg", list = "labels" }
[[splits.train.steps]]
step = "join"
part = "list"
reader = { format = "delimited", columns = ["label"], quoting = false }
on = ["id"]
number = "id"
columns = ["label"]
[[splits.train.steps]]
step = "map"
column = "label"
values = { 1 = "n03", 2 = "n05", 3 = "n07" }
"""


def manifest(folder: Path, text: str = MANIFEST) -> Manifest:
    path = folder / "birds.toml"
    path.write_text(text)
    return Registry(()).manifest(str(path))


def images(*numbers: int) -> bytes:
    """Return a tar of images with these numbers."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for number in numbers:
            info = tarfile.TarInfo(f"jpg/image_{number:05d}.jpg")
            info.size = 4
            tar.addfile(info, io.BytesIO(b"\xff\xd8\xff" + bytes([number])))
    return sink.getvalue()


def read(folder: Path, archive: bytes, label_lines: bytes) -> list[dict[str, object]]:
    """Return the rows of the split."""
    paths = {"archive": folder / "archive", "labels": folder / "labels"}
    paths["archive"].write_bytes(archive)
    paths["labels"].write_bytes(label_lines)
    return [row for batch in rows_of(manifest(folder), "train", paths) for row in batch.to_pylist()]


def test_number_in_a_file_name_selects_a_line_of_the_list(tmp_path: Path) -> None:
    """The order of the archive does not matter."""
    rows = read(tmp_path, images(5, 1, 4), b"1\n2\n2\n3\n2\n")
    assert [row["image"] for row in rows] == [
        b"\xff\xd8\xff\5",
        b"\xff\xd8\xff\1",
        b"\xff\xd8\xff\4",
    ]
    assert [row["label"] for row in rows] == [2, 1, 0]


def test_list_that_is_too_short_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no row for '4'"):
        read(tmp_path, images(1, 4), b"1\n2\n3\n")


def test_lines_of_a_synthetic_list_match_the_image_numbers(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    one = MANIFEST.replace("splits.train", "splits.a")
    text = one + one[one.index("[splits.a]") :].replace("splits.a", "splits.b").replace(
        "jpg/", "png/"
    )
    synthetic = synthesize(manifest(tmp_path, text), store, rows=3)
    result = {}
    for name, resource in synthetic.resources.items():
        path = store.blob(resource.digest, resource.size)
        assert path is not None
        result[name] = path
    label_lines = result["labels"].read_text().split()
    with tarfile.open(result["archive"]) as tar:
        numbers = {name: int(name[-9:-4]) for name in tar.getnames()}
    assert len(label_lines) == max(numbers.values()) == len(numbers) == 6
    for split, folder in (("a", "jpg"), ("b", "png")):
        rows = pa.Table.from_batches(rows_of(synthetic, split, result))["label"].to_pylist()
        split_numbers = [number for name, number in numbers.items() if name.startswith(folder)]
        assert rows == [
            {"1": 1, "2": 2, "3": 0}[label_lines[number - 1]] for number in split_numbers
        ]


def test_number_without_join_is_a_fault_of_the_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="'nr' is not among `on`"):
        manifest(tmp_path, MANIFEST.replace('number = "id"', 'number = "nr"'))
