"""Test finding and publishing files and tables in a cache."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dshub.cache.partial import Partial
from dshub.cache.paths import blob_path, mirror_path
from dshub.cache.store import Store, pin, pinned, unpin
from dshub.cache.usage import usage
from dshub.checksums import Digest
from dshub.errors import StoreError

DATA = b"some bytes" * 100
DIGEST = Digest.of_bytes(DATA)


def append(partial: Partial, data: bytes) -> None:
    """Append bytes to a partial download."""
    span = partial.claim(None)
    assert span is not None
    partial.write(span, memoryview(data))
    partial.release(span)


def publish(store: Store, data: bytes = DATA) -> Path:
    """Publish bytes as a file and return its path."""
    with store.partial(Digest.of_bytes(data)) as partial:
        append(partial, data[partial.size :])
        return store.publish(partial)


def test_path_of_a_file_follows_from_its_checksum(cache: Path) -> None:
    path = publish(Store(cache))
    assert path == cache / "blobs-v1" / DIGEST.hex[:2] / DIGEST.hex
    assert path.read_bytes() == DATA
    md5 = Digest.of_bytes(DATA, "md5")
    assert str(blob_path(md5)) == f"blobs-v1/md5-{md5.hex[:2]}/{md5.hex}"


def test_cache_has_a_tag_for_backup_programs(cache: Path) -> None:
    publish(Store(cache))
    assert (cache / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886")


def test_publishing_leaves_no_partial_and_no_lock(cache: Path) -> None:
    publish(Store(cache))
    assert list((cache / "partial-v1").iterdir()) == []


def test_interrupted_download_is_resumed(cache: Path) -> None:
    store = Store(cache)

    def interrupted() -> None:
        with store.partial(DIGEST) as partial:
            append(partial, DATA[:300])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert store.blob(DIGEST) is None
    with store.partial(DIGEST) as partial:
        assert partial.size == 300
        append(partial, DATA[300:])
        assert partial.actual == DIGEST


def test_largest_leftover_is_resumed(cache: Path) -> None:
    for count in (100, 500, 300):
        if (child := os.fork()) == 0:
            with Store(cache).partial(DIGEST) as partial:
                partial.restart()
                append(partial, DATA[:count])
                os._exit(0)  # skip cleanup, as a killed process does
        os.waitpid(child, 0)
        assert Store(cache).resumable_size(DIGEST) == count
    resting = cache / "partial-v1" / DIGEST.hex
    resting.mkdir()
    (resting / "data").write_bytes(DATA[:200])
    with Store(cache).partial(DIGEST) as partial:
        assert partial.size == 300
        append(partial, DATA[300:])
        Store(cache).publish(partial)
    assert list((cache / "partial-v1").iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_leftovers_do_not_pile_up_without_locks(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    for count in range(1, 6):
        if (child := os.fork()) == 0:
            with Store(cache).partial(DIGEST) as partial:
                append(partial, DATA[partial.size : 100 * count])
                os._exit(0)  # skip cleanup, as a killed process does
        os.waitpid(child, 0)
        [left] = usage(cache)
        assert Store(cache).resumable_size(DIGEST) == 100 * count
        assert left.size < 10_000
    assert publish(Store(cache)).read_bytes() == DATA
    assert [item.kind for item in usage(cache)] == ["raw"]


def test_folder_with_the_name_of_a_file_is_moved_away(cache: Path) -> None:
    store = Store(cache)
    store.set_aside(publish(store))
    for _ in range(2):
        (cache / blob_path(DIGEST) / "junk").mkdir(parents=True)
        assert publish(store).read_bytes() == DATA
        store.set_aside(cache / blob_path(DIGEST))


def test_layers_are_searched_and_never_written(cache: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    path = publish(Store(site))
    before = sorted(site.rglob("*"))
    store = Store(cache, [tmp_path / "absent", site])
    assert store.blob(DIGEST, len(DATA)) == path
    assert not cache.exists()
    assert publish(store, b"other").is_relative_to(cache)
    assert sorted(site.rglob("*")) == before


def test_incomplete_table_is_not_published(cache: Path) -> None:
    store = Store(cache)

    def broken() -> None:
        with store.new_table("family/set", "key") as folder:
            (folder / "part").write_bytes(DATA)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        broken()
    assert not (cache / "tables-v1").exists()
    assert list((cache / "partial-v1").iterdir()) == []
    with store.new_table("family/set", "key") as folder:
        (folder / "table.json").write_text("first")
    with store.new_table("family/set", "key") as folder:
        (folder / "table.json").write_text("second")
    table = store.table("family/set", "key")
    assert table == cache / "tables-v1" / "family" / "set" / "key"
    assert (table / "table.json").read_text() == "first"  # the first table is kept


def test_unfinished_table_of_a_killed_process_is_removed(cache: Path) -> None:
    child = """
import os, signal, sys
from pathlib import Path
from dshub.cache.partial import Partial
from dshub.cache.store import Store
with Store(Path(sys.argv[1])).new_table("set", "key") as folder:
    (folder / "half").write_bytes(b"half a table")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", child, str(cache)], check=False)
    assert [item.size for item in usage(cache)] == [len("half a table")]
    store = Store(cache)
    with store.new_table("set", "key") as under_way:
        (under_way / "half").write_text("x")
        with (
            store.table_lock("set", "key") as owned,
            store.new_table("set", "key", orphans=owned) as new,
        ):
            (new / "table.json").write_text("whole")
            assert (under_way / "half").exists()
    assert [(item.kind, item.name) for item in usage(cache)] == [("prepared", "set")]


def test_broken_folder_with_the_name_of_a_table_is_moved_away(cache: Path) -> None:
    (cache / "tables-v1" / "set" / "key" / "junk").mkdir(parents=True)
    store = Store(cache)
    assert store.table("set", "key") is None
    with store.new_table("set", "key") as folder:
        (folder / "table.json").write_text("good")
    assert store.table("set", "key") is not None


def test_failed_write_leaves_no_partial_file(cache: Path) -> None:
    """A server that keeps failing must not fill the cache."""
    (cache / "mirrors-v1" / "x.json").mkdir(parents=True)
    with pytest.raises(StoreError):
        Store(cache).write_text(mirror_path("x"), b"index")
    assert list(usage(cache)) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_read_only_cache_is_read_and_named_in_the_error(enterable: Path) -> None:
    cache = enterable / "cache"
    publish(Store(cache))
    for path in [cache, *cache.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    if (child := os.fork()) == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            assert Store(cache).blob(DIGEST, len(DATA)) is not None
            with pytest.raises(StoreError, match=str(cache)) as caught:
                publish(Store(cache), b"new")
            code = 0 if caught.value.exit_code == 8 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("closed", ["blobs-v1", f"blobs-v1/{DIGEST.hex[:2]}/{DIGEST.hex}"])
def test_unreadable_layer_is_skipped(enterable: Path, tmp_path: Path, closed: str) -> None:
    """A shared cache can contain files that only their owner can read."""
    publish(Store(tmp_path / "closed"))
    publish(Store(tmp_path / "open"))
    (tmp_path / "closed" / closed).chmod(0)
    if (child := os.fork()) == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            layers = [tmp_path / "closed", tmp_path / "open"]
            path = Store(tmp_path / "mine", layers).blob(DIGEST, len(DATA))
            code = 0 if path == tmp_path / "open" / blob_path(DIGEST) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    (tmp_path / "closed" / closed).chmod(0o755)
    assert os.waitstatus_to_exitcode(status) == 0


def test_pins_are_stored_in_the_cache(cache: Path) -> None:
    for _ in range(2):
        pin(Store(cache), "family/set")
    pin(Store(cache), "family")
    assert pinned(Store(cache)) == {"family", "family/set"}
    for _ in range(2):
        unpin(Store(cache), "family/set")
    assert pinned(Store(cache)) == {"family"}
    assert list(usage(cache)) == []
