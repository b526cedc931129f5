"""Create a file with a checksum, its folder and fetchers that do not wait."""

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
def short_delays(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the delays between tries, except in tests marked `patient`."""
    if request.node.get_closest_marker("patient") is None:
        monkeypatch.setattr("dshub.download.download._delay", lambda *_: 0.001)


@pytest.fixture
def content() -> bytes:
    """Return 3 MB without repeated blocks."""
    return b"".join(i.to_bytes(4, "big") for i in range(750_000))


@pytest.fixture
def upstream(tmp_path: Path, content: bytes) -> Path:
    """Write the file under its upstream name and at its path on a mirror."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    (folder / "data.bin").write_bytes(content)
    blob = folder / blob_path(Digest.of_bytes(content))
    blob.parent.mkdir(parents=True)
    blob.write_bytes(content)
    return folder


@pytest.fixture
def job(content: bytes) -> Callable[..., Job]:
    """Return a function that creates a download job of the file from URLs."""

    def make(*urls: str, size: int | None = len(content)) -> Job:
        digest = Digest.of_bytes(content)
        resource = Resource(urls=urls, filename="data.bin", sha256=digest.hex, size=size)
        return Job("tiny", "data", resource)

    return make


@pytest.fixture
def store(cache: Path) -> Store:
    return Store(cache)


@pytest.fixture
def fetcher(store: Store) -> Fetcher:
    return Fetcher(store, timeout=1)
