"""How the files that a person has are kept: copied, linked, or left where they are."""

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
from dshub.importing.files import Keep, import_files, match_files

DATA = b"what a person has" * 1000


@pytest.fixture
def wanted() -> Job:
    """A file that only a person can get."""
    resource = Resource(
        filename="set.tar",
        sha256=Digest.of_bytes(DATA).hex,
        size=len(DATA),
        access="manual",
        instructions="Ask for it.",
    )
    return Job("set", "archive", resource)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine" / "set.tar"
    path.parent.mkdir()
    path.write_bytes(DATA)
    return path


def kept(store: Store, job: Job) -> Path:
    (found,) = Fetcher(store).fetch([job])
    return found.path


@pytest.mark.parametrize("keep", ["auto", "copy", "link", "reference"])
def test_the_bytes_are_there_and_the_file_is_as_it_was(
    keep: Keep, wanted: Job, store: Store, mine: Path
) -> None:
    """Whichever way it is kept."""
    before = mine.stat()
    (taken,) = import_files(store, [wanted], [mine.parent], keep=keep)
    assert kept(store, wanted).read_bytes() == DATA
    after = mine.stat()
    assert (after.st_mtime_ns, after.st_mode, mine.read_bytes()) == (
        before.st_mtime_ns,
        before.st_mode,
        DATA,
    )
    expected = {"link": {"linked"}, "reference": {"referenced"}}
    assert taken.kept in expected.get(keep, {"copied", "cloned"})


def test_a_copy_does_not_change_with_the_file(wanted: Job, store: Store, mine: Path) -> None:
    """Also where it shares its blocks."""
    import_files(store, [wanted], [mine], keep="copy")
    with mine.open("rb+") as file:
        file.write(b"other")
    assert kept(store, wanted).read_bytes() == DATA


def test_a_link_takes_no_space_and_survives_the_first_name(
    wanted: Job, store: Store, mine: Path
) -> None:
    """It is the same file under two names."""
    import_files(store, [wanted], [mine], keep="link")
    assert kept(store, wanted).stat().st_ino == mine.stat().st_ino
    mine.unlink()
    assert kept(store, wanted).read_bytes() == DATA


def test_where_a_link_cannot_be_made_it_is_copied_with_a_word(
    wanted: Job, store: Store, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another disk has no room for a second name of a file of this one."""

    def refused(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    said: list[str] = []
    progress = type(
        "Said",
        (),
        {
            "start": _ignore,
            "advance": _ignore,
            "finish": _ignore,
            "say": lambda _, t: said.append(t),
        },
    )()
    monkeypatch.setattr(os, "link", refused)
    (taken,) = import_files(store, [wanted], [mine], keep="link", progress=progress)
    assert taken.kept in {"copied", "cloned"}
    assert "cannot be linked" in said[0]
    assert kept(store, wanted).read_bytes() == DATA


def _ignore(*_: object) -> None: ...


def test_a_reference_takes_no_space(wanted: Job, store: Store, mine: Path, cache: Path) -> None:
    """What the cache has of it is a note."""
    import_files(store, [wanted], [mine], keep="reference")
    assert kept(store, wanted) == mine.resolve()
    assert sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) < 1000


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda path: path.unlink(), "is gone"),
        (lambda path: path.write_bytes(DATA[1:]), "16,999 bytes, and had 17,000"),
        (lambda path: path.write_bytes(DATA[::-1]), "has changed since it was imported"),
        (lambda path: path.rename(path.with_name("moved")), "is gone"),
    ],
    ids=["gone", "shorter", "other bytes", "moved"],
)
def test_a_reference_to_what_is_not_there_is_an_error_that_says_so(
    change: Callable[[Path], object], told: str, wanted: Job, store: Store, mine: Path
) -> None:
    """No row is ever read from a file that may be another one; a new import mends it."""
    os.utime(mine, ns=(10**18, 10**18))
    import_files(store, [wanted], [mine], keep="reference")
    change(mine)
    with pytest.raises(StoreError, match=told) as caught:
        Fetcher(store).fetch([wanted])
    assert "dshub import set" in caught.value.hint
    mine.write_bytes(DATA)
    import_files(store, [wanted], [mine], keep="reference")
    assert kept(store, wanted).read_bytes() == DATA


def test_without_an_import_the_instructions_are_told(wanted: Job, store: Store) -> None:
    """As for any file that only a person can get."""
    with pytest.raises(ManualStepError, match="Ask for it"):
        Fetcher(store).fetch([wanted])


def test_files_that_only_look_right_are_told(wanted: Job, store: Store, mine: Path) -> None:
    """Cut short, of another version, or with other bytes: each has its own words."""
    for data, told in [
        (DATA[:-1], "cut short, 16,999 of 17,000 bytes"),
        (DATA + b"!", "another version: 17,001 bytes instead of 17,000"),
        (DATA[::-1], "damaged: of the right size, but sha256:"),
    ]:
        mine.write_bytes(data)
        (found,) = match_files(store, [wanted], [mine])
        assert told in getattr(found, "reason", "")
        assert store.blob(wanted.resource.digest) is None


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_that_is_named_means_its_file(wanted: Job, store: Store, mine: Path) -> None:
    """A reference goes to the file itself, for a link may be moved at any time."""
    link = mine.with_name("link")
    link.symlink_to(mine)
    import_files(store, [wanted], [link], keep="reference")
    link.unlink()
    assert kept(store, wanted).read_bytes() == DATA
