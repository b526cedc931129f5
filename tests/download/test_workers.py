"""Test downloading many files in parallel."""

from pathlib import Path

from dshub.cache.store import Store
from dshub.catalog.manifest import Resource
from dshub.checksums import Digest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.mirrors.serve.server import serving


def test_many_files_arrive_in_order(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    with serving(folder) as url:
        jobs = []
        for i in range(40):
            data = f"file {i}".encode() * 1000
            (folder / f"{i}").write_bytes(data)
            sha256 = Digest.of_bytes(data).hex
            resource = Resource(urls=(f"{url}/{i}",), sha256=sha256, size=len(data))
            jobs.append(Job("many", f"part-{i}", resource))
        fetched = Fetcher(store).fetch(jobs)
    assert [item.job.name for item in fetched] == [f"part-{i}" for i in range(40)]
    assert all(
        item.path.read_bytes() == f"file {i}".encode() * 1000 for i, item in enumerate(fetched)
    )
