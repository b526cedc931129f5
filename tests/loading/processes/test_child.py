"""Test what a child process sends."""

import io
import os
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dshub.errors import DshubError, ReadError
from dshub.loading.memory import Pool
from dshub.loading.processes.child import Packer, each, receive, send, sendable
from dshub.loading.processes.memory import POSIX, Allocator, Placed, Region, create, open_region


@pytest.fixture
def descriptor() -> Iterator[int]:
    number = create()
    yield number
    if POSIX:
        os.close(number)


def unpacked(descriptor: int, regions: Any, packed: Any) -> Any:
    """Return a packed batch as another process sees it."""
    maps = [open_region(descriptor, "test", region) for region in regions]

    def opened(value: Any) -> Any:
        if not isinstance(value, Placed):
            return value
        dtype = np.dtype(value.dtype)
        return np.ndarray(value.shape, dtype, maps[value.region], value.start, value.strides)

    return each(pickle.loads(pickle.dumps(packed)), opened)


def test_packed_batches_come_back(descriptor: int) -> None:
    """Large arrays move to shared memory, and arrays that are there are not copied."""
    allocator = Allocator(descriptor, "test")
    pool = Pool(allocate=allocator.allocate)
    images = pool.empty((4, 3, 100, 100), np.float32)
    images[...] = np.arange(120_000).reshape(images.shape)
    columns: dict[str, Any] = {
        "image": images,
        "moved": images.transpose(0, 2, 3, 1),
        "label": np.arange(4),
        "text": ["a", "b"],
        "lists": [np.arange(9000), np.arange(3), np.arange(20_000, dtype=np.int16)[::2]],
    }
    batch = columns, (np.ones((200, 200)), None)
    regions, owners, packed = Packer(allocator, pool).pack(batch)
    assert len(regions) == len(owners) == 2
    assert len(pickle.dumps(packed)) < 2000
    back, (ones, nothing) = unpacked(descriptor, regions, packed)
    assert back["text"] == ["a", "b"]
    assert nothing is None
    np.testing.assert_array_equal(ones, 1)
    for name in ("image", "moved", "label"):
        np.testing.assert_array_equal(back[name], columns[name])
    assert back["moved"].strides == columns["moved"].strides
    for values, other in zip(back["lists"], columns["lists"], strict=True):
        np.testing.assert_array_equal(values, other)


def test_lists_of_any_size_use_few_regions(descriptor: int) -> None:
    allocator = Allocator(descriptor, "test")
    packer = Packer(allocator, Pool(allocate=allocator.allocate))
    places: set[Region] = set()
    for size in range(100_000, 130_000, 1000):
        regions, _, _ = packer.pack([np.zeros(size, np.uint8)])
        places.update(regions)
    assert len(places) <= 2


def test_messages_come_back_and_an_unfinished_one_is_the_end() -> None:
    stream = io.BytesIO()
    send(stream, {"rows": [1, 2]})
    send(stream, "second")
    whole = stream.getvalue()
    stream.seek(0)
    assert pickle.loads(receive(stream)) == {"rows": [1, 2]}
    assert pickle.loads(receive(stream)) == "second"
    for data in (b"", whole[:5], whole[:-1][-10:]):
        assert receive(io.BytesIO(data)) == b""


class OddError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def test_errors_can_be_sent() -> None:
    error = ReadError(file="a.jpg", reason="it is damaged")
    assert sendable(error) is error
    replaced = sendable(OddError(1, 2))
    assert isinstance(replaced, DshubError)
    assert "OddError: 1 and 2" in str(replaced)
