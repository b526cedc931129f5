"""A machine that reaches nothing but a mirror, and then nothing at all but its folder.

The client runs in a network namespace of its own, where only the server that was started in it
can be reached: no upstream, no other host, not even the rest of this machine.
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


def apart(*command: str) -> list[str]:
    """A command as it is run in a network namespace of its own."""
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *root, "--net", "--", *command]


@pytest.fixture
def namespace() -> None:
    """Skips where no namespace can be made."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("unshare or ip is not installed")
    probe = subprocess.run(apart("ip", "link", "set", "lo", "up"), check=False, capture_output=True)
    if probe.returncode:
        pytest.skip("no network namespace may be made here")


def free_port() -> int:
    """A port that was free a moment ago; in the namespace they all are."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def nginx(folder: Path, place: Path, port: int) -> list[str]:
    """The command of nginx over a folder."""
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
    """The command of dshub's server over a folder."""
    if "serve" not in plugins.names("cli"):
        pytest.skip("this dshub has no server")
    return [sys.executable, "-m", "dshub", "serve", str(folder), "--port", str(port)]


@pytest.mark.slow
@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("how", ["nginx", "dshub serve", "folder"])
def test_a_mirror_is_all_that_is_needed(
    dshub: Run, lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Listing, searching, info, fetch, load and verify work, and give what upstream gives."""
    assert dshub("mirror", "m", "lab").returncode == 0
    mine = Hub(progress=Silent())
    labels = [int(x) for name in NAMES for x in mine.load(name, "test")["label"]]
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
        apart(sys.executable, "-c", STORY, facts), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert (found["upstream"], found["world"]) == (False, False)
    codes = {name: answer["code"] for name, answer in found.items() if isinstance(answer, dict)}
    assert set(codes.values()) == {0}, found
    listed = [item["name"] for item in json.loads(found["list"]["out"])["datasets"]]
    assert set(NAMES) <= set(listed)
    searched = {item["name"] for item in json.loads(found["search"]["out"])["datasets"]}
    assert {"kmnist", "lab/kmnist"} <= searched
    assert json.loads(found["info"]["out"])["manifest"]["name"] == NAMES[0]
    assert json.loads(found["labels"]["out"]) == labels
    files = json.loads(found["fetch"]["out"])["files"]
    assert files
    assert all(item["source"] == "cache" or str(port) in item["source"] for item in files if server)
    states = {item["state"] for item in json.loads(found["verify"]["out"])["findings"]}
    assert states == {"ok"}


@pytest.mark.usefixtures("namespace")
def test_a_flipped_bit_is_healed_from_the_second_mirror(
    dshub: Run, lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--verify names it, the client notices, and what it loads is right: without any network."""
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

    def alone(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = apart(sys.executable, "-m", "dshub", *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    fetched = alone("fetch", "lab", "--json")
    assert fetched.returncode == 0
    [healed] = [item for item in json.loads(fetched.stdout)["files"] if item["attempts"]]
    assert victim.name in healed["path"]
    assert "second" in healed["source"]
    found = alone("mirror", "m", "--verify")
    assert found.returncode == 5
    assert victim.name in found.stdout
    mended = alone("mirror", "m", "lab")
    assert mended.returncode == 0
    assert alone("mirror", "m", "--verify").returncode == 0
