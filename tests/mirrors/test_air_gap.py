"""Run an air-gapped client that reaches only a mirror, over HTTP or as a folder.

The client runs in its own network namespace together with the server of the mirror. It cannot reach
upstream, other hosts, or the rest of this machine.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dshub import Hub, plugins
from dshub.progress import Silent

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]

NAMES = ["lab/kmnist", "lab/letters", "lab/mnist"]

STORY = """
import json, os, socket, subprocess, sys, time

server, port, upstream, names = json.loads(sys.argv[1])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

def reaches(host, port):
    with socket.socket() as attempt:
        attempt.settimeout(2)
        return attempt.connect_ex((host, port)) == 0

def dshub(*arguments):
    command = [sys.executable, "-m", "dshub", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}

running = subprocess.Popen(server) if server else None
try:
    while running and not reaches("127.0.0.1", port):
        assert running.poll() is None, "the server ended"
        time.sleep(0.05)
    code = (
        "import dshub, sys;"
        "print([int(x) for name in sys.argv[1:] for x in dshub.load(name, 'test')['label']])"
    )
    labels = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True)
    answers = {
        "upstream": reaches("127.0.0.1", upstream),
        "world": reaches("192.0.2.1", 80),
        "list": dshub("list", "--json"),
        "search": dshub("search", "japanese", "--json"),
        "info": dshub("info", names[0], "--json"),
        "labels": {"code": labels.returncode, "out": labels.stdout, "err": labels.stderr},
        "fetch": dshub("fetch", "lab", "--json"),
        "verify": dshub("verify", *names, "--json"),
        "doctor": dshub("doctor", "--json"),
    }
finally:
    if running:
        running.terminate()
        running.wait(10)
print(json.dumps(answers))
"""


def in_namespace(*command: str) -> list[str]:
    """Return the command line that runs a command in its own network namespace."""
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *root, "--net", "--", *command]


@pytest.fixture
def namespace() -> None:
    """Skip the test if network namespaces are not available."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("unshare or ip is not installed")
    probe = subprocess.run(
        in_namespace("ip", "link", "set", "lo", "up"), check=False, capture_output=True
    )
    if probe.returncode:
        pytest.skip("cannot create a network namespace")


def free_port() -> int:
    """Return a free port; every port is free in the new namespace."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def nginx(folder: Path, place: Path, port: int) -> list[str]:
    """Return the command that serves a folder with nginx."""
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    place.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    paths = " ".join(f"{kind}_temp_path {place}/{kind};" for kind in ("client_body", "proxy"))
    (place / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {place}/pid; error_log {place}/log;\n"
        f"events {{}}\nhttp {{ access_log off; {paths}\n"
        f"server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n"
    )
    return ["nginx", "-p", str(place), "-c", str(place / "nginx.conf"), "-e", str(place / "log")]


def own_server(folder: Path, port: int) -> list[str]:
    """Return the command that serves a folder with `dshub serve`."""
    if "serve" not in plugins.names("cli"):
        pytest.skip("`dshub serve` is not installed")
    return [sys.executable, "-m", "dshub", "serve", str(folder), "--port", str(port)]


@pytest.mark.slow
@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("how", ["nginx", "dshub serve", "folder"])
def test_mirror_is_the_only_source_needed(
    dshub: Run, lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    assert dshub("mirror", "m", "lab").returncode == 0
    local_hub = Hub(progress=Silent())
    labels = [int(x) for name in NAMES for x in local_hub.load(name, "test")["label"]]
    upstream = int(next(lab.registry.rglob("*.toml")).read_text().split("127.0.0.1:")[1][:5])
    monkeypatch.delenv("DSHUB_REGISTRY")
    port, folder = free_port(), tmp_path / "m"
    server = {"nginx": lambda: nginx(folder, tmp_path / "nginx", port), "folder": list}.get(
        how, lambda: own_server(folder, port)
    )()
    monkeypatch.setenv("DSHUB_MIRROR", f"http://127.0.0.1:{port}" if server else str(folder))
    monkeypatch.setenv("DSHUB_CACHE", str(tmp_path / "theirs"))
    facts = json.dumps([server, port, upstream, NAMES])
    done = subprocess.run(
        in_namespace(sys.executable, "-c", STORY, facts),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert (answers["upstream"], answers["world"]) == (False, False)
    codes = {name: answer["code"] for name, answer in answers.items() if isinstance(answer, dict)}
    assert set(codes.values()) == {0}, answers
    listed = [item["name"] for item in json.loads(answers["list"]["out"])["datasets"]]
    assert set(NAMES) <= set(listed)
    searched = {item["name"] for item in json.loads(answers["search"]["out"])["datasets"]}
    assert {"kmnist", "lab/kmnist"} <= searched
    assert json.loads(answers["info"]["out"])["manifest"]["name"] == NAMES[0]
    assert json.loads(answers["labels"]["out"]) == labels
    files = json.loads(answers["fetch"]["out"])["files"]
    assert files
    assert all(item["source"] == "cache" or str(port) in item["source"] for item in files if server)
    states = {item["state"] for item in json.loads(answers["verify"]["out"])["findings"]}
    assert states == {"ok"}


@pytest.mark.usefixtures("namespace")
def test_flipped_bit_is_repaired_from_the_second_mirror(
    dshub: Run, lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dshub("mirror", "m", "lab")
    shutil.copytree(tmp_path / "m", tmp_path / "second")
    monkeypatch.delenv("DSHUB_REGISTRY")
    victim = max((tmp_path / "m/blobs-v1").glob("*/*"), key=lambda path: path.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.unlink()
    victim.write_bytes(data)
    monkeypatch.setenv("DSHUB_MIRROR", f"{tmp_path / 'm'} {tmp_path / 'second'}")
    monkeypatch.setenv("DSHUB_CACHE", str(tmp_path / "theirs"))

    def dshub_in_namespace(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = in_namespace(sys.executable, "-m", "dshub", *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    fetched = dshub_in_namespace("fetch", "lab", "--json")
    assert fetched.returncode == 0
    [repaired_file] = [item for item in json.loads(fetched.stdout)["files"] if item["attempts"]]
    assert victim.name in repaired_file["path"]
    assert "second" in repaired_file["source"]
    verified = dshub_in_namespace("mirror", "m", "--verify")
    assert verified.returncode == 5
    assert victim.name in verified.stdout
    repaired = dshub_in_namespace("mirror", "m", "lab")
    assert repaired.returncode == 0
    assert dshub_in_namespace("mirror", "m", "--verify").returncode == 0
