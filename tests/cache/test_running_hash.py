"""Test hashing a file while its bytes arrive in any order."""

import hashlib
import io

import pytest

from dshub.cache import running_hash
from dshub.cache.running_hash import RunningHash

DATA = bytes(range(256)) * 64


def hasher_of(data: bytes) -> RunningHash:
    def read(buffer: memoryview, offset: int) -> int:
        return io.BytesIO(data[offset:]).readinto(buffer)

    return RunningHash(read, "sha256", file=-1)


@pytest.mark.parametrize("large", [1, 1 << 30])
def test_bytes_are_hashed_up_to_the_offset_reached(
    monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(running_hash, "LARGE", large)
    hasher = hasher_of(DATA)
    for start in range(0, 10_000, 100):
        hasher.advance(start + 100, memoryview(DATA)[start : start + 100], start)
    assert hasher.hexdigest() == hashlib.sha256(DATA[:10_000]).hexdigest()
    hasher.advance(len(DATA), memoryview(b""), 0)
    assert hasher.hexdigest() == hashlib.sha256(DATA).hexdigest()
    hasher.end()


@pytest.mark.parametrize("large", [1, 1 << 30])
def test_file_that_is_too_short_is_an_error(monkeypatch: pytest.MonkeyPatch, large: int) -> None:
    monkeypatch.setattr(running_hash, "LARGE", large)
    hasher = hasher_of(DATA[:1000])
    with pytest.raises(OSError, match="the file ends at 1,000 bytes"):
        hasher.advance(len(DATA), memoryview(b""), 0)
        hasher.hexdigest()
    hasher.end()
