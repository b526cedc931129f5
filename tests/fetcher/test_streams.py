"""Large and slow: several connections for one file, damaged chunks, and sources that crawl."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from dshub.fetcher import Fetcher, Job
from dshub.manifest import CHUNK, Resource
from dshub.store import Store
from dshub.testing import Fault, faulty_server

MakeJob = Callable[..., Job]


def test_a_slow_stream_is_helped_by_others(
    upstream: Path, store: Store, job: MakeJob, content: bytes
) -> None:
    """Parts of a file come side by side, no byte of it twice, and the file is the right one."""
    large = content * 4
    (upstream / "large.bin").write_bytes(large)
    slow = Fault("plain", rate=2_000_000)
    with faulty_server(upstream, {"*": slow}) as server:
        resource = Resource(
            urls=(f"{server.url}/large.bin",),
            sha256=hashlib.sha256(large).hexdigest(),
            size=len(large),
        )
        [fetched] = Fetcher(store).fetch([Job("tiny", "large", resource)])
        ranges = [request.headers.get("Range") for request in server.requests]
    assert fetched.path.read_bytes() == large
    assert ranges[0] is None
    assert len([found for found in ranges if found]) >= 2
    assert list((store.root / "partial-v1").iterdir()) == []


def test_a_source_that_crawls_is_left_while_there_are_others(
    upstream: Path, store: Store, job: MakeJob, content: bytes
) -> None:
    """It is named as slow, and what it gave is not fetched again."""
    crawl = Fault("plain", rate=20_000)
    with (
        faulty_server(upstream, {"*": crawl}) as slow,
        faulty_server(upstream) as good,
    ):
        wanted = job(f"{slow.url}/data.bin", f"{good.url}/data.bin")
        [fetched] = Fetcher(store, timeout=3).fetch([wanted])
        assert good.sent < len(content)
    assert fetched.source.startswith(good.url)
    assert "slow" in str(fetched.attempts[0])
    assert fetched.path.read_bytes() == content


def test_only_damaged_chunks_are_fetched_again(upstream: Path, store: Store, job: MakeJob) -> None:
    """One bit of a large file costs one piece of 16 MiB, where the manifest knows its checksum."""
    large = bytes(range(256)) * (3 * CHUNK // 256)
    (upstream / "large.bin").write_bytes(large)
    pieces = [large[start : start + CHUNK] for start in range(0, len(large), CHUNK)]
    flip = Fault("flip", times=1, after=CHUNK + 5)
    with faulty_server(upstream, {"/large.bin": flip}) as server:
        resource = Resource(
            urls=(f"{server.url}/large.bin",),
            sha256=hashlib.sha256(large).hexdigest(),
            size=len(large),
        )
        resource = replace(
            resource, chunks=tuple(hashlib.sha256(piece).hexdigest() for piece in pieces)
        )
        [fetched] = Fetcher(store, jobs=1).fetch([Job("tiny", "large", resource)])
        assert server.sent <= len(large) + CHUNK
    assert fetched.path.read_bytes() == large
