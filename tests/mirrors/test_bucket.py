"""Write mirrors to buckets: fsspec's memory file system and a local S3 server."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dshub import Hub
from dshub.mirrors.checking import read_index, unneeded_files, verify
from dshub.mirrors.destinations import open_destination
from dshub.mirrors.writing import Mirroring, choose
from dshub.progress import Silent

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]


def update(address: str, *names: str, pruned: bool = False) -> list[str]:
    """Update a mirror in this process, and return the datasets it lists."""
    hub = Hub(progress=Silent())
    mirroring = Mirroring(open_destination(address), hub, prune=pruned)
    request = hub.resolve(names, as_published=True)
    return mirroring.run(mirroring.plan(choose(request.named, hub.registry)[0])).listed


def test_bucket_in_memory_is_written_verified_and_pruned(
    lab: "Lab", tmp_path: Path, dshub: Run
) -> None:
    fsspec = pytest.importorskip("fsspec")
    address = "memory://hub/m"
    assert update(address, "lab/mnist") == ["lab/mnist@1.0.0"]
    assert update(address, "lab") == ["lab/kmnist@1.0.0", "lab/letters@1.0.0", "lab/mnist@1.0.0"]
    dshub("mirror", "m", "lab", "--no-pages")
    memory = fsspec.filesystem("memory")
    content = {path.removeprefix("/hub/m/"): memory.cat(path) for path in memory.find("/hub/m")}
    folder = tmp_path / "m"
    assert content == {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "partial-v1" not in path.parts
    }
    place = open_destination(address)
    assert {item.state for item in verify(place)} == {"ok"}
    victim = max((path for path in memory.find("/hub/m/blobs-v1")), key=memory.size)
    memory.pipe(victim, memory.cat(victim)[:-1] + b"?")
    wrong = [item for item in verify(open_destination(address)) if item.state == "damaged"]
    assert [item.name for item in wrong] == [victim.removeprefix("/hub/m/")]
    update(address, "lab")
    assert {item.state for item in verify(open_destination(address))} == {"ok"}
    assert update(address, "lab/mnist", pruned=True) == ["lab/mnist@1.0.0"]
    index = read_index(open_destination(address))
    assert index is not None
    assert unneeded_files(open_destination(address), index) == []


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Start a local S3 server with a bucket, and set its address in the environment."""
    boto = pytest.importorskip("botocore.session")
    pytest.importorskip("s3fs")
    program = Path(sys.executable).with_name("moto_server")
    if not program.exists():
        pytest.skip("moto's server is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    try:
        end = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < end
            time.sleep(0.1)
        boto.get_session().create_client("s3").create_bucket(Bucket="hub")
        yield "s3://hub/m"
    finally:
        server.terminate()
        server.wait()


def test_bucket_is_the_only_source_needed(
    dshub: Run, lab: "Lab", bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = dshub("mirror", bucket, "lab", "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["listed"]) == 3
    again = json.loads(dshub("mirror", bucket, "lab", "--json").stdout)
    assert (again["fetched"], again["changed"]) == (0, False)
    assert dshub("mirror", bucket, "--verify").returncode == 0
    shutil.rmtree(lab.upstream)
    monkeypatch.delenv("DSHUB_REGISTRY")
    client = {"DSHUB_MIRROR": bucket, "DSHUB_CACHE": "theirs"}
    assert "lab/letters" in dshub("list", "--all", **client).stdout
    fetched = dshub("fetch", "lab", "--json", **client)
    assert fetched.returncode == 0, fetched.stderr
    assert {item["source"][:9] for item in json.loads(fetched.stdout)["files"]} <= {
        "s3://hub/",
        "cache",
    }
    assert dshub("verify", "lab", **client).returncode == 0
    none = dshub("mirror", "s3://no-such-bucket/m", "--verify", "--json")
    assert none.returncode != 0
    assert os.environ["AWS_ENDPOINT_URL"]
