"""Test `dshub serve` as a subprocess: output, responses and shutdown."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.independent.wire import ask, connect, parse, request, rest

Run = Callable[..., subprocess.CompletedProcess[str]]


class Serving:
    """A running `dshub serve` that has printed its start line."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dshub", "serve", "--port", "0", "--json", *arguments],
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.start: dict[str, Any] = json.loads(line)
        self.url: str = self.start["mirror"]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Stop the server and return its exit code and standard error."""
        self.process.send_signal(number)
        _, stderr = self.process.communicate(timeout=60)
        assert "Traceback" not in stderr
        return self.process.returncode, stderr


Serve = Callable[..., Serving]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that starts servers, which are killed after the test."""
    started: list[Serving] = []

    def start(*arguments: str, **variables: str) -> Serving:
        started.append(Serving(*arguments, **variables))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
            server.process.communicate()


def files_by_path(cache: Path) -> dict[str, bytes]:
    """Return the files of a cache by their URL path."""
    files = [path for path in (cache / "blobs-v1").rglob("*") if path.is_file()]
    return {f"/{path.relative_to(cache).as_posix()}": path.read_bytes() for path in files}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_cache_is_served_until_a_signal(
    dshub: Run, registry: Path, serve: Serve, cache: Path, number: int
) -> None:
    del registry
    assert dshub("fetch", "tiny/one").returncode == 0
    server = serve()
    assert server.start["schema"] == 1
    assert server.start["folder"] == str(cache)
    assert server.start["addresses"] == [server.url]
    assert server.url.startswith("http://127.0.0.1:")
    files = files_by_path(cache)
    assert len(files) == 2
    for path, content in files.items():
        assert ask(server.url, path).body == content
    assert ask(server.url, "/CACHEDIR.TAG").status == 404
    code, stderr = server.end(number)
    assert code == 0
    assert "stopped" in stderr
    with pytest.raises(OSError, match=r"."):
        connect(server.url)


def test_another_machine_fetches_without_upstream(
    dshub: Run, registry: Path, upstream: Path, serve: Serve, tmp_path: Path
) -> None:
    del registry
    assert dshub("fetch", "tiny").returncode == 0
    for path in upstream.iterdir():
        path.unlink()
    server = serve()
    client = {"DSHUB_CACHE": str(tmp_path / "other"), "DSHUB_MIRROR": server.url}
    done = dshub("fetch", "tiny", **client)
    assert done.returncode == 0, done.stderr
    assert server.url.removeprefix("http://") in done.stdout


def test_missing_files_are_fetched_from_sources(
    dshub: Run, registry: Path, upstream: Path, serve: Serve, tmp_path: Path
) -> None:
    del registry
    folder = tmp_path / "lab"
    server = serve(str(folder), "--upstream", "sources", DSHUB_MIRROR="http://127.0.0.1:9")
    first = {"DSHUB_CACHE": str(tmp_path / "first"), "DSHUB_MIRROR": server.url}
    fetched = json.loads(dshub("fetch", "tiny", "--json", **first).stdout)
    assert {item["source"].startswith(server.url) for item in fetched["files"]} == {True}
    for path in upstream.iterdir():
        path.unlink()
    second = {"DSHUB_CACHE": str(tmp_path / "second"), "DSHUB_MIRROR": server.url}
    assert dshub("fetch", "tiny", **second).returncode == 0
    assert len(files_by_path(folder)) == 3
    _, stderr = server.end()
    assert stderr.count("tiny/one") + stderr.count("tiny/two") == 3


def test_server_fetches_from_another_server(
    dshub: Run, registry: Path, upstream: Path, serve: Serve, tmp_path: Path
) -> None:
    del registry
    assert dshub("fetch", "tiny/one").returncode == 0
    for path in upstream.iterdir():
        path.unlink()
    server = serve(str(tmp_path / "lab"), "--upstream", serve().url)
    client = {"DSHUB_CACHE": str(tmp_path / "client"), "DSHUB_MIRROR": server.url}
    assert dshub("fetch", "tiny/one", **client).returncode == 0


def test_offline_server_fetches_nothing(
    registry: Path, serve: Serve, tmp_path: Path, upstream: Path
) -> None:
    del registry
    server = serve(str(tmp_path / "lab"), "--upstream", "sources", DSHUB_OFFLINE="1")
    assert ask(server.url, "/blobs-v1/aa/" + "a" * 64).status == 404
    digest = hashlib.sha256((upstream / "images.idx").read_bytes()).hexdigest()
    reply = ask(server.url, f"/blobs-v1/{digest[:2]}/{digest}")
    assert reply.status == 404
    assert b"DSHUB_OFFLINE" in reply.body


def test_verbose_logs_each_request(registry: Path, serve: Serve, cache: Path) -> None:
    (cache / "registry" / "a").mkdir(parents=True)
    (cache / "registry" / "a" / "1.0.0.toml").write_text("schema = 1")
    loud, quiet = serve("-v"), serve()
    for server in (loud, quiet):
        ask(server.url, "/registry/a/1.0.0.toml?x=1", Range="bytes=0-2")
        ask(server.url, "/no", "HEAD")
    _, stderr = loud.end()
    assert "127.0.0.1 GET /registry/a/1.0.0.toml?x=… 206 3 B" in stderr
    assert "127.0.0.1 HEAD /no 404 0 B" in stderr
    assert "registry" not in quiet.end()[1]


def test_all_addresses_are_printed(serve: Serve, cache: Path) -> None:
    cache.mkdir()
    (cache / "index.json").write_text("{}")
    server = serve("--host", "0.0.0.0")
    port = server.url.rpartition(":")[2]
    assert server.start["addresses"][0] == f"http://127.0.0.1:{port}"
    assert server.url in server.start["addresses"]
    assert "0.0.0.0" not in "".join(server.start["addresses"])
    assert ask(server.start["addresses"][0], "/index.json").body == b"{}"


def test_start_prints_the_address_and_the_setting(cache: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "dshub", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    mirror = process.stdout.readline().strip()
    process.terminate()
    process.communicate(timeout=60)
    assert address.startswith("http://127.0.0.1:")
    assert mirror == f"DSHUB_MIRROR={address}"


def test_response_in_progress_is_finished_on_sigterm(serve: Serve, cache: Path) -> None:
    path = cache / "tables-v1" / "large" / "0" / "train.arrow"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(64 << 20))
    server = serve()
    with connect(server.url) as client:
        client.sendall(request("/tables-v1/large/0/train.arrow"))
        first = client.recv(1 << 16)
        server.process.terminate()
        reply = parse(first + rest(client))
    assert len(reply.body) == 64 << 20
    assert server.end()[0] == 0


def test_start_errors_are_explained(dshub: Run, tmp_path: Path) -> None:
    done = dshub("serve", str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "nowhere" in done.stderr
    done = dshub("serve", "--upstream", "source")
    assert done.returncode == 1
    assert "'sources'" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as used_port:
        port = used_port.getsockname()[1]
        done = dshub("serve", "--port", str(port))
        assert done.returncode == 1
        assert f"port {port}" in done.stderr
        assert "--port 0" in done.stderr
    assert dshub("serve", "--host", "192.0.2.77").returncode == 1
    assert dshub("serve", "--port", "70000").returncode == 2


def test_folder_without_a_mirror_is_served_with_a_warning(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    server = serve(str(folder))
    assert ask(server.url, "/index.json").status == 404
    assert "does not contain a mirror" in server.end()[1]
    (folder / "blobs-v1").mkdir()
    assert "does not contain a mirror" not in serve(str(folder)).end()[1]


def test_bucket_linked_outside_the_cache_is_a_warning(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "m").mkdir()
    link = tmp_path / "m" / "blobs-v1"
    link.symlink_to(tmp_path / "disk", target_is_directory=True)
    stderr = serve(str(tmp_path / "m")).end()[1]
    assert str(link) in stderr
    assert "its files are not served" in stderr
