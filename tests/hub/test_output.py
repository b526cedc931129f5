import gzip
import sys
from pathlib import Path
from typing import Any

import pytest

from dshub import Resource
from dshub.cache.store import Store
from dshub.checksums import Digest
from dshub.download.sources import Fetched, Job
from dshub.errors import StoreError
from dshub.hub.output import output_paths, write_output


def stored(store: Store, data: bytes, name: str, dataset: str = "set", **facts: Any) -> Job:
    """Add a file to the cache, and return its job."""
    path = store.scratch_folder() / "new"
    path.write_bytes(data)
    store.adopt(path)
    facts = {"sha256": Digest.of_bytes(data).hex} | facts
    return Job(dataset, name, Resource(urls=(f"https://data.example/{name}",), **facts))


def fetched(store: Store, *jobs: Job) -> list[Fetched]:
    return [Fetched(job, store.file(job.resource) or Path()) for job in jobs]


def test_file_in_the_cache_is_not_opened_for_writing(cache: Path, tmp_path: Path) -> None:
    """A clone or copy is independent of the cache, and a link to the cache is read-only."""
    store = Store(cache)
    job = stored(store, b"data", "a.bin")
    paths = output_paths([job], tmp_path / "out", store)
    (output,) = write_output(fetched(store, job), paths, store)
    assert output.path.read_bytes() == b"data"
    if output.how == "linked":
        assert not output.path.stat().st_mode & 0o222
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.bin"]


@pytest.mark.skipif(sys.platform == "win32", reason="files are not linked on Windows")
def test_file_of_another_cache_is_not_linked(cache: Path, tmp_path: Path) -> None:
    job = stored(Store(tmp_path / "site"), b"data", "a.bin")
    store = Store(cache, [tmp_path / "site"])
    paths = output_paths([job], tmp_path / "out", store)
    (output,) = write_output(fetched(store, job), paths, store)
    assert output.how in {"cloned", "copied"}


def test_several_datasets_have_a_folder_each(cache: Path, tmp_path: Path) -> None:
    store = Store(cache)
    jobs = [stored(store, b"1", "a.bin", "mine"), stored(store, b"2", "a.bin", "glue/cola")]
    paths = output_paths(jobs, tmp_path, store)
    assert list(paths.values()) == [tmp_path / "mine/a.bin", tmp_path / "glue/cola/a.bin"]


def test_files_of_one_dataset_with_the_same_name_are_an_error(cache: Path, tmp_path: Path) -> None:
    store = Store(cache)
    jobs = [stored(store, data, "a.bin") for data in (b"1", b"2")]
    with pytest.raises(StoreError, match="2 files of the dataset have this name"):
        output_paths(jobs, tmp_path, store)


@pytest.mark.parametrize(
    ("url", "name"), [("x/..%2F..%2Fetc%2Fpasswd", "passwd"), ("x/%2E%2E", "file")]
)
def test_name_stays_inside_the_folder(cache: Path, tmp_path: Path, url: str, name: str) -> None:
    resource = Resource(urls=(f"https://data.example/{url}",), sha256="0" * 64)
    job = Job("set", "file", resource)
    assert output_paths([job], tmp_path, Store(cache)) == {job: tmp_path / name}


def test_unpacked_file_loses_its_suffix(cache: Path, tmp_path: Path) -> None:
    """An import of recompressed files keeps only the decompressed content."""
    store = Store(cache)
    packed = Digest.of_bytes(gzip.compress(b"data")).hex
    content = Digest.of_bytes(b"data").hex
    job = stored(store, b"data", "a.txt.gz", sha256=packed, content_sha256=content)
    paths = output_paths([job], tmp_path, store)
    (output,) = write_output(fetched(store, job), paths, store)
    assert output.path == tmp_path / "a.txt"
    (again,) = write_output(fetched(store, job), output_paths([job], tmp_path, store), store)
    assert again.how == "kept"


def test_damaged_file_is_not_equal(cache: Path, tmp_path: Path) -> None:
    store = Store(cache)
    job = stored(store, b"data", "a.bin")
    (tmp_path / "a.bin").write_bytes(b"dat_")
    with pytest.raises(StoreError, match="it exists and differs from the file of the dataset"):
        output_paths([job], tmp_path, store)
    paths = output_paths([job], tmp_path, store, force=True)
    write_output(fetched(store, job), paths, store)
    assert (tmp_path / "a.bin").read_bytes() == b"data"


def test_file_in_the_place_of_the_folder_is_named(cache: Path, tmp_path: Path) -> None:
    store = Store(cache)
    job = stored(store, b"data", "a.bin")
    (tmp_path / "out").write_bytes(b"a file")
    with pytest.raises(StoreError, match=r"cannot write .*out"):
        write_output(fetched(store, job), output_paths([job], tmp_path / "out", store), store)
