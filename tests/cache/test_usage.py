"""Test listing the items of a cache with their size and last use."""

import os
import time
from pathlib import Path

import pytest

from dshub.cache.store import Store
from dshub.cache.usage import leftover, usage
from dshub.checksums import Digest

OWNED = ".host-4711-" + "0123456789abcdef01234567"  # suffix of a name that belongs to a process


@pytest.mark.parametrize(
    ("name", "sort", "of"),
    [
        ("0" * 64, "download", "0" * 64),
        ("md5-" + "0" * 32, "download", "0" * 32),
        ("0" * 64 + OWNED, "download", "0" * 64),
        ("rejected-" + "0" * 64, "rejected", "0" * 64),
        ("damaged-tiny-one-0123456789abcdef", "damaged", "tiny-one-0123456789abcdef"),
        ("table-0123" + OWNED, "table", "0123"),
        ("scratch" + OWNED, "scratch", ""),
        ("text" + OWNED, "text", ""),
        ("removed" + OWNED, "removed", ""),
        ("scratch", "other", ""),
        ("notes.txt", "other", ""),
    ],
)
def test_leftover_is_recognized_by_its_name(tmp_path: Path, name: str, sort: str, of: str) -> None:
    """Unrecognized names in `partial-v1` are leftovers of sort `other`."""
    entry = leftover(tmp_path / name)
    assert (entry.sort, entry.of) == (sort, of)


@pytest.mark.parametrize("kind", ["file", "table"])
def test_use_in_the_future_is_corrected(cache: Path, kind: str) -> None:
    """After the clock was ahead, a file counts as used now, not in a year."""
    path = cache / ("blobs-v1/00/00" if kind == "file" else "tables-v1/set/key/table.json")
    path.parent.mkdir(parents=True)
    path.touch()
    next_year = time.time() + 365 * 86400
    os.utime(path, (next_year, time.time() if kind == "file" else next_year))
    Store(cache).touch(path if kind == "file" else path.parent)
    [item] = usage(cache)
    assert item.used < time.time() + 60


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["set/0123456789abcdef/table.json", "set/.DS_Store"], ["set/0123456789abcdef"]),
        (["set/0123456789abcdef/table.json", "set/table.json"], ["set/0123456789abcdef"]),
        (["set/0123456789abcdef/table.json", "notes.txt"], ["set/0123456789abcdef"]),
        (["a/b/0123456789abcdef/table.json", "a/b/x/notes.txt"], ["a/b/0123456789abcdef"]),
        (["a/0123456789abcdef/table.json", "a/0123456789abcdef/@eaDir/x"], ["a/0123456789abcdef"]),
        (["set/0123456789abcdef/train-00000-of-00001.arrow"], ["set/0123456789abcdef"]),
        (["set/0123456789abcdef/notes.txt"], []),
        ([".Trash-0/files/0123456789abcdef/table.json"], []),
        (["table.json", "set/table.json/x"], []),
    ],
)
def test_stray_file_does_not_turn_its_folder_into_a_table(
    cache: Path, files: list[str], expected: list[str]
) -> None:
    for name in files:
        path = cache / "tables-v1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    tables = [item for item in usage(cache) if item.kind == "prepared"]
    assert [item.path.relative_to(cache / "tables-v1").as_posix() for item in tables] == expected


def test_usage_lists_everything_with_its_size(cache: Path, tmp_path: Path) -> None:
    store = Store(cache)
    data = b"some bytes" * 100
    (tmp_path / "file").write_bytes(data)
    digest = store.adopt(tmp_path / "file")
    with store.new_table("family/set", "key") as folder:
        (folder / "table.json").write_bytes(data)
    other = Digest.of_bytes(b"x")
    with store.partial(other) as partial:
        span = partial.claim(None)
        assert span is not None
        partial.write(span, memoryview(b"partly"))
    (cache / "partial-v1" / other.hex / "journal").unlink()
    assert {(item.kind, item.name, item.size) for item in usage(cache)} == {
        ("raw", digest.hex, len(data)),
        ("prepared", "family/set", len(data)),
        ("partial", other.hex, 6),
    }
    assert list(usage(cache / "absent")) == []
