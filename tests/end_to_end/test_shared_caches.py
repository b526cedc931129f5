"""Share a cache between two users, one of whom plants links, pipes and other files in it.

The other user's own files must not change, and no process can hang.
"""

import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path, PurePosixPath

import pytest

from dshub.cache.disk import remove
from dshub.cache.owners import is_orphan, own_name
from dshub.cache.paths import TABLE_FILE, blob_path, partial_path
from dshub.cache.store import Store
from dshub.catalog.manifest import Resource
from dshub.checksums import Digest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.errors import ChecksumError, DshubError, StoreError

if not hasattr(os, "geteuid") or os.geteuid() != 0:
    pytest.skip("only root can be two users", allow_module_level=True)

ANNE, BOB, GROUP = 54321, 54322, 54323
CONTENT = b"published" * 1000
DIGEST = Digest.of_bytes(CONTENT)
LONGEST = 10.0  # seconds before a process counts as hung
NAMES = 200

_fork = multiprocessing.get_context("fork")


def start(user: int, act: Callable[[], object]) -> tuple[ForkProcess, Connection]:
    """Start a process that calls `act` as a user."""
    ours, theirs = _fork.Pipe(duplex=False)

    def child() -> None:
        os.setgroups([GROUP])
        os.setgid(GROUP)
        os.setuid(user)
        os.umask(0o002)
        try:
            act()
            theirs.send("")
        except DshubError as error:
            theirs.send(f"{error}")

    process = _fork.Process(target=child)
    process.start()
    theirs.close()
    return process, ours


def run(user: int, act: Callable[[], object]) -> str:
    """Call `act` as a user; return the dshub error as text, or an empty string."""
    process, answer = start(user, act)
    try:
        assert answer.poll(LONGEST), "it hangs"
        return str(answer.recv())
    finally:
        process.kill()
        process.join()


@pytest.fixture
def home(place: Path) -> Path:
    """Create Anne's own folder."""
    folder = place / "anne"
    folder.mkdir()
    (folder / "precious").write_bytes(b"precious")
    for path in (folder, folder / "precious"):
        os.chown(path, ANNE, GROUP)
    return folder


@pytest.fixture
def shared(place: Path, home: Path) -> Path:
    """Create a cache where both users can write and move each other's files."""
    folder = place / "shared"
    for path in (folder, folder / "partial-v1"):
        path.mkdir()
        os.chown(path, 0, GROUP)
        path.chmod(0o2775)
    return folder


@pytest.fixture(autouse=True)
def anne_files_do_not_change(home: Path) -> Iterator[None]:
    yield
    assert [path.name for path in home.iterdir()] == ["precious"]
    assert (home / "precious").read_bytes() == b"precious"


def guess(partials: Path, victim: Path) -> None:
    """Create links to another user's file under every predictable name."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        for partial in partials.iterdir():
            stem, _, last = partial.name.rpartition("-")
            token, count = last[:8], last[8:]
            if not stem.startswith("text.") or len(count) > 4:
                continue
            for number in range(int(count or "0", 16) + 1, NAMES):
                path = partials / f"{stem}-{token}{number:x}"
                if not os.path.lexists(path):
                    path.symlink_to(victim)


def test_names_of_unfinished_files_cannot_be_guessed(shared: Path, home: Path) -> None:
    victim, store = home / "precious", Store(shared)
    victim.chmod(0o644)
    first = own_name("text")
    process, _ = start(BOB, lambda: guess(shared / "partial-v1", victim))
    try:
        (shared / "partial-v1" / first).touch()
        time.sleep(0.1)

        def write() -> None:
            for number in range(NAMES):
                store.write_text(PurePosixPath("pins-v1", f"{number}.pin"), b"note")

        assert run(ANNE, write) == ""
    finally:
        process.kill()
        process.join()
    assert len(list(shared.glob("pins-v1/*.pin"))) == NAMES


def test_names_of_unfinished_files_are_random() -> None:
    names = [own_name("text").rpartition("-")[2] for _ in range(100)]
    assert len({name[8:] for name in names}) == 100
    assert min(map(len, names)) >= 24
    assert not is_orphan(Path(own_name("text")))


def test_dangling_link_at_cachedir_tag_is_not_followed(shared: Path, home: Path) -> None:
    (shared / "CACHEDIR.TAG").symlink_to(home / "planted")
    assert (
        run(ANNE, lambda: Store(shared).write_text(PurePosixPath("pins-v1", "a.pin"), b"note"))
        == ""
    )
    assert (shared / "pins-v1" / "a.pin").read_bytes() == b"note"


def fetch(shared: Path, mirror: Path) -> None:
    resource = Resource(filename="data", sha256=DIGEST.hex, size=len(CONTENT))
    store = Store(shared, patience=0.5)
    [fetched] = Fetcher(store, mirrors=[str(mirror)]).fetch([Job("ds", "data", resource)])
    assert fetched.path.read_bytes() == CONTENT


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """Fetch once, so that modules are imported before switching to a user who cannot read them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mirror") / blob_path(DIGEST)
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENT)
        fetch(Path(folder, "cache"), Path(folder, "mirror"))


@pytest.fixture
def mirror(place: Path, home: Path) -> Path:
    path = place / "mirror" / blob_path(DIGEST)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    return place / "mirror"


@pytest.mark.parametrize("bucket", ["blobs-v1", f"blobs-v1/{DIGEST.hex[:2]}", "partial-v1"])
def test_bucket_linked_by_another_user_is_not_written_to(
    shared: Path, home: Path, mirror: Path, bucket: str
) -> None:
    (shared / "partial-v1").rmdir()
    link = shared / bucket
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(home)
    os.chown(link, BOB, GROUP, follow_symlinks=False)
    for folder in (shared, *shared.glob("*")):
        if not folder.is_symlink():
            folder.chmod(0o2777)
    error = run(ANNE, lambda: fetch(shared, mirror))
    assert f"{link}: it is a symlink created by another user" in error


@pytest.mark.parametrize("user", [ANNE, 0])
def test_bucket_linked_by_its_user_or_root_is_used(
    shared: Path, mirror: Path, place: Path, user: int
) -> None:
    """A link to the whole cache is followed for every owner."""
    disk = place / "disk"
    disk.mkdir()
    os.chown(disk, ANNE, GROUP)
    (shared / "blobs-v1").symlink_to(disk)
    os.chown(shared / "blobs-v1", user, GROUP, follow_symlinks=False)
    (place / "cache").symlink_to(shared)
    os.chown(place / "cache", BOB, GROUP, follow_symlinks=False)
    assert run(ANNE, lambda: fetch(place / "cache", mirror)) == ""
    assert len(list(disk.glob("*/*"))) == 1


def test_nothing_is_removed_through_a_link_of_another_user(shared: Path, home: Path) -> None:
    (shared / "blobs-v1").symlink_to(home)
    os.chown(shared / "blobs-v1", BOB, GROUP, follow_symlinks=False)
    error = run(ANNE, lambda: remove(shared, shared / "blobs-v1" / "precious"))
    assert "it is a symlink created by another user" in error


@pytest.mark.parametrize("kind", ["link", "pipe", "held", "unreadable"])
def test_lock_of_another_user_does_not_block_a_fetch(
    shared: Path, home: Path, mirror: Path, kind: str
) -> None:
    """A lock only saves duplicate work, so a fetch proceeds without it."""
    import fcntl

    path = shared / f"{partial_path(DIGEST)}.lock"
    if kind == "link":
        path.symlink_to(home / "precious")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.touch()
        path.chmod(0o664 if kind == "held" else 0o600)
    os.chown(path, BOB, GROUP, follow_symlinks=False)
    with (path if kind == "held" else home / "precious").open("rb") as file:
        if kind == "held":
            fcntl.flock(file, fcntl.LOCK_EX)
        assert run(ANNE, lambda: fetch(shared, mirror)) == ""


def test_working_folder_replaced_by_a_link_is_not_emptied(shared: Path, home: Path) -> None:
    from dshub.cache.disk import empty

    folder = shared / "partial-v1" / own_name("table-0123")
    folder.symlink_to(home)
    with pytest.raises(OSError, match=folder.name):
        empty(folder, ())


def test_a_table_that_another_user_began_is_not_continued(shared: Path) -> None:
    name = own_name("table-0123").replace(f"-{os.getpid()}-", "-999999999-")
    planted = shared / "partial-v1" / name
    planted.mkdir()
    (planted / "journal.json").write_text("{}")
    for path in (planted, planted / "journal.json"):
        os.chown(path, BOB, GROUP)

    def make() -> None:
        with Store(shared).new_table("ds", "0123", orphans=True) as folder:
            assert not list(folder.iterdir())
            (folder / TABLE_FILE).touch()

    assert run(ANNE, make) == ""


def test_a_planted_file_is_hashed_before_use(shared: Path, place: Path) -> None:
    """A file that root owns is trusted and not hashed again."""
    resource = Resource(filename="data", sha256=DIGEST.hex, size=len(CONTENT))
    fetcher = Fetcher(Store(shared))
    path = shared / blob_path(DIGEST)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT.upper())
    fetched = fetcher.fetch([Job("ds", "data", resource)])
    fetcher.check(fetched)
    os.chown(path, BOB, GROUP)
    with pytest.raises(ChecksumError, match="expected sha256") as caught:
        fetcher.check(fetched)
    assert "dshub verify ds" in caught.value.hint
    path.write_bytes(CONTENT)
    fetcher.check(fetched)


def test_file_in_another_users_reference_is_hashed(shared: Path, place: Path) -> None:
    from dshub.cache.references import Reference

    resource = Resource(filename="data", sha256=DIGEST.hex, size=len(CONTENT))
    store, other = Store(shared), place / "other"
    other.write_bytes(CONTENT.upper())
    store.refer(DIGEST, Reference.of(other, other.stat()))
    fetcher = Fetcher(store)
    fetched = fetcher.fetch([Job("ds", "data", resource)])
    fetcher.check(fetched)
    [note] = shared.glob("references-v1/*/*")
    os.chown(note, BOB, GROUP)
    with pytest.raises(ChecksumError):
        fetcher.check(fetched)


def test_socket_is_rejected_as_a_file(shared: Path, home: Path) -> None:
    from dshub.cache.files import read_file

    path = shared / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        with pytest.raises(OSError, match="it is a socket, not a file"):
            read_file(path)


def test_table_record_that_is_a_link_is_rejected(shared: Path, home: Path) -> None:
    from dshub.tables.record import TableRecord

    (shared / TABLE_FILE).symlink_to(home / "precious")
    with pytest.raises(StoreError, match="it is a symlink, not a file"):
        TableRecord.read(shared / TABLE_FILE)
