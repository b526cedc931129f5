"""Export RecordIO and read it with an independent reader and MXNet."""

import os
import struct
import subprocess
from pathlib import Path

import pytest

from dshub import Dataset
from dshub.catalog.features import ImageFeature
from tests.exporting import Rows, Some, pixels, same, written
from tests.independent import recordio

MAGIC = struct.pack("<I", 0xCED7230A).decode("latin-1")


def records(files: list[Path]) -> list[tuple[float, int, bytes]]:
    stems = [path.with_suffix("") for path in files if path.suffix == ".rec"]
    return [record for stem in stems for record in recordio.read(stem)]


@pytest.mark.parametrize("column", ["photo", "pixels", "sound", "text"])
def test_independent_reader_reads_recordio(
    some: Some, rows: Rows, tmp_path: Path, column: str
) -> None:
    exported = records(written(some(column, "label"), "recordio", tmp_path, 300))
    assert [(label, number) for label, number, _ in exported] == [
        (row["label"], i) for i, row in enumerate(rows)
    ]
    for (_, _, content), row in zip(exported, rows, strict=True):
        if column == "pixels":
            assert same(pixels(content), row[column][:, :, 0])
        else:
            assert content == (row[column].encode() if column == "text" else row[column])


def dataset_with_magic() -> Dataset:
    """Return files with the magic number at aligned and unaligned offsets."""
    magic = struct.pack("<I", 0xCED7230A)
    head = b"\x89PNG"
    files = [
        head,
        head + magic,
        head + magic * 3 + b"z",
        head + b"x" + magic,
        head + magic + b"xy" + magic,
    ]
    feature = ImageFeature(encoding="png")
    return Dataset.from_arrays({"image": files}, features={"image": feature})


def test_content_with_magic_numbers_survives(tmp_path: Path) -> None:
    dataset = dataset_with_magic()
    exported = records(written(dataset, "recordio", tmp_path, 1 << 20))
    assert [content for _, _, content in exported] == dataset.decode(False)["image"]


READ = """
import sys, mxnet
for stem in sys.argv[1:]:
    file = mxnet.recordio.MXIndexedRecordIO(stem + ".idx", stem + ".rec", "r")
    for key in file.keys:
        header, content = mxnet.recordio.unpack(file.read_idx(key))
        print(key, header.id, int(header.label), content.hex())
"""


def test_mxnet_reads_recordio(some: Some, rows: Rows, tmp_path: Path) -> None:
    """MXNet needs an old NumPy, so it runs in another Python that DSHUB_TEST_MXNET names."""
    python = os.environ.get("DSHUB_TEST_MXNET")
    if not python:
        pytest.skip("DSHUB_TEST_MXNET does not name a Python that has mxnet")
    for dataset in (some("photo", "label"), dataset_with_magic()):
        files = written(dataset, "recordio", tmp_path / str(len(dataset)))
        stems = [str(path.with_suffix("")) for path in files if path.suffix == ".rec"]
        done = subprocess.run(
            [python, "-c", READ, *stems], capture_output=True, encoding="utf-8", check=True
        )
        lines = [line.split(" ") for line in done.stdout.splitlines()]
        assert [bytes.fromhex(line[3]) for line in lines] == list(
            next(iter(dataset.decode(False).numpy().values()))
        )
        labels = (
            [row["label"] for row in rows] if "label" in dataset.features else [0] * len(dataset)
        )
        assert [[int(cell) for cell in line[:3]] for line in lines] == [
            [i, i, label] for i, label in enumerate(labels)
        ]
