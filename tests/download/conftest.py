"""Files with checksums, a server for them, and fetchers without waits."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dshub.cache.paths import blob_path
from dshub.cache.store import Store
from dshub.catalog.manifest import Resource
from dshub.checksums import Digest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job


@pytest.fixture(autouse=True)
def no_patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make waits between tries as short as possible, except in tests about waiting."""
    if request.node.get_closest_marker("patient") is None:
        monkeypatch.setattr("dshub.download.download._delay", lambda *_: 0.001)


@pytest.fixture
def content() -> bytes:
    """3 MB in which the place of every byte matters."""
    return b"".join(i.to_bytes(4, "big") for i in range(750_000))


@pytest.fixture
def upstream(tmp_path: Path, content: bytes) -> Path:
    """A folder to serve, with the file under its upstream name and as in a mirror."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    (folder / "data.bin").write_bytes(content)
    blob = folder / blob_path(Digest.of_bytes(content))
    blob.parent.mkdir(parents=True)
    blob.write_bytes(content)
    return folder


@pytest.fixture
def job(content: bytes) -> Callable[..., Job]:
    """A function that makes the job of fetching the file from some addresses."""

    def make(*urls: str, size: int | None = len(content)) -> Job:
        digest = Digest.of_bytes(content)
        resource = Resource(urls=urls, filename="data.bin", sha256=digest.hex, size=size)
        return Job("tiny", "data", resource)

    return make


@pytest.fixture
def store(cache: Path) -> Store:
    """The store of the test's cache."""
    return Store(cache)


@pytest.fixture
def fetcher(store: Store) -> Fetcher:
    """A fetcher into that store."""
    return Fetcher(store, timeout=1)
