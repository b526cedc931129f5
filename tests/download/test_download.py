"""Test that faulty servers deliver the right bytes or nothing."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dshub.cache.paths import blob_path
from dshub.cache.store import Store
from dshub.checksums import Digest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.errors import FetchError
from dshub.testing.answers import Fault
from dshub.testing.server import faulty_server

MakeJob = Callable[..., Job]

PASSING = [
    Fault("status", times=3, status=503),
    Fault("status", times=3, status=429, headers=(("Retry-After", "1"),)),
    Fault("cut", times=3, after=1_000_000),
    Fault("cut", times=1, after=0),
    Fault("reset", times=3, after=1_000_000),
    Fault("stall", times=1, after=500_000),
    Fault("no-range"),
    Fault("flip", times=1, after=2_000_000),
    Fault("page", times=1),
    Fault("cut", times=50, after=100_000),  # more failures than tries, but each try makes progress
]
LASTING = [
    Fault("status", status=404),
    Fault("status", status=503),
    Fault("flip", after=2_000_000),
    Fault("page"),
    Fault("long"),
    Fault("reset", after=0),
    Fault("cut", after=0),
]


@pytest.mark.parametrize("fault", PASSING, ids=str)
def test_transient_faults_end_with_the_file(
    fault: Fault, upstream: Path, fetcher: Fetcher, job: MakeJob, content: bytes
) -> None:
    with faulty_server(upstream, {"*": fault}) as server:
        [fetched] = fetcher.fetch([job(f"{server.url}/data.bin")])
    assert fetched.path.read_bytes() == content


@pytest.mark.parametrize("fault", LASTING, ids=str)
def test_permanent_faults_leave_nothing(
    fault: Fault, upstream: Path, fetcher: Fetcher, job: MakeJob, cache: Path
) -> None:
    with faulty_server(upstream, {"*": fault}) as server:
        with pytest.raises(FetchError) as caught:
            fetcher.fetch([job(f"{server.url}/data.bin")])
        assert server.sent < 20_000_000
    assert f"{server.url}/data.bin" in str(caught.value)
    assert "data (3.0 MB)" in str(caught.value)
    wrong_bytes = fault.kind in {"flip", "page", "long"}
    assert caught.value.exit_code == (5 if wrong_bytes else 4)
    assert list(cache.glob("blobs-v1/*/*")) == []


@pytest.mark.parametrize("fault", [*PASSING, *LASTING], ids=str)
def test_good_second_source_always_delivers(
    fault: Fault, upstream: Path, fetcher: Fetcher, job: MakeJob, content: bytes
) -> None:
    with (
        faulty_server(upstream, {"*": fault}) as bad,
        faulty_server(upstream) as content_of_file,
    ):
        [fetched] = fetcher.fetch([job(f"{bad.url}/data.bin", f"{content_of_file.url}/data.bin")])
        assert content_of_file.sent <= len(content)
    assert fetched.path.read_bytes() == content


@pytest.mark.parametrize("size_known", [True, False])
def test_cut_download_resumes(
    *, size_known: bool, upstream: Path, fetcher: Fetcher, job: MakeJob, content: bytes
) -> None:
    with faulty_server(upstream, {"*": Fault("cut", times=2, after=1_000_000)}) as server:
        size = len(content) if size_known else None
        fetcher.fetch([job(f"{server.url}/data.bin", size=size)])
        assert server.sent == len(content)
        ranges = [request.headers.get("Range") for request in server.requests]
    assert ranges == [None, "bytes=1000000-", "bytes=2000000-"]


def test_later_fetch_resumes_an_earlier_one(
    upstream: Path, store: Store, job: MakeJob, content: bytes
) -> None:
    """The bytes of a failed fetch are kept for later fetches."""
    with faulty_server(upstream, {"*": Fault("cut", times=1, after=2_000_000)}) as server:
        data_job = job(f"{server.url}/data.bin")
        server.faults["*"] = Fault("status", status=404)
        partial = store.root / "partial-v1" / (data_job.resource.sha256 or "")
        partial.mkdir(parents=True)
        (partial / "data").write_bytes(content[:2_000_000])
        with pytest.raises(FetchError):
            Fetcher(store, timeout=1).fetch([data_job])
        server.faults.clear()
        [fetched] = Fetcher(store, timeout=1).fetch([data_job])
        assert server.sent == 1_000_000
    assert fetched.path.read_bytes() == content
    assert not partial.exists()


@pytest.mark.parametrize(
    ("leftover", "most"),
    [
        (lambda content_of_file: b"x" + content_of_file[1:1_000_000], 2.0),
        (lambda content_of_file: content_of_file + b"more", 1.0),
        (lambda content_of_file: content_of_file, 0.0),
        (lambda _: b"", 1.0),
        (lambda content_of_file: b"\0" * len(content_of_file), 1.0),
    ],
    ids=["wrong", "too long", "complete", "empty", "right size, wrong bytes"],
)
def test_damaged_leftover_is_downloaded_again(
    leftover: Callable[[bytes], bytes],
    most: float,
    upstream: Path,
    fetcher: Fetcher,
    job: MakeJob,
    content: bytes,
) -> None:
    with faulty_server(upstream) as server:
        data_job = job(f"{server.url}/data.bin")
        partial = fetcher.store.root / "partial-v1" / (data_job.resource.sha256 or "")
        partial.mkdir(parents=True)
        (partial / "data").write_bytes(leftover(content))
        [fetched] = fetcher.fetch([data_job])
        assert server.sent <= most * len(content)
    assert fetched.path.read_bytes() == content


@pytest.mark.parametrize(
    "kind",
    [
        "folder",
        "file",
        "link",
        "data is a folder",
        "data is a link",
        "data is a hard link",
        "data is a pipe",
        "journal is a pipe",
    ],
)
def test_invalid_partial_is_replaced(
    kind: str, upstream: Path, fetcher: Fetcher, job: MakeJob, content: bytes, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    with faulty_server(upstream) as server:
        data_job = job(f"{server.url}/data.bin")
        partial = fetcher.store.root / "partial-v1" / (data_job.resource.sha256 or "")
        partial.parent.mkdir(parents=True)
        if kind not in {"file", "link"}:
            partial.mkdir()
        if kind == "file":
            partial.write_bytes(b"junk")
        elif kind == "link":
            partial.symlink_to(victim)
        elif kind == "data is a folder":
            (partial / "data").mkdir()
        elif kind == "data is a link":
            (partial / "data").symlink_to(victim)
        elif kind == "data is a hard link":
            (partial / "data").hardlink_to(victim)
        elif kind.endswith("pipe"):
            os.mkfifo(partial / kind.partition(" ")[0])
        [fetched] = fetcher.fetch([data_job])
    assert fetched.path.read_bytes() == content
    assert victim.read_bytes() == b"precious"


@pytest.mark.parametrize("damage", ["shorter", "empty", "link", "folder"])
def test_tampered_file_is_fetched_again(
    damage: str, upstream: Path, fetcher: Fetcher, job: MakeJob, content: bytes, tmp_path: Path
) -> None:
    """A cached file with another size, a link and a folder are misses."""
    target = fetcher.store.root / blob_path(Digest.of_bytes(content))
    target.parent.mkdir(parents=True)
    other = tmp_path / "other"
    other.write_bytes(b"precious")
    if damage == "link":
        target.symlink_to(other)
    elif damage == "folder":
        target.mkdir()
    else:
        target.write_bytes(b"" if damage == "empty" else content[:-1])
    with faulty_server(upstream) as server:
        [fetched] = fetcher.fetch([job(f"{server.url}/data.bin")])
    assert fetched.path == target
    assert target.read_bytes() == content
    assert not target.is_symlink()
    assert other.read_bytes() == b"precious"
