"""Helpers, damaged chunks, and slow sources."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dshub.cache.store import Store
from dshub.catalog.manifest import CHUNK, Resource
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.hub.verification import verify_file
from dshub.testing.answers import Fault
from dshub.testing.server import faulty_server

MakeJob = Callable[..., Job]


def test_slow_connection_gets_helpers(
    upstream: Path, store: Store, job: MakeJob, content: bytes
) -> None:
    """Parts of a file arrive in parallel, no byte twice, and the file is right."""
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


def test_slow_source_is_left_for_another(
    upstream: Path, store: Store, job: MakeJob, content: bytes
) -> None:
    crawl = Fault("plain", rate=20_000)
    with (
        faulty_server(upstream, {"*": crawl}) as slow,
        faulty_server(upstream) as good,
    ):
        data_job = job(f"{slow.url}/data.bin", f"{good.url}/data.bin")
        [fetched] = Fetcher(store, timeout=3).fetch([data_job])
        assert good.sent < len(content)
    assert fetched.source.startswith(good.url)
    assert "slow" in str(fetched.attempts[0])
    assert fetched.path.read_bytes() == content


LARGE = bytes(range(256)) * (3 * CHUNK // 256) + b"rest"


def large_job(upstream: Path, url: str) -> Job:
    """Make the job of a file with checksums of chunks, the last one short."""
    (upstream / "large.bin").write_bytes(LARGE)
    pieces = [LARGE[start : start + CHUNK] for start in range(0, len(LARGE), CHUNK)]
    resource = Resource(
        urls=(f"{url}/large.bin",),
        sha256=hashlib.sha256(LARGE).hexdigest(),
        size=len(LARGE),
        chunks=tuple(hashlib.sha256(piece).hexdigest() for piece in pieces),
    )
    return Job("tiny", "large", resource)


def test_only_damaged_chunks_are_fetched_again(upstream: Path, store: Store) -> None:
    flip = Fault("flip", times=1, after=CHUNK + 5)
    with faulty_server(upstream, {"/large.bin": flip}) as server:
        [fetched] = Fetcher(store, jobs=1).fetch([large_job(upstream, server.url)])
        assert server.sent <= len(LARGE) + CHUNK
    assert fetched.path.read_bytes() == LARGE


@pytest.mark.parametrize("how", ["flip", "cut", "longer", "other"])
def test_damaged_cached_file_is_repaired_by_chunks(upstream: Path, store: Store, how: str) -> None:
    """Only damaged or missing chunks are fetched: for bits that `dshub verify` finds,
    and for a file of another length, which a fetch notices itself.
    """
    with faulty_server(upstream) as server:
        data_job = large_job(upstream, server.url)
        [fetched] = Fetcher(store).fetch([data_job])
        server.requests.clear()
        with fetched.path.open("r+b") as file:
            file.seek(CHUNK + 5)
            if how == "flip":
                file.write(b"?")
            elif how == "cut":
                file.truncate()
            elif how == "longer":
                file.seek(0, os.SEEK_END)
                file.write(b"more")
            else:
                file.truncate(0)
                file.write(bytes(len(LARGE)))
        if how in {"flip", "other"}:
            verify_file("file large", fetched.path, data_job.resource.digest, store)
        # helpers make the server send more than is read
        [fetched] = Fetcher(store, jobs=1).fetch([data_job])
        missing = {"flip": CHUNK, "cut": 2 * CHUNK + 4, "longer": 0, "other": len(LARGE)}
        assert server.sent == missing[how]
    assert fetched.path.read_bytes() == LARGE
    assert [path.name for path in store.root.glob("partial-v1/*")] == []
