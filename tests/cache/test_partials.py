"""A download whose bytes arrive in any order, from several streams at once."""

import os
import random
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dshub.cache.disk import disk_faults
from dshub.cache.partial import Partial
from dshub.cache.store import Store
from dshub.catalog.manifest import Resource
from dshub.checksums import Digest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.errors import FetchError, StoreError
from dshub.testing.answers import Fault
from dshub.testing.server import faulty_server

CONTENT = random.Random(1).randbytes(48 << 20)  # large enough for a thread that hashes
DIGEST = Digest.of_bytes(CONTENT)


def fill(partial: Partial, seed: int, most: int | None, limit: int) -> None:
    """What a stream does: claim, write pieces of odd sizes, and stop at a limit."""
    chance = random.Random(seed)
    while (span := partial.claim(len(CONTENT), most=most)) is not None:
        while not span.full and partial.size < limit:
            size = span.room(chance.choice([1, 4097, 300_000, 1 << 20]))
            partial.write(span, memoryview(CONTENT)[span.position : span.position + size])
        partial.release(span)
        if partial.size >= limit:
            return


def crowd(partial: Partial, limit: int) -> None:
    """One stream that takes all it can get, and five that take parts."""
    streams = [
        threading.Thread(target=fill, args=(partial, i, None if i == 0 else 2 << 20, limit))
        for i in range(6)
    ]
    for stream in streams:
        stream.start()
    for stream in streams:
        stream.join()


@pytest.mark.parametrize("stop", [0.1, 0.5, 0.97])
def test_whatever_the_order_the_file_is_the_right_one(cache: Path, stop: float) -> None:
    """Six streams side by side, killed on the way: the next process goes on with all they had."""
    store, killed = Store(cache), cache / "partial-v1" / DIGEST.hex
    with store.partial(DIGEST, len(CONTENT)) as partial:
        crowd(partial, int(stop * len(CONTENT)))
        had = partial.size
        shutil.copytree(partial.path, cache / "as-it-was")  # what a kill would leave
    shutil.rmtree(killed)
    (cache / "as-it-was").rename(killed)
    with store.partial(DIGEST, len(CONTENT)) as partial:
        assert partial.size == had
        crowd(partial, len(CONTENT))
        assert partial.complete(len(CONTENT))
        assert partial.actual == DIGEST
        path = store.publish(partial)
    assert path.read_bytes() == CONTENT
    assert list((cache / "partial-v1").iterdir()) == []


def test_a_stream_that_is_late_changes_nothing(cache: Path) -> None:
    """After a new beginning, bytes for the old one are ignored; after the end, none are wanted."""
    store = Store(cache)
    with store.partial(DIGEST, len(CONTENT)) as partial:
        late = partial.claim(len(CONTENT))
        assert late is not None
        partial.write(late, memoryview(bytes(1000)))
        partial.restart()
        assert partial.write(late, memoryview(bytes(1000))) == 0
        assert partial.size == 0
        crowd(partial, len(CONTENT))
        assert partial.actual == DIGEST
        path = store.publish(partial)
        assert partial.claim(2 * len(CONTENT), most=1 << 20) is None
    assert path.read_bytes() == CONTENT


def test_a_thread_that_was_held_up_adds_nothing_to_a_checksum(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file begins anew between the last byte that a thread wrote and its checksum."""
    written, go_on = threading.Event(), threading.Event()

    @contextmanager
    def held_up(path: Path, action: str) -> Iterator[None]:
        if action == "read" and threading.current_thread() is late:
            written.set()
            go_on.wait(30)
        with disk_faults(path, action):
            yield

    monkeypatch.setattr("dshub.cache.partial.disk_faults", held_up)
    with Store(cache).partial(DIGEST, len(CONTENT)) as partial:
        span = partial.claim(len(CONTENT))
        assert span is not None
        right = memoryview(CONTENT)[:1000]
        late = threading.Thread(target=partial.write, args=(span, right))
        late.start()
        written.wait(30)
        partial.restart()
        go_on.set()
        late.join()
        wrong = bytes(1000) + CONTENT[1000:]
        span = partial.claim(len(CONTENT))
        assert span is not None
        partial.write(span, memoryview(wrong))
        assert partial.actual == Digest.of_bytes(wrong)


@pytest.mark.parametrize("what", ["folder", "link"])
def test_what_lies_in_the_place_of_a_journal_is_replaced(
    cache: Path, tmp_path: Path, what: str
) -> None:
    """Nothing that is planted in the cache stops a download, or is written through."""
    journal = cache / "partial-v1" / DIGEST.hex / "journal"
    journal.parent.mkdir(parents=True)
    (tmp_path / "mine").write_text("mine")
    journal.mkdir() if what == "folder" else journal.symlink_to(tmp_path / "mine")
    store = Store(cache)
    with store.partial(DIGEST, len(CONTENT)) as partial:
        crowd(partial, len(CONTENT))
        store.publish(partial)
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits a child process")
def test_a_disk_without_room_for_a_journal_leaves_the_old_one(cache: Path) -> None:
    """What has arrived is still known when there is room again, holes and all."""
    import resource

    store = Store(cache)
    with store.partial(DIGEST, len(CONTENT)) as partial:
        crowd(partial, len(CONTENT) // 2)
        had = partial.size
        assert not partial.complete(partial.end)  # it has holes
    if (child := os.fork()) == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            with store.partial(DIGEST, len(CONTENT)):
                os._exit(1)
        except StoreError:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with store.partial(DIGEST, len(CONTENT)) as partial:
        assert partial.size == had


def test_what_another_machine_began_is_copied(cache: Path) -> None:
    """A container that was killed comes back under another name, and goes on all the same."""
    store = Store(cache)
    with store.partial(DIGEST, len(CONTENT)) as partial:
        crowd(partial, len(CONTENT) // 2)
        had = partial.size
    resting = cache / "partial-v1" / DIGEST.hex
    other = resting.rename(f"{resting}.elsewhere-1-0123abcd")
    with store.partial(DIGEST, len(CONTENT)) as partial:
        assert partial.size == had
    assert (other / "data").exists()


def test_a_journal_holds_no_password(cache: Path, tmp_path: Path) -> None:
    """The address of a mirror may have one; a group may read its cache."""
    upstream = tmp_path / "upstream"
    upstream.mkdir()
    (upstream / "data").write_bytes(CONTENT)
    faults = [Fault("cut", after=5_000_000, times=1), Fault("status", status=404)]
    with faulty_server(upstream, {"*": faults}) as server:
        url = server.url.replace("//", "//me:secret@") + "/data"
        resource = Resource(urls=(url,), filename="d", sha256=DIGEST.hex, size=len(CONTENT))
        fetcher = Fetcher(Store(cache), timeout=0.5)
        with pytest.raises(FetchError) as caught:
            fetcher.fetch([Job("set", "data", resource)])
    journal = cache / "partial-v1" / DIGEST.hex / "journal"
    assert server.url.removeprefix("http://").encode() in journal.read_bytes()
    assert b"secret" not in journal.read_bytes()
    assert "secret" not in str(caught.value)
