"""Share a cache: as a mirror, offline, read-only, or while other processes remove files."""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Hub, Registry, Settings
from dshub.cache.disk import remove
from dshub.cache.store import Store
from dshub.cache.usage import usage
from dshub.catalog.features import LabelFeature
from dshub.errors import DiskFullError, StoreError
from dshub.progress import Silent
from dshub.testing.answers import Fault
from dshub.testing.server import FaultyServer, faulty_server
from tests.manifests import label_split, make_manifest, make_resource

LABELS = np.arange(5_000_000, dtype=np.uint8) % 10
IDX_FILE = struct.pack(">2xBBI", 8, 1, len(LABELS)) + LABELS.tobytes()


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    folder = tmp_path / "upstream"
    folder.mkdir()
    (folder / "labels.idx").write_bytes(IDX_FILE)
    return folder


def registry(url: str) -> Registry:
    manifest = make_manifest(
        {"labels": make_resource(IDX_FILE, f"{url}/labels.idx")},
        name="digits",
        features={"label": LabelFeature(names=tuple("0123456789"))},
        splits={"train": label_split(len(LABELS))},
    )
    return Registry(manifests=[manifest], built_in=False)


def hub_of(url: str, cache: Path, **settings: Any) -> Hub:
    values = Settings.read(cache=cache, **settings)
    return Hub(settings=values, registry=registry(url), progress=Silent())


@pytest.mark.parametrize("offline", [None, True])
def test_prepared_dataset_loads_without_a_connection(
    offline: Any, upstream: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty_server(upstream) as server:
        hub_of(server.url, cache).load("digits", split="train")
        url = server.url
    monkeypatch.setattr(socket, "socket", None)
    again = hub_of(url, cache, offline=offline).load("digits", split="train")
    assert np.array_equal(again["label"], LABELS)


def test_served_cache_works_as_a_mirror(upstream: Path, tmp_path: Path) -> None:
    with faulty_server(upstream) as origin:
        hub_of(origin.url, tmp_path / "mine").fetch("digits")
        origin.requests.clear()
        with faulty_server(tmp_path / "mine") as mirror:
            theirs = hub_of(origin.url, tmp_path / "theirs", mirrors=[mirror.url])
            [fetched] = theirs.fetch("digits")
        assert fetched.source.startswith(mirror.url)
        assert origin.requests == []
    assert np.array_equal(theirs.load("digits", split="train")["label"], LABELS)


CHILD = """
import os, sys
sys.path.insert(0, {folder!r})
from tests.end_to_end.test_sharing import hub_of
from dshub.errors import StoreError
from pathlib import Path
# Import these before switching users, because the other user might not be able to read them.
import filelock, platformdirs, dshub.download.transports.http
if {drop}:
    os.setuid(65534)
try:
    hub_of(sys.argv[1], Path(sys.argv[2])).fetch("digits", prepare=False)
except StoreError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def start(server: FaultyServer, cache: Path, *, unprivileged: bool = False) -> "Process":
    """Start a process that fetches the file."""
    drop = unprivileged and os.geteuid() == 0
    code = CHILD.format(folder=str(Path(__file__).parents[2]), drop=drop)
    command = [sys.executable, "-c", code, server.url, str(cache)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE)


Process = subprocess.Popen[str]


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="changes the user of a child process")
def test_read_only_cache_is_an_error_before_the_download(upstream: Path, enterable: Path) -> None:
    cache = enterable / "locked"
    cache.mkdir(mode=0o555)
    with faulty_server(upstream) as server:
        process = start(server, cache, unprivileged=True)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 8
        assert server.requests == []
    assert "Permission denied" in output
    assert str(cache) in output
    assert list(cache.iterdir()) == []


@pytest.mark.slow
def test_waiting_process_takes_over_from_a_killed_one(upstream: Path, cache: Path) -> None:
    sent = 2_000_000
    with faulty_server(upstream, {"*": Fault("stall", times=1, after=sent)}) as server:
        first = start(server, cache)
        end = time.monotonic() + 30
        while sum(path.stat().st_size for path in cache.glob("partial-v1/*/data")) < sent:
            assert time.monotonic() < end
            time.sleep(0.01)
        others = [start(server, cache) for _ in range(3)]
        time.sleep(0.5)  # enough for most to wait; the test also passes if none does
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=30)
        for process in others:
            process.communicate(timeout=30)
            assert process.returncode == 0
        assert server.sent == len(IDX_FILE)
    hub = hub_of("http://127.0.0.1:9", cache)
    assert hub.plan(hub.resolve("digits")).missing == ()


class Meddler(Silent):
    """A progress listener that removes cached files, as `dshub cache rm` in another process could.

    Args:
        cache: cache to remove files and tables from.
        moment: start or end of a progress title, such as `start fetching`.
        times: number of removals.
    """

    def __init__(self, cache: Path, moment: str, times: int) -> None:
        self._cache, self._moment, self._left, self._title = cache, moment, times, ""

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        del total, unit
        self._title = title
        self._meddle(f"start {title}")

    def finish(self) -> None:
        self._meddle(f"end {self._title}")

    def _meddle(self, moment: str) -> None:
        if self._left and moment.startswith(self._moment):
            self._left -= 1
            for item in usage(self._cache):
                if item.kind in {"raw", "prepared"}:
                    remove(self._cache, item.path)


@pytest.mark.parametrize("moment", ["start preparing", "end fetching"])
def test_file_removed_while_loading_is_fetched_again(
    moment: str, upstream: Path, cache: Path
) -> None:
    """If the removals never stop, the error says that another process removed the file."""
    with faulty_server(upstream) as server:
        hub = hub_of(server.url, cache)
        hub.progress = Meddler(cache, moment, 1)
        assert np.array_equal(hub.load("digits", split="train")["label"], LABELS)
        hub = hub_of(server.url, cache / "other")
        hub.progress = Meddler(cache / "other", "end fetching", 1000)
        with pytest.raises(StoreError, match="another process removed it") as caught:
            hub.fetch("digits")
        assert "`dshub cache`" in caught.value.hint


@pytest.mark.parametrize("how", ["fetch", "load"])
def test_missing_space_for_files_and_tables_is_an_error_before_the_download(
    how: str, upstream: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "free", lambda _: 20_000_000)
    with faulty_server(upstream) as server:
        hub = hub_of(server.url, cache)
        with pytest.raises(DiskFullError, match=r"5\.0 MB to fetch and 40\.0 MB to prepare"):
            hub.fetch("digits") if how == "fetch" else hub.load("digits", split="train")
        assert server.requests == []
        hub.fetch("digits", prepare=False)  # there is enough space without the tables
