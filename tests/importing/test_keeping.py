import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dshub.cache.store import Store
from dshub.catalog.manifest import Resource
from dshub.checksums import Digest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.errors import ManualStepError, StoreError
from dshub.importing.files import Imported, Keep, Mismatch, import_files

DATA = b"what a person has" * 1000


@pytest.fixture
def job() -> Job:
    """Return a job for a file that users must download manually."""
    resource = Resource(
        filename="set.tar",
        sha256=Digest.of_bytes(DATA).hex,
        size=len(DATA),
        access="manual",
        instructions="Ask for it.",
    )
    return Job("set", "archive", resource)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "downloads" / "set.tar"
    path.parent.mkdir()
    path.write_bytes(DATA)
    return path


def cached_path(store: Store, job: Job) -> Path:
    (fetched,) = Fetcher(store).fetch([job])
    return fetched.path


@pytest.mark.parametrize("keep", ["auto", "copy", "link", "reference"])
def test_import_does_not_change_the_file(keep: Keep, job: Job, store: Store, file: Path) -> None:
    before = file.stat()
    (imported,) = import_files(store, [job], [file.parent], keep=keep)
    assert isinstance(imported, Imported)
    assert cached_path(store, job).read_bytes() == DATA
    after = file.stat()
    assert (after.st_mtime_ns, after.st_mode, file.read_bytes()) == (
        before.st_mtime_ns,
        before.st_mode,
        DATA,
    )
    expected = {"link": {"linked"}, "reference": {"referenced"}}
    assert imported.kept in expected.get(keep, {"copied", "cloned"})


def test_copy_is_independent_of_the_file(job: Job, store: Store, file: Path) -> None:
    import_files(store, [job], [file], keep="copy")
    with file.open("rb+") as stream:
        stream.write(b"other")
    assert cached_path(store, job).read_bytes() == DATA


def test_link_takes_no_space(job: Job, store: Store, file: Path) -> None:
    import_files(store, [job], [file], keep="link")
    assert cached_path(store, job).stat().st_ino == file.stat().st_ino
    file.unlink()
    assert cached_path(store, job).read_bytes() == DATA


def test_file_on_another_disk_is_copied_with_a_note(
    job: Job, store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    messages: list[str] = []
    progress = type(
        "Messages",
        (),
        {
            "start": _ignore,
            "advance": _ignore,
            "finish": _ignore,
            "say": lambda _, t: messages.append(t),
        },
    )()
    monkeypatch.setattr(os, "link", refused)
    (imported,) = import_files(store, [job], [file], keep="link", progress=progress)
    assert isinstance(imported, Imported)
    assert imported.kept in {"copied", "cloned"}
    assert "copied instead of linked" in messages[0]
    assert cached_path(store, job).read_bytes() == DATA


def _ignore(*_: object) -> None: ...


def test_reference_takes_no_space(job: Job, store: Store, file: Path, cache: Path) -> None:
    import_files(store, [job], [file], keep="reference")
    assert cached_path(store, job) == file.resolve()
    assert sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) < 1000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.unlink(), "moved or deleted"),
        (lambda path: path.write_bytes(DATA[1:]), "16,999 bytes, and had 17,000"),
        (lambda path: path.write_bytes(DATA[::-1]), "has changed since it was imported"),
        (lambda path: path.rename(path.with_name("moved")), "moved or deleted"),
    ],
    ids=["gone", "shorter", "other bytes", "moved"],
)
def test_broken_reference_is_an_error(
    change: Callable[[Path], object], message: str, job: Job, store: Store, file: Path
) -> None:
    """Changed files are never read, and another import repairs the reference."""
    os.utime(file, ns=(10**18, 10**18))
    import_files(store, [job], [file], keep="reference")
    change(file)
    with pytest.raises(StoreError, match=message) as caught:
        Fetcher(store).fetch([job])
    assert "dshub import set" in caught.value.hint
    file.write_bytes(DATA)
    import_files(store, [job], [file], keep="reference")
    assert cached_path(store, job).read_bytes() == DATA


def test_missing_manual_file_shows_instructions(job: Job, store: Store) -> None:
    with pytest.raises(ManualStepError, match="Ask for it"):
        Fetcher(store).fetch([job])


def test_mismatches_give_a_reason(job: Job, store: Store, file: Path) -> None:
    for data, message in [
        (DATA[:-1], "truncated, or an older version: 16,999 of 17,000 bytes"),
        (DATA + b"!", "another version: 17,001 bytes instead of 17,000"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "run `git lfs pull`"),
        (DATA[::-1], "damaged: the size is right, but not the content (sha256:"),
    ]:
        file.write_bytes(data)
        (mismatch,) = import_files(store, [job], [file])
        assert isinstance(mismatch, Mismatch)
        assert message in mismatch.reason
        assert store.blob(job.resource.digest) is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs a privilege for links")
def test_reference_through_a_link_points_to_the_file(job: Job, store: Store, file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    import_files(store, [job], [link], keep="reference")
    link.unlink()
    assert cached_path(store, job).read_bytes() == DATA
