"""Test memory that two processes share."""

import gc
import os
from collections.abc import Iterator

import numpy as np
import pytest

from dshub.loading.processes.memory import POSIX, Allocator, create, open_region


@pytest.fixture
def descriptor() -> Iterator[int]:
    number = create()
    yield number
    if POSIX:
        os.close(number)


def test_both_sides_see_the_same_bytes(descriptor: int) -> None:
    allocator = Allocator(descriptor, "test")
    arrays = [allocator.allocate(size) for size in (10, 70_000, 4096)]
    for number, array in enumerate(arrays):
        array[:] = number + 1
    for number, array in enumerate(arrays):
        found = allocator.find(array[2:5].view(np.int8))
        assert found is not None
        region, owner = found
        assert owner is array
        assert region.size == len(array)
        np.testing.assert_array_equal(open_region(descriptor, "test", region), number + 1)


def test_released_regions_are_used_again(descriptor: int) -> None:
    allocator = Allocator(descriptor, "test")
    kept = allocator.allocate(5000)
    first = allocator.allocate(5000)
    place = allocator.find(first)
    assert place is not None
    region = place[0]
    del first, place
    gc.collect()
    again = allocator.find(allocator.allocate(5000))
    other = allocator.find(allocator.allocate(6000))
    assert again is not None
    assert other is not None
    assert again[0] == region
    assert other[0].place > region.place
    assert allocator.find(kept) is not None


def test_other_arrays_have_no_region(descriptor: int) -> None:
    allocator = Allocator(descriptor, "test")
    allocator.allocate(100)
    assert allocator.find(np.zeros(100)) is None


@pytest.mark.skipif(not POSIX, reason="regions on Windows have names")
def test_memory_has_no_name(descriptor: int) -> None:
    assert os.fstat(descriptor).st_nlink == 0
