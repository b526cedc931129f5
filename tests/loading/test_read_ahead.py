import mmap
from pathlib import Path

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import ImageFeature
from dshub.loading.read_ahead import BATCHES, ReadAhead, major_faults
from tests.loading.decoding.examples import encode, smooth

Calls = list[tuple[int, int]]


def place(values: np.ndarray) -> int:
    return int(values.ctypes.data)


def test_rows_are_read_while_pages_come_from_the_disk() -> None:
    counts, calls = iter([3, 3, 5, *[5] * 100]), Calls()
    ahead = ReadAhead(lambda: next(counts), lambda *call: calls.append(call))
    row = memoryview(bytearray(10_000))
    for batches, expected in ((1, 0), (1, 1), (BATCHES, BATCHES + 1), (10, BATCHES + 1)):
        for _ in range(batches):
            ahead.start([row])
        assert len(calls) == expected


def test_advice_covers_whole_pages_of_files_and_images() -> None:
    calls = Calls()
    counts = iter([1, 2])
    ahead = ReadAhead(lambda: next(counts), lambda *call: calls.append(call))
    data = np.zeros(5 * mmap.PAGESIZE, np.uint8)
    file = memoryview(data.data)[5000:9000]
    ahead.start([file, data[100:300].reshape(10, 20), b"in memory", data[:0]])
    assert len(calls) == 2
    for (start, size), (first, last) in zip(calls, ((5000, 9000), (100, 300)), strict=True):
        assert start % mmap.PAGESIZE == 0
        assert place(data) + first - mmap.PAGESIZE < start <= place(data) + first
        assert start + size == place(data) + last


def test_rows_of_a_batch_are_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    faults = iter(range(1, 1000))
    monkeypatch.setattr("dshub.loading.read_ahead.major_faults", lambda: next(faults))
    sizes: list[int] = []
    monkeypatch.setattr(
        "dshub.loading.read_ahead._madvise", lambda: lambda _, size: sizes.append(size)
    )
    files = [encode(Image.fromarray(smooth(30, 40)), "JPEG") for _ in range(6)]
    features = {"image": ImageFeature(encoding="jpeg")}
    Dataset.from_arrays({"image": files}, features=features).save(tmp_path / "files")
    pixels = np.zeros((6, 30, 40, 3), np.uint8)
    Dataset.from_arrays(
        {"image": pixels}, features={"image": ImageFeature(shape=(30, 40, 3))}
    ).save(tmp_path / "pixels")
    for name, total in (("files", sum(map(len, files))), ("pixels", pixels.nbytes)):
        sizes.clear()
        assert len(list(Dataset.open(tmp_path / name).batches(3, threads=0))) == 2
        assert len(sizes) == 6
        assert sum(sizes) >= total


def test_counted_pages_never_decrease() -> None:
    assert 0 <= major_faults() <= major_faults()
