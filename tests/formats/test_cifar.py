"""Read CIFAR's binary files and compare the rows with those of an independent reader."""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from dshub import formats
from dshub.errors import ManifestError, ReadError
from dshub.testing.readers import MemoryFile, MemoryOutput, ReaderTests
from tests.independent import cifar

FORMAT = {"format": "cifar"}
COARSE_FIRST = FORMAT | {"labels": ["coarse_label", "fine_label"]}


def random_images(count: int, seed: int = 0) -> np.ndarray:
    """Return random images of shape (count, 32, 32, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), np.uint8)


def nested(array: np.ndarray) -> pa.Array:
    """Convert an array to rows of nested fixed-size lists."""
    column = pa.array(array.reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


def images(batches: list[pa.RecordBatch]) -> np.ndarray:
    """Return the column `image` of all batches, of shape (rows, 32, 32, 3)."""
    values = [batch.column("image").flatten().flatten().flatten() for batch in batches]
    return np.concatenate([part.to_numpy() for part in values]).reshape(-1, 32, 32, 3)


def read(options: dict[str, Any], *contents: bytes) -> list[pa.RecordBatch]:
    """Read all batches of files of one part."""
    files = [MemoryFile(f"file-{i}", data) for i, data in enumerate(contents)]
    return list(formats.create(options).read({"records": files}))


class TestCifar10(ReaderTests):
    parts: ClassVar = {"records": tuple(f"data_batch_{i}.bin" for i in range(1, 6))}
    detects_damage = False  # cutting a file between two records leaves a valid file

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT)

    def rows(self, count: int) -> pa.RecordBatch:
        labels = pa.array((np.arange(count) % 10).astype(np.uint8))
        return pa.RecordBatch.from_pydict({"image": nested(random_images(count)), "label": labels})


class TestCifar100(TestCifar10):
    parts: ClassVar = {"records": ("train.bin",)}

    def reader(self) -> formats.Reader:
        return formats.create(COARSE_FIRST)

    def rows(self, count: int) -> pa.RecordBatch:
        rows = super().rows(count).rename_columns(["image", "coarse_label"])
        return rows.append_column("fine_label", pa.array((np.arange(count) % 100).astype(np.uint8)))


def test_pixels_have_the_order_of_the_format() -> None:
    """Value (y, x, c) of an image is byte 1 + 1024 c + 32 y + x of its record."""
    record = bytes([7]) + bytes((i * 7 + i // 256) % 256 for i in range(3072))
    (batch,) = read(FORMAT, record)
    (image,) = images([batch])
    assert batch.column("label").to_pylist() == [7]
    assert all(
        image[y, x, c] == record[1 + 1024 * c + 32 * y + x]
        for y in range(32)
        for x in range(32)
        for c in range(3)
    )


@pytest.mark.parametrize("options", [FORMAT, COARSE_FIRST])
def test_rows_match_the_independent_reader(options: dict[str, Any]) -> None:
    size = 3072 + len(options.get("labels", ["label"]))
    contents = [np.random.default_rng(i).bytes(size * rows) for i, rows in enumerate((3, 0, 5))]
    expected = cifar.read({"records": [("", data) for data in contents]}, options)
    batches = read(options, *contents)
    np.testing.assert_array_equal(images(batches), np.stack(expected.pop("image")))
    table = pa.Table.from_batches(batches)
    assert {name: table.column(name).to_pylist() for name in expected} == expected


def test_coarse_label_of_cifar_100_comes_first() -> None:
    """The first record of the training set has the coarse label 11 and the fine label 19."""
    (batch,) = read(COARSE_FIRST, bytes([11, 19]) + bytes(3072))
    assert batch.column("coarse_label").to_pylist() == [11]
    assert batch.column("fine_label").to_pylist() == [19]


@pytest.mark.parametrize(
    ("rows", "excess", "place"), [(0, 1, "0"), (4, 3072, "12,292"), (3000, 5, "9,219,000")]
)
def test_truncated_record_is_rejected(rows: int, excess: int, place: str) -> None:
    """The error names the file and the incomplete record."""
    with pytest.raises(ReadError, match="file-1: it ends within a record") as caught:
        read(FORMAT, bytes(3073), bytes(3073 * rows + excess))
    assert f"at byte {place} has {excess:,} of 3,073 bytes" in str(caught.value)


def test_cifar_100_file_is_rejected_as_cifar_10() -> None:
    with pytest.raises(ReadError, match="of 3,073 bytes"):
        read(FORMAT, bytes(3074 * 50))


def test_rows_are_split_into_batches_in_order() -> None:
    data = np.random.default_rng(0).integers(0, 256, (10_000, 3073), np.uint8)
    batches = read(FORMAT, data.tobytes())
    assert len(batches) > 1
    labels = np.concatenate([batch.column("label").to_numpy() for batch in batches])
    np.testing.assert_array_equal(labels, data[:, 0])
    planes = data[:, 1:].reshape(-1, 3, 32, 32)
    np.testing.assert_array_equal(images(batches), planes.transpose(0, 2, 3, 1))


def test_second_part_is_rejected() -> None:
    files = {name: [MemoryFile(f"{name}-file", b"")] for name in ("image", "label")}
    with pytest.raises(ReadError, match="image, label: this format reads exactly one part, not 2"):
        list(formats.create(FORMAT).read(files))


def test_unknown_option_is_rejected() -> None:
    with pytest.raises(ManifestError, match="label_names"):
        formats.create(FORMAT | {"label_names": ["label"]})


def test_missing_label_is_filled_with_row_numbers() -> None:
    """Synthetic data can lack the coarse label."""
    reader = formats.create(COARSE_FIRST)
    fine = pa.RecordBatch.from_pydict(
        {"image": nested(random_images(3)), "fine_label": pa.array([1, 2, 3], pa.uint8())}
    )
    output = MemoryOutput("train.bin")
    reader.write(reader.complete(fine, 5), {"records": output})
    (batch,) = read(COARSE_FIRST, output.files["train.bin"])
    assert batch.column("coarse_label").to_pylist() == [5, 6, 7]
