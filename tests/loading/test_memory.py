import numpy as np
import pytest

from dshub.loading.memory import LARGE, MAX_ARRAYS, Pool


def test_unused_memory_of_a_size_is_reused() -> None:
    pool = Pool()
    first = pool.empty((LARGE,), np.uint8)
    held = pool.empty((LARGE // 4,), np.float32)
    assert not np.shares_memory(first, held)
    address = first.ctypes.data
    del first
    assert pool.empty((2, LARGE // 2), np.int8).ctypes.data == address


def test_number_of_kept_arrays_is_limited() -> None:
    pool = Pool()
    held = [pool.empty((LARGE,), np.uint8) for _ in range(MAX_ARRAYS + 3)]
    assert len({array.ctypes.data for array in held}) == MAX_ARRAYS + 3


def test_memory_is_not_reused_without_exact_reference_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Free-threaded Python can count a reference late, so reuse could overwrite pixels in use."""
    free_threaded = {"Py_GIL_DISABLED": 1}
    monkeypatch.setattr("sysconfig.get_config_var", free_threaded.get)
    allocated: list[int] = []

    def allocate(size: int) -> np.ndarray:
        allocated.append(size)
        return np.empty(size, np.uint8)

    pool = Pool(allocate=allocate)
    for _ in range(3):
        pool.empty((LARGE,), np.uint8)
    assert allocated == [LARGE] * 3
    monkeypatch.undo()
    for _ in range(3):
        pool.empty((LARGE,), np.uint8)
    assert allocated == [LARGE] * 4
