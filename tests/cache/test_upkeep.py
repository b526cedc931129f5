"""Names that belong to processes, and removing whole or not at all."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dshub.cache.disk import remove
from dshub.cache.owners import own_name
from dshub.cache.paths import blob_digest, blob_path
from dshub.cache.store import Store, pin, pinned, unpin
from dshub.cache.usage import leftover, usage
from dshub.checksums import Digest
from dshub.errors import StoreError

OWNED = ".host-4711-" + "0123456789abcdef01234567"  # the end of a name of a process


def test_what_became_of_a_process(tmp_path: Path) -> None:
    """One that lives, one that is no more, one of another machine, and a name of nobody's.

    One with our own number is no more: in containers each process may be number 1.
    """
    code = "from dshub.cache.owners import own_name; print(own_name('x'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = {
        own_name("x"): "alive",
        done.stdout.strip(): "dead",
        own_name("x").rpartition("-")[0] + "-0123abcd": "dead",
        "x.elsewhere-1-0123abcd": "unknown",
        "x": "nobody",
        "x.txt": "nobody",
    }
    assert {name: leftover(tmp_path / name).holder for name in names} == names


def test_a_container_cannot_say_of_another_who_is_dead(tmp_path: Path) -> None:
    """Two that share the machine's name number their processes each for itself."""
    isolated = ["unshare", "--fork", "--pid"]
    if not shutil.which("unshare") or subprocess.run([*isolated, "true"], check=False).returncode:
        pytest.skip("no numbers of processes of one's own can be had here")
    code = "from dshub.cache.owners import own_name; print(own_name('x'))"
    command = [*isolated, sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert leftover(tmp_path / done.stdout.strip()).holder == "unknown"


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
def test_name_of_a_leftover_tells_its_kind(tmp_path: Path, name: str, sort: str, of: str) -> None:
    """Everything that dshub makes in `partial-v1` is told from anything else by its name."""
    found = leftover(tmp_path / name)
    assert (found.sort, found.of) == (sort, of)


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_the_checksum_of_a_file_follows_from_its_place(algorithm: str) -> None:
    """Whatever its algorithm; another name is no checksum."""
    digest = Digest.of_bytes(b"data", "md5" if algorithm == "md5" else "sha256")
    assert blob_digest(blob_path(digest)) == digest
    assert blob_digest(blob_path(digest).with_name("notes.txt")) is None


def test_what_is_gone_already_is_no_error(cache: Path) -> None:
    """Somebody else removed it."""
    cache.mkdir()
    assert remove(cache, cache / "file") is False
    (cache / "file").touch()
    assert remove(cache, cache / "file") is True
    assert not (cache / "file").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_is_removed_and_not_what_it_leads_to(cache: Path, tmp_path: Path) -> None:
    """A person may have linked a folder into the cache."""
    cache.mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").touch()
    (cache / "link").symlink_to(tmp_path / "data")
    assert remove(cache, cache / "link") is True
    assert (tmp_path / "data" / "file").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="it counts as absent there")
def test_what_cannot_be_removed_is_an_error(tmp_path: Path) -> None:
    """It names the path and exits with 8."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot remove") as told:
        remove(tmp_path, tmp_path / "file" / "inside")
    assert told.value.exit_code == 8


@pytest.mark.parametrize("what", ["file", "table"])
def test_a_clock_that_was_ahead_keeps_nothing_for_ever(cache: Path, what: str) -> None:
    """What is used after the clock was set back was used now, and not in a year."""
    path = cache / ("blobs-v1/00/00" if what == "file" else "tables-v1/set/key/table.json")
    path.parent.mkdir(parents=True)
    path.touch()
    ahead = time.time() + 365 * 86400
    os.utime(path, (ahead, time.time() if what == "file" else ahead))
    Store(cache).touch(path if what == "file" else path.parent)
    [item] = usage(cache)
    assert item.used < time.time() + 60


def test_pins_are_seen_by_any_process(cache: Path) -> None:
    """They lie in the cache; to pin or unpin twice is fine."""
    for _ in range(2):
        pin(Store(cache), "family/set")
    pin(Store(cache), "family")
    assert pinned(Store(cache)) == {"family", "family/set"}
    for _ in range(2):
        unpin(Store(cache), "family/set")
    assert pinned(Store(cache)) == {"family"}
    assert list(usage(cache)) == []


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
    """Only a folder with a `table.json`, or with a recipe key and shards, is a table."""
    for name in files:
        path = cache / "tables-v1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    tables = [item for item in usage(cache) if item.kind == "prepared"]
    assert [item.path.relative_to(cache / "tables-v1").as_posix() for item in tables] == expected
