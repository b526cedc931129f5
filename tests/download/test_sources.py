"""Test choosing the sources of a file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dshub.cache.store import Store
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.mirrors.serve.server import serving
from dshub.testing.server import faulty_server

MakeJob = Callable[..., Job]


def test_mirrors_come_first(upstream: Path, store: Store, job: MakeJob) -> None:
    """A mirror's URL follows from the checksum, and the upstream server gets no request."""
    with faulty_server(upstream) as mirror, faulty_server(upstream) as origin:
        data_job = job(f"{origin.url}/data.bin")
        [fetched] = Fetcher(store, mirrors=[mirror.url]).fetch([data_job])
        assert origin.requests == []
    sha256 = data_job.resource.sha256 or ""
    assert fetched.source == f"{mirror.url}/blobs-v1/{sha256[:2]}/{sha256}"


@pytest.mark.parametrize("as_url", [True, False])
def test_only_replaces_every_source(
    *, as_url: bool, upstream: Path, store: Store, job: MakeJob
) -> None:
    """`only` takes files by their upstream names from a folder or a server."""
    for blob in upstream.glob("blobs-v1/*/*"):
        blob.unlink()
    with serving(upstream) as url:
        source = url if as_url else str(upstream)
        fetcher = Fetcher(store, only=source)
        [fetched] = fetcher.fetch([job("http://127.0.0.1:9/never")])
        assert fetched.source == f"{source}/data.bin"
