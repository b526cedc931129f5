"""Read STL-10's binary files and compare the rows with those of an independent reader."""

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest

from dshub import formats
from dshub.errors import ReadError
from dshub.testing.readers import MemoryFile, ReaderTests
from tests.independent import stl10

FORMAT = {"format": "stl10"}
SIZE = 3 * 96 * 96


def nested(array: np.ndarray) -> pa.Array:
    """Convert an array to rows of nested fixed-size lists."""
    column = pa.array(array.reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


def images(batches: list[pa.RecordBatch]) -> np.ndarray:
    """Return the column `image` of all batches, of shape (rows, 96, 96, 3)."""
    values = [batch.column("image").flatten().flatten().flatten() for batch in batches]
    return np.concatenate([part.to_numpy() for part in values]).reshape(-1, 96, 96, 3)


def read(**parts: bytes) -> list[pa.RecordBatch]:
    """Read all batches of one file per part."""
    files = {name: [MemoryFile(f"{name}-file", data)] for name, data in parts.items()}
    return list(formats.create(FORMAT).read(files))


class TestStl10(ReaderTests):
    parts: ClassVar = {"image": ("train_X.bin",), "label": ("train_y.bin",)}

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT)

    def rows(self, count: int) -> pa.RecordBatch:
        image = np.random.default_rng(0).integers(0, 256, (count, 96, 96, 3), np.uint8)
        labels = (np.arange(count) % 10 + 1).astype(np.uint8)
        return pa.RecordBatch.from_pydict({"image": nested(image), "label": pa.array(labels)})


class TestUnlabeled(TestStl10):
    parts: ClassVar = {"image": ("unlabeled_X.bin",)}
    detects_damage = False  # cutting a file between two images leaves a valid file

    def rows(self, count: int) -> pa.RecordBatch:
        return super().rows(count).select(["image"])


def test_images_are_stored_column_by_column() -> None:
    """Value (y, x, c) of an image is byte 9216 c + 96 x + y."""
    data = bytes((i * 5 + i // 256) % 256 for i in range(SIZE))
    (image,) = images(read(image=data))
    assert all(
        image[y, x, c] == data[9216 * c + 96 * x + y]
        for y in range(96)
        for x in range(96)
        for c in range(3)
    )


def test_rows_match_the_independent_reader() -> None:
    rows = 700
    contents = {
        "image": np.random.default_rng(0).bytes(SIZE * rows),
        "label": bytes(i % 10 + 1 for i in range(rows)),
    }
    expected = stl10.read({part: [("", data)] for part, data in contents.items()}, {})
    batches = read(**contents)
    assert len(batches) > 1
    np.testing.assert_array_equal(images(batches), np.stack(expected["image"]))
    assert [label for batch in batches for label in batch.column("label").to_pylist()] == list(
        contents["label"]
    )


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (2, 1, "label-file: it ends after 1 rows, but image-file continues"),
        (1, 2, "image-file: it ends after 1 rows, but label-file continues"),
        (0, 400, "image-file: it ends after 0 rows, but label-file continues"),
        (303, 304, "image-file: it ends after 303 rows, but label-file continues"),
    ],
)
def test_files_with_different_row_counts_are_rejected(rows: int, labels: int, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        read(image=bytes(rows * SIZE), label=bytes(labels))


def test_truncated_image_is_rejected() -> None:
    """The error shows where the image starts."""
    with pytest.raises(
        ReadError, match=r"image-file: .* at byte 27,648 has 27,647 of 27,648 bytes"
    ):
        read(image=bytes(2 * SIZE - 1))


@pytest.mark.parametrize("parts", [("label",), ("image", "y"), ()])
def test_unknown_or_missing_parts_are_rejected(parts: tuple[str, ...]) -> None:
    with pytest.raises(ReadError, match="STL-10 has the parts image and label, not"):
        read(**dict.fromkeys(parts, bytes(SIZE)))


def test_two_files_for_one_part_are_rejected() -> None:
    files = [MemoryFile("one", bytes(SIZE)), MemoryFile("two", bytes(SIZE))]
    with pytest.raises(ReadError, match="one, two"):
        list(formats.create(FORMAT).read({"image": files}))
