"""Fetch three datasets with a dead mirror, a slow mirror and a working upstream server."""

import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from dshub.cache.paths import blob_path
from dshub.checksums import Digest
from dshub.testing.answers import Fault
from dshub.testing.server import faulty_server
from tests.manifests import label_split, make_manifest, make_resource, save_manifest

ROWS = 1_000_000
NAMES = ("one", "two", "three")


def write(upstream: Path, mirror: Path) -> dict[str, bytes]:
    """Write each dataset's file to the upstream folder and to the mirror."""
    files = {}
    for number, name in enumerate(NAMES):
        labels = bytes([number]) * ROWS
        files[name] = struct.pack(">2xBBI", 8, 1, ROWS) + labels
        upstream.mkdir(exist_ok=True)
        (upstream / f"{name}.idx").write_bytes(files[name])
        blob = mirror / blob_path(Digest.of_bytes(files[name]))
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(files[name])
    return files


def fetch(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run `dshub fetch` in a subprocess."""
    command = [sys.executable, "-m", "dshub", "fetch", *NAMES, *options]
    return subprocess.run(
        command, env={**os.environ, **environment}, check=False, capture_output=True, text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("as_json", [False, True])
def test_fetch_succeeds_despite_dead_and_slow_mirrors(*, as_json: bool, tmp_path: Path) -> None:
    files = write(tmp_path / "upstream", tmp_path / "mirror")
    with (
        socket.socket() as unserved,
        faulty_server(tmp_path / "mirror", {"*": Fault("plain", rate=30_000)}) as slow,
        faulty_server(tmp_path / "upstream") as good,
    ):
        unserved.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{unserved.getsockname()[1]}"
        for name, data in files.items():
            resources = {"labels": make_resource(data, f"{good.url}/{name}.idx")}
            manifest = make_manifest(resources, name=name, splits={"train": label_split(ROWS)})
            save_manifest(manifest, tmp_path / "registry")
        environment = {
            "DSHUB_REGISTRY": str(tmp_path / "registry"),
            "DSHUB_MIRROR": f"http://{dead} {slow.url}",
            "DSHUB_TIMEOUT": "2",
        }
        done = fetch(environment, *(["--json"] if as_json else []))
        slow_host = slow.url.removeprefix("http://")
        upstream_host = good.url.removeprefix("http://")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    if as_json:
        files = json.loads(done.stdout)["files"]
        assert all(upstream_host in item["source"] for item in files)
        attempts = [attempt for item in files for attempt in item["attempts"]]
        assert any(dead in attempt and "cannot connect" in attempt for attempt in attempts)
        assert any(slow_host in attempt and "slow" in attempt for attempt in attempts)
    else:
        assert f"fetched and verified 3 files from {upstream_host}" in done.stdout
        assert f"{dead} failed: cannot connect" in done.stdout
        assert f"{slow_host} failed: slow" in done.stdout
        assert f"{slow_host} is slow" in done.stderr
