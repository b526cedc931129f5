"""Test downloads that several streams write in any order."""

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
from dshub.checksums import Digest

CONTENT = random.Random(1).randbytes(48 << 20)  # large enough to be hashed in a thread
DIGEST = Digest.of_bytes(CONTENT)


def fill(partial: Partial, seed: int, most: int | None, limit: int) -> None:
    """Act as a stream: claim spans, write pieces of odd sizes and stop at `limit` bytes."""
    chance = random.Random(seed)
    while (span := partial.claim(len(CONTENT), max_length=most)) is not None:
        while not span.full and partial.size < limit:
            size = span.room(chance.choice([1, 4097, 300_000, 1 << 20]))
            partial.write(span, memoryview(CONTENT)[span.position : span.position + size])
        partial.release(span)
        if partial.size >= limit:
            return


def run_streams(partial: Partial, limit: int) -> None:
    """Fill the file with one stream of unlimited spans and five streams of limited spans."""
    streams = [
        threading.Thread(target=fill, args=(partial, i, None if i == 0 else 2 << 20, limit))
        for i in range(6)
    ]
    for stream in streams:
        stream.start()
    for stream in streams:
        stream.join()


@pytest.mark.parametrize("stop", [0.1, 0.5, 0.97])
def test_streams_write_the_complete_file_in_any_order(cache: Path, stop: float) -> None:
    store, killed = Store(cache), cache / "partial-v1" / DIGEST.hex
    with store.partial(DIGEST, len(CONTENT)) as partial:
        run_streams(partial, int(stop * len(CONTENT)))
        size_before = partial.size
        shutil.copytree(partial.path, cache / "as-it-was")  # the state that a killed process leaves
    shutil.rmtree(killed)
    (cache / "as-it-was").rename(killed)
    with store.partial(DIGEST, len(CONTENT)) as partial:
        assert partial.size == size_before
        run_streams(partial, len(CONTENT))
        assert partial.complete(len(CONTENT))
        assert partial.actual == DIGEST
        path = store.publish(partial)
    assert path.read_bytes() == CONTENT
    assert list((cache / "partial-v1").iterdir()) == []


def test_late_stream_is_ignored(cache: Path) -> None:
    store = Store(cache)
    with store.partial(DIGEST, len(CONTENT)) as partial:
        late = partial.claim(len(CONTENT))
        assert late is not None
        partial.write(late, memoryview(bytes(1000)))
        partial.restart()
        assert partial.write(late, memoryview(bytes(1000))) == 0
        assert partial.size == 0
        run_streams(partial, len(CONTENT))
        assert partial.actual == DIGEST
        path = store.publish(partial)
        assert partial.claim(2 * len(CONTENT), max_length=1 << 20) is None
    assert path.read_bytes() == CONTENT


def test_late_thread_does_not_change_the_checksum(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is restarted after a thread writes and before the thread hashes."""
    written, resume = threading.Event(), threading.Event()

    @contextmanager
    def delay_late_read(path: Path, action: str) -> Iterator[None]:
        if action == "read" and threading.current_thread() is late:
            written.set()
            resume.wait(30)
        with disk_faults(path, action):
            yield

    monkeypatch.setattr("dshub.cache.partial.disk_faults", delay_late_read)
    with Store(cache).partial(DIGEST, len(CONTENT)) as partial:
        span = partial.claim(len(CONTENT))
        assert span is not None
        content = memoryview(CONTENT)[:1000]
        late = threading.Thread(target=partial.write, args=(span, content))
        late.start()
        written.wait(30)
        partial.restart()
        resume.set()
        late.join()
        changed_content = bytes(1000) + CONTENT[1000:]
        span = partial.claim(len(CONTENT))
        assert span is not None
        partial.write(span, memoryview(changed_content))
        assert partial.actual == Digest.of_bytes(changed_content)
