"""Run `dshub fetch` processes that are interrupted, killed, or started together."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dshub.checksums import Digest
from dshub.testing.answers import Fault
from dshub.testing.server import FaultyServer, faulty_server
from tests.manifests import label_split, make_manifest, make_resource, save_manifest

CONTENT = os.urandom(4_000_000)
SHA256 = Digest.of_bytes(CONTENT).hex


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultyServer]:
    folder = tmp_path / "upstream"
    folder.mkdir()
    (folder / "data.gz").write_bytes(CONTENT)
    with faulty_server(folder) as running:
        yield running


@pytest.fixture
def environment(tmp_path: Path, server: FaultyServer) -> dict[str, str]:
    """Write a registry with a dataset that needs the file, and return variables that select it."""
    resources = {"data": make_resource(CONTENT, f"{server.url}/data.gz")}
    manifest = make_manifest(resources, name="big", splits={"train": label_split(1, "data")})
    save_manifest(manifest, tmp_path / "registry")
    return {**os.environ, "DSHUB_REGISTRY": str(tmp_path / "registry")}


def start(environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start `dshub fetch` for the dataset."""
    command = [sys.executable, "-m", "dshub", "fetch", "big", "--no-prepare", "--json"]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for_bytes(cache: Path, count: int) -> None:
    """Wait until a partial download has `count` bytes."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if sum(path.stat().st_size for path in cache.glob(f"partial-v1/{SHA256}*/data")) >= count:
            return
        time.sleep(0.01)
    pytest.fail("nothing arrived")


def blob(cache: Path) -> Path:
    return cache / "blobs-v1" / SHA256[:2] / SHA256


@pytest.mark.parametrize(
    ("signal_", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_interrupted_download_resumes_in_the_next_run(
    signal_: signal.Signals,
    code: int,
    server: FaultyServer,
    environment: dict[str, str],
    cache: Path,
) -> None:
    server.faults["*"] = Fault("stall", after=3_000_000)
    process = start(environment)
    wait_for_bytes(cache, 3_000_000)
    process.send_signal(signal_)
    output, errors = process.communicate(timeout=10)
    assert process.returncode == code
    assert ("kept" in errors) == (signal_ != signal.SIGKILL)
    assert "Traceback" not in errors
    assert output == ""
    assert not blob(cache).exists()

    server.faults.clear()
    server.requests.clear()
    process = start(environment)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert server.sent == 1_000_000
    assert blob(cache).read_bytes() == CONTENT
    partials = [path.name for path in cache.glob("partial-v1/*") if not path.name.endswith(".lock")]
    assert partials == []


@pytest.mark.slow
def test_concurrent_processes_download_a_file_once(
    server: FaultyServer, environment: dict[str, str], cache: Path
) -> None:
    processes = [start(environment) for _ in range(6)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert server.sent == len(CONTENT)
    assert blob(cache).read_bytes() == CONTENT


def test_failed_download_prints_an_error_and_a_hint_without_a_traceback(
    server: FaultyServer, environment: dict[str, str]
) -> None:
    server.faults["*"] = Fault("page")
    process = start(environment)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 5
    assert output == ""
    answer = json.loads(errors.splitlines()[-1])
    assert answer["message"] == "could not download 1 file of big"
    assert answer["hint"]
    assert answer["exit_code"] == 5
    assert f"{len(CONTENT):,} bytes" in errors
    assert "Traceback" not in errors
