import bz2
import gzip
import lzma
import os
import sys
from pathlib import Path

import pytest

from dshub.cache.store import Store
from dshub.catalog.manifest import Resource
from dshub.checksums import Digest
from dshub.download.sources import Job
from dshub.errors import StoreError
from dshub.importing.files import Imported, Mismatch, import_files
from tests.independent import zstd

INSIDE = b"the bytes that matter" * 1000
PUBLISHED = gzip.compress(INSIDE, 9, mtime=1)


@pytest.fixture
def job() -> Job:
    """Return a job for a compressed file with a checksum of its content."""
    resource = Resource(
        filename="data.txt.gz",
        sha256=Digest.of_bytes(PUBLISHED).hex,
        content_sha256=Digest.of_bytes(INSIDE).hex,
        size=len(PUBLISHED),
    )
    return Job("set", "data", resource)


@pytest.mark.parametrize(
    ("name", "data", "how"),
    [
        ("data.txt.gz", PUBLISHED, "same bytes"),
        ("renamed.bin", PUBLISHED, "same bytes"),
        ("data.txt.gz", gzip.compress(INSIDE, 1, mtime=99), "same content"),
        ("data.txt.xz", lzma.compress(INSIDE), "same content"),
        ("data.txt.bz2", bz2.compress(INSIDE), "same content"),
        ("data.txt.zst", zstd.compress(INSIDE), "same content"),
        ("data.txt", INSIDE, "same content"),
    ],
)
@pytest.mark.parametrize("in_folder", [True, False])
def test_files_are_recognized_by_content(
    *, in_folder: bool, name: str, data: bytes, how: str, job: Job, store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "downloads" / "deeper"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(data)
    (folder / "data.txt.zip").write_bytes(b"something else")
    (folder / "unrelated").write_bytes(b"\0" * len(PUBLISHED))
    top = tmp_path / "downloads" if in_folder else folder / name
    [imported] = import_files(store, [job], [top])
    assert isinstance(imported, Imported)
    assert (imported.how, imported.source) == (how, folder / name)
    path = store.file(job.resource)
    assert path is not None
    assert path.read_bytes() == (PUBLISHED if how == "same bytes" else INSIDE)
    assert (folder / name).read_bytes() == data


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>", PUBLISHED[:-5], gzip.compress(INSIDE[:-1], mtime=1), INSIDE + b"!"],
    ids=["empty", "page", "truncated", "other content", "longer"],
)
def test_mismatches_are_not_imported(
    data: bytes, job: Job, store: Store, tmp_path: Path, cache: Path
) -> None:
    """A file with the right name and other bytes stays unchanged and is not copied."""
    path = tmp_path / "data.txt.gz"
    path.write_bytes(data)
    [item] = import_files(store, [job], [path])
    assert isinstance(item, Mismatch)
    assert store.file(job.resource) is None
    assert [item for item in cache.rglob("*") if item.is_file() and item.stat().st_size > 100] == [
        cache / "CACHEDIR.TAG"
    ] or not cache.exists()


def test_missing_path_is_an_error(job: Job, store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="missing-folder"):
        import_files(store, [job], [tmp_path / "missing-folder"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="changes the user of a child process")
def test_unreadable_candidate_is_an_error(job: Job, store: Store, enterable: Path) -> None:
    path = enterable / "data.txt.gz"
    path.write_bytes(PUBLISHED)
    path.chmod(0)
    if (child := os.fork()) == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            with pytest.raises(StoreError, match=r"cannot read .*data\.txt\.gz: Permission denied"):
                import_files(store, [job], [enterable])
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_bomb_among_candidates_is_skipped(job: Job, store: Store, tmp_path: Path) -> None:
    (tmp_path / "data.txt.bz2").write_bytes(bz2.compress(bytes(300_000_000)))
    (tmp_path / "data.txt.gz").write_bytes(PUBLISHED)
    (tmp_path / "data.txt.xz").write_bytes(lzma.compress(INSIDE))
    [item] = import_files(store, [job], [tmp_path / "data.txt.bz2"])
    assert isinstance(item, Mismatch)
    (imported,) = import_files(store, [job], [tmp_path])
    assert imported.source == tmp_path / "data.txt.gz"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html><title>Sign in</title>", "an HTML page titled 'Sign in'"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "run `git lfs pull`"),
        (b"outs:\n- md5: ab\n  path: data.txt.gz\n", "a DVC pointer"),
        (b"<Error><Code>AccessDenied</Code></Error>", "'AccessDenied'"),
    ],
)
def test_other_content_is_named(
    data: bytes, reason: str, job: Job, store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "data.txt.gz"
    path.write_bytes(data)
    [item] = import_files(store, [job], [path])
    assert isinstance(item, Mismatch)
    assert reason in item.reason


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_files_in_linked_and_hidden_folders_are_found(
    job: Job, store: Store, tmp_path: Path
) -> None:
    """Links in circles end."""
    hidden = tmp_path / "elsewhere" / ".cache"
    hidden.mkdir(parents=True)
    (hidden / "blob").write_bytes(PUBLISHED)
    (hidden / "up").symlink_to("..")
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "downloads" / "gone").symlink_to("nowhere")
    [imported] = import_files(store, [job], [tmp_path / "downloads"])
    assert isinstance(imported, Imported)
    assert imported.how == "same bytes"
