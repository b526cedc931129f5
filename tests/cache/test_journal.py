"""Test the journals of unfinished downloads."""

import os
from pathlib import Path

import pytest

from dshub.cache.journal import Journal, Origin, claim, partial_size, read_journal
from dshub.cache.spans import Extents
from dshub.cache.store import Store
from dshub.catalog.manifest import Resource
from dshub.checksums import Digest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.errors import FetchError, StoreError
from dshub.testing.answers import Fault
from dshub.testing.server import faulty_server

ORIGIN = Origin("https://data.example/file", '"tag"')
CONTENT = os.urandom(8 << 20)  # downloads of this size get a journal
DIGEST = Digest.of_bytes(CONTENT)


def begin(path: Path, *ranges: tuple[int, int]) -> Journal:
    journal = Journal(path)
    journal.begin(ORIGIN, Extents(*ranges))
    return journal


def ranges_of(path: Path) -> list[tuple[int, int]]:
    journal = read_journal(path)
    assert journal is not None
    assert journal[0] == ORIGIN
    return list(journal[1])


def create_unfinished(folder: Path, *ranges: tuple[int, int]) -> None:
    """Create an unfinished download that has only the specified byte ranges."""
    folder.mkdir(parents=True)
    (folder / "data").write_bytes(CONTENT)
    begin(folder / "journal", *ranges).close()


def test_recorded_ranges_are_read(tmp_path: Path) -> None:
    """A range replaces an earlier one with the same start, and an incomplete line is ignored."""
    path = tmp_path / "journal"
    journal = begin(path, (0, 10), (20, 30))
    journal.record(20, 40)
    journal.record(50, 60)
    journal.record(50, 70)
    assert ranges_of(path) == [(0, 10), (20, 40), (50, 70)]
    journal.close()
    path.write_bytes(path.read_bytes()[:-5])
    assert ranges_of(path) == [(0, 10), (20, 40)]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1]\n", b'{"etag": 1}'])
def test_damaged_journal_is_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal").write_bytes(content)
    assert read_journal(tmp_path / "journal") is None


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_planted_journal_is_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "journal"
    (tmp_path / "mine").write_text("mine")
    path.mkdir() if kind == "folder" else path.symlink_to(tmp_path / "mine")
    begin(path, (0, 10)).close()
    assert ranges_of(path) == [(0, 10)]
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_full_disk_leaves_the_old_journal(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "journal"
    begin(path, (0, 10), (20, 30)).close()
    if (child := os.fork()) == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            begin(path, (0, 10))
            os._exit(1)
        except StoreError:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ranges_of(path) == [(0, 10), (20, 30)]


def test_download_of_another_machine_is_copied(tmp_path: Path) -> None:
    """A restarted container has another host name but still resumes its download."""
    unfinished = tmp_path / f"{DIGEST.hex}.elsewhere-1-0123abcd"
    create_unfinished(unfinished, (0, 1000), (2000, 5000))
    claimed = claim(tmp_path / DIGEST.hex)
    assert partial_size(claimed) == 4000
    assert ranges_of(claimed / "journal") == [(0, 1000), (2000, 5000)]
    assert (unfinished / "data").exists()


def test_largest_unfinished_download_is_taken_over(tmp_path: Path) -> None:
    create_unfinished(tmp_path / DIGEST.hex, (0, 1000))
    dead = tmp_path / "name"  # replaced by the name of an earlier process with the same pid
    own_name = claim(dead).name.rpartition("-")[0] + "-0123abcd"
    create_unfinished(tmp_path / own_name.replace("name", DIGEST.hex, 1), (0, 2000))
    claimed = claim(tmp_path / DIGEST.hex)
    assert partial_size(claimed) == 2000
    assert [path.name for path in tmp_path.iterdir()] == [claimed.name]


def test_journal_holds_no_password(cache: Path, tmp_path: Path) -> None:
    """Mirror URLs can contain passwords, and other users can read a shared cache."""
    upstream = tmp_path / "upstream"
    upstream.mkdir()
    (upstream / "data").write_bytes(CONTENT)
    faults = [Fault("cut", after=5_000_000, times=1), Fault("status", status=404)]
    with faulty_server(upstream, {"*": faults}) as server:
        url = server.url.replace("//", "//me:secret@") + "/data"
        resource = Resource(urls=(url,), filename="d", sha256=DIGEST.hex, size=len(CONTENT))
        fetcher = Fetcher(Store(cache), timeout=0.5)
        with pytest.raises(FetchError) as caught:
            fetcher.fetch([Job("set", "data", resource)])
    journal = cache / "partial-v1" / DIGEST.hex / "journal"
    assert server.url.removeprefix("http://").encode() in journal.read_bytes()
    assert b"secret" not in journal.read_bytes()
    assert "secret" not in str(caught.value)
