"""Test helper connections, repair by chunks and slow sources."""

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
    assert len([header for header in ranges if header]) >= 2
    assert list((store.root / "partial-v1").iterdir()) == []


def test_slow_source_is_replaced(
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
    """Return a job for a file with chunk checksums and a shorter last chunk."""
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


@pytest.mark.parametrize("damage", ["flip", "cut", "longer", "other"])
def test_damaged_cached_file_is_repaired_by_chunks(
    upstream: Path, store: Store, damage: str
) -> None:
    """Verifying finds changed bytes, and a fetch itself finds a wrong length."""
    with faulty_server(upstream) as server:
        data_job = large_job(upstream, server.url)
        [fetched] = Fetcher(store).fetch([data_job])
        server.requests.clear()
        with fetched.path.open("r+b") as file:
            file.seek(CHUNK + 5)
            if damage == "flip":
                file.write(b"?")
            elif damage == "cut":
                file.truncate()
            elif damage == "longer":
                file.seek(0, os.SEEK_END)
                file.write(b"more")
            else:
                file.truncate(0)
                file.write(bytes(len(LARGE)))
        if damage in {"flip", "other"}:
            verify_file("file large", fetched.path, data_job.resource.digest, store)
        # jobs=1 avoids helpers, which make the server send more bytes than the fetch reads
        [fetched] = Fetcher(store, jobs=1).fetch([data_job])
        missing = {"flip": CHUNK, "cut": 2 * CHUNK + 4, "longer": 0, "other": len(LARGE)}
        assert server.sent == missing[damage]
    assert fetched.path.read_bytes() == LARGE
    assert [path.name for path in store.root.glob("partial-v1/*")] == []
