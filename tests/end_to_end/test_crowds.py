"""Fetch with several processes or users in one cache, on full disks, and past stopped processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dshub.cache.locks import Waiting
from dshub.cache.paths import blob_path
from dshub.cache.store import Store
from dshub.catalog.manifest import Resource
from dshub.checksums import Digest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.errors import DiskFullError
from dshub.testing.answers import Fault
from dshub.testing.server import FaultyServer, faulty_server

CONTENT = os.urandom(6_000_000)
DIGEST = Digest.of_bytes(CONTENT)

CHILD = """
import os, resource, sys
from pathlib import Path
# Import these before switching users, because the other user might not be able to read them.
import encodings.ascii, encodings.idna, encodings.latin_1
import filelock, platformdirs, dshub.download.transports.http
from dshub.errors import DshubError
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.catalog.manifest import Resource
from dshub.progress import Lines
from dshub.cache.store import Store
url, cache, sha256, size, patience = sys.argv[1:6]
exec(sys.argv[6])
job = Job("crowd", "data", Resource(urls=(url,), filename="data", sha256=sha256, size=int(size)))
try:
    store = Store(Path(cache), patience=float(patience))
    print(Fetcher(store, progress=Lines(sys.stderr)).fetch([job])[0].source)
except DshubError as error:
    print(error, error.hint)
    sys.exit(error.exit_code)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultyServer]:
    folder = tmp_path / "upstream"
    folder.mkdir()
    (folder / "data").write_bytes(CONTENT)
    with faulty_server(folder) as running:
        yield running


def start(
    server: FaultyServer, cache: Path, *, patience: float = 60, before: str = ""
) -> subprocess.Popen[str]:
    """Start a process that runs the code in `before` and then fetches the file."""
    arguments = [f"{server.url}/data", cache, DIGEST.hex, len(CONTENT), patience, before]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *map(str, arguments)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for(cache: Path, count: int) -> None:
    """Wait until a partial download has `count` bytes."""
    end = time.monotonic() + 30
    while sum(path.stat().st_size for path in cache.glob("partial-v1/*/data")) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def published(cache: Path) -> bytes:
    return (cache / blob_path(DIGEST)).read_bytes()


@pytest.mark.slow
def test_waiting_process_names_the_downloading_process(server: FaultyServer, cache: Path) -> None:
    server.faults["*"] = Fault("plain", rate=600_000)  # slow enough for the second process to start
    first = start(server, cache)
    wait_for(cache, 1_000_000)
    second = start(server, cache)
    _, errors = second.communicate(timeout=60)
    first.communicate(timeout=60)
    assert first.returncode == second.returncode == 0
    assert f"crowd: waiting for process {first.pid}, which is downloading data (" in errors
    assert server.sent <= 1.02 * len(CONTENT)
    assert published(cache) == CONTENT


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="stops a process")
def test_download_of_a_stopped_process_is_taken_over(server: FaultyServer, cache: Path) -> None:
    """The second process reuses the first one's bytes; the first one succeeds on continuing."""
    server.faults["*"] = Fault("plain", rate=3_000_000)
    owner = start(server, cache)
    wait_for(cache, 3_000_000)
    owner.send_signal(signal.SIGSTOP)
    server.faults.clear()
    try:
        other = start(server, cache, patience=1)
        answer, errors = other.communicate(timeout=60)
        assert other.returncode == 0, answer + errors
        assert published(cache) == CONTENT
        assert server.sent <= 1.35 * len(CONTENT)
    finally:
        owner.send_signal(signal.SIGCONT)
        owner.communicate(timeout=60)
    assert owner.returncode == 0
    assert published(cache) == CONTENT


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="changes the user of a child process")
def test_two_users_share_the_cache_of_a_group(server: FaultyServer, place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can run as two users")
    cache = place / "shared"
    cache.mkdir()
    os.chown(cache, 0, 54321)
    cache.chmod(0o2775)
    become_user = "os.setgroups([]); os.setgid(54321); os.setuid({}); os.umask(0o002)"
    server.faults["*"] = Fault("stall", times=1, after=2_000_000)
    first = start(server, cache, before=become_user.format(54321))
    wait_for(cache, 2_000_000)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=30)
    server.faults.clear()
    second = start(server, cache, before=become_user.format(54322))
    answer, errors = second.communicate(timeout=60)
    assert second.returncode == 0, answer + errors
    assert server.sent == len(CONTENT)
    path = cache / blob_path(DIGEST)
    status = path.stat()
    assert (status.st_gid, status.st_mode & 0o060) == (54321, 0o060)
    third = start(server, cache, before=become_user.format(54321))
    assert third.communicate(timeout=60)[0].strip() == "cache"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "setuid"), reason="changes the user of a child process")
@pytest.mark.parametrize("mode", [0o2775, 0o3775])
def test_unreadable_download_of_another_user_is_fetched_again(
    server: FaultyServer, place: Path, mode: int
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can run as two users")
    cache = place / "shared"
    for folder in (cache, cache / "partial-v1", cache / "blobs-v1"):
        folder.mkdir()
        os.chown(folder, 0, 54321)
        folder.chmod(mode)
    (cache / "CACHEDIR.TAG").touch()
    become_user = "os.setgroups([]); os.setgid(54321); os.setuid({}); os.umask({})"
    server.faults["*"] = Fault("stall", times=1, after=2_000_000)
    first = start(server, cache, before=become_user.format(54321, 0o077))
    wait_for(cache, 2_000_000)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=30)
    server.faults.clear()
    second = start(server, cache, before=become_user.format(54322, 0o002))
    answer, errors = second.communicate(timeout=60)
    assert second.returncode == 0, answer + errors
    assert published(cache) == CONTENT


def test_file_size_limit_raises_an_error_and_the_next_run_succeeds(
    server: FaultyServer, cache: Path
) -> None:
    """Exceeding the limit raises an error instead of ending the process with SIGXFSZ."""
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))"
    process = start(server, cache, before=limit)
    answer, _ = process.communicate(timeout=60)
    assert process.returncode == DiskFullError.exit_code
    assert "exceed the size limit" in answer
    assert not (cache / blob_path(DIGEST)).exists()
    again = start(server, cache)
    assert again.communicate(timeout=60)[0]
    assert again.returncode == 0
    assert published(cache) == CONTENT


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 4 MB that can grow."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_download_resumes_after_a_full_disk_gets_more_space(
    server: FaultyServer, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Skip the space check before the download, so that the disk fills up while writing.
    monkeypatch.setattr(Store, "free", lambda _: None)
    resource = Resource(
        urls=(f"{server.url}/data",), filename="data", sha256=DIGEST.hex, size=len(CONTENT)
    )
    job = Job("crowd", "data", resource)
    with pytest.raises(DiskFullError, match="no space left"):
        Fetcher(Store(small_disk)).fetch([job])
    assert not list(small_disk.glob("blobs-v1/*/*"))
    command = ["mount", "-o", "remount,size=20m", str(small_disk)]
    subprocess.run(command, check=True)
    server.requests.clear()
    [fetched] = Fetcher(Store(small_disk)).fetch([job])
    assert fetched.path.read_bytes() == CONTENT
    assert server.requests[0].headers["Range"] > "bytes=2"
    assert server.sent < len(CONTENT)


def test_process_on_another_machine_is_named_with_its_host() -> None:
    assert str(Waiting("node_7", 42, 0)) == "process 42 on node_7"
    assert str(Waiting("", 42, 0)) == "process 42"
