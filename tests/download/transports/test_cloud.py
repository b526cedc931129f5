"""Test buckets, with fsspec's in-memory file system instead of a server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dshub.download.transports import Transport
from dshub.download.transports._cloud import CloudTransport
from dshub.testing.transports import TransportTests

fsspec = pytest.importorskip("fsspec")


class TestMemory(TransportTests):
    """Run the transport tests with fsspec's in-memory file system."""

    @pytest.fixture(autouse=True)
    def bucket(self, tmp_path: Path) -> Iterator[None]:
        yield
        memory = fsspec.filesystem("memory")
        if memory.exists(tmp_path.as_posix()):
            memory.rm(tmp_path.as_posix(), recursive=True)

    def transport(self) -> Transport:
        return CloudTransport(timeout=1)

    def url(self, path: Path) -> str:
        if path.exists():
            fsspec.filesystem("memory").pipe(path.as_posix(), path.read_bytes())
        return f"memory://{path.as_posix()}"
