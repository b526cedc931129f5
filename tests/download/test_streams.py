"""Large and slow: several connections for one file, damaged chunks, and sources that crawl."""

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


LARGE = bytes(range(256)) * (3 * CHUNK // 256) + b"rest"


def large_job(upstream: Path, url: str) -> Job:
    """A file of which the checksum of each chunk is known, the last one being short."""
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
    """One bit of a large file costs one piece of 16 MiB, where the manifest knows its checksum."""
    flip = Fault("flip", times=1, after=CHUNK + 5)
    with faulty_server(upstream, {"/large.bin": flip}) as server:
        [fetched] = Fetcher(store, jobs=1).fetch([large_job(upstream, server.url)])
        assert server.sent <= len(LARGE) + CHUNK
    assert fetched.path.read_bytes() == LARGE


@pytest.mark.parametrize("how", ["flip", "cut", "longer", "other"])
def test_what_rotted_in_the_cache_is_mended_by_its_chunks(
    upstream: Path, store: Store, how: str
) -> None:
    """Only the pieces that are damaged or gone come again: for bits that `dshub verify` finds,
    and for a file that has another length, which a fetch notices itself.
    """
    with faulty_server(upstream) as server:
        wanted = large_job(upstream, server.url)
        [fetched] = Fetcher(store).fetch([wanted])
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
            verify_file("file large", fetched.path, wanted.resource.digest, store)
        [fetched] = Fetcher(store).fetch([wanted])
        missing = {"flip": CHUNK, "cut": 2 * CHUNK + 4, "longer": 0, "other": len(LARGE)}
        assert server.sent == missing[how]
    assert fetched.path.read_bytes() == LARGE
    assert [path.name for path in store.root.glob("partial-v1/*")] == []
