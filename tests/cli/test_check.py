"""Test `dshub check`: report faults of manifests and broken links."""

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dshub.testing.answers import Fault
from dshub.testing.server import FaultyServer, faulty_server

Run = Callable[..., subprocess.CompletedProcess[str]]

HEAD = """
schema = 1
name = "own"
version = "1.0.0"
title = "Own"
summary = "Rows."
task = "none"
homepage = "https://data.example"

[features.text]
kind = "text"
"""
CONTENT = b"some bytes\n" * 1000


def split(name: str, reader: str, files: str, steps: str = "") -> str:
    """Format a split as TOML."""
    return f"[splits.{name}]\nrows = 1\nreader = {reader}\nfiles = {files}\n{steps}\n"


def resource(name: str, *urls: str, more: str = "") -> str:
    """Format a resource as TOML."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    return f'[resources.{name}]\nurls = {json.dumps(urls)}\nsha256 = "{sha256}"\n{more}\n'


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Return the path of a manifest that the test writes."""
    return tmp_path / "own.toml"


def test_family_checks_all_members(dshub: Run) -> None:
    names = [
        item["name"] for item in json.loads(dshub("check", "emnist", "--json").stdout)["manifests"]
    ]
    assert len(names) == 6
    assert all(name.startswith("emnist/") for name in names)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultyServer]:
    """Start a server with a few files."""
    folder = tmp_path / "served"
    folder.mkdir()
    for name in ("a", "b", "c", "d", "short"):
        (folder / name).write_bytes(CONTENT[: 5 if name == "short" else None])
    with faulty_server(folder) as running:
        yield running


def check_links(
    dshub: Run, manifest: Path, resources: str
) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Check links and return the exit code, the JSON answer and the links by URL."""
    names = [line[11:-1] for line in resources.splitlines() if line.startswith("[resources.")]
    files = "{ text = [" + ", ".join(f'"{name}"' for name in names) + "] }"
    manifest.write_text(HEAD + resources + split("a", '{ format = "lines" }', files))
    done = dshub("check", str(manifest), "--links", "--json", DSHUB_TIMEOUT="2")
    (answer,) = json.loads(done.stdout)["manifests"]
    assert answer["faults"] == []
    return done.returncode, answer, {link["url"]: link for link in answer["links"]}


def test_every_address_is_reported(
    dshub: Run, manifest: Path, server: FaultyServer, tmp_path: Path
) -> None:
    url, size = server.url, f"size = {len(CONTENT)}"
    with faulty_server(tmp_path / "served") as other:
        server.faults["/b"] = Fault("status", status=302, headers=(("Location", f"{other.url}/b"),))
        text = resource("one", f"{url}/a", f"{url}/gone", more=size)
        text += resource("two", f"{url}/b", more=size)
        text += resource("three", f"{url}/short", "http://127.0.0.1:1/x", more=size)
        text += resource("four", f"{url}/short")
        code, answer, links = check_links(dshub, manifest, text)
        moved = other.url.partition("://")[2]
    assert code == 4
    assert answer["dead"] == ["three"]
    facts = {
        address.rpartition("/")[2]: (link["reachable"], link["status"], link["redirected_to"])
        for address, link in links.items()
    }
    assert facts == {
        "a": (True, 200, None),
        "gone": (False, 404, None),
        "b": (True, 200, moved),
        "short": (True, 200, None),
        "x": (False, None, None),
    }
    assert links[f"{url}/a"]["same_size"] is True
    assert [link["same_size"] for link in answer["links"] if "short" in link["url"]] == [
        False,
        None,
    ]
    assert "cannot connect" in links["http://127.0.0.1:1/x"]["reason"]
    assert server.sent == 0


def test_broken_addresses_are_printed(dshub: Run, manifest: Path, server: FaultyServer) -> None:
    text = HEAD + resource("one", f"{server.url}/a") + resource("two", f"{server.url}/gone")
    manifest.write_text(text + split("a", '{ format = "lines" }', '{ text = ["one", "two"] }'))
    done = dshub("check", str(manifest), "--links")
    assert done.returncode == 4
    lines = {line.split()[2]: line.split() for line in done.stdout.splitlines() if "http" in line}
    assert lines[f"{server.url}/a"][0] == "ok"
    assert lines[f"{server.url}/gone"][0] == "bad"
    assert "404" in lines[f"{server.url}/gone"]
    assert "two: no working URL" in done.stdout
    assert "1 file without a working URL" in done.stderr


def test_server_without_head_gets_a_range_request(
    dshub: Run, manifest: Path, server: FaultyServer
) -> None:
    """The response to a one-byte range request has the size of the file."""
    server.faults["/a"] = Fault("status", status=405, only="HEAD")
    server.faults["/b"] = Fault("plain", headers=(("Content-Length", ""),), only="HEAD")
    size = f"size = {len(CONTENT)}"
    text = resource("one", f"{server.url}/a", more=size)
    code, _, links = check_links(
        dshub, manifest, text + resource("two", f"{server.url}/b", more=size)
    )
    assert code == 0
    assert all(link["same_size"] for link in links.values())
    assert server.sent == 2


def test_busy_server_gets_a_second_request(
    dshub: Run, manifest: Path, server: FaultyServer
) -> None:
    server.faults["/a"] = Fault("status", status=503, times=1)
    server.faults["/b"] = Fault("status", status=503)
    text = "".join(resource(name, f"{server.url}/{name}") for name in "abc")
    code, answer, _ = check_links(dshub, manifest, text)
    assert (code, answer["dead"]) == (4, ["b"])
    assert [request.path for request in server.requests] == ["/a", "/b", "/c", "/a", "/b"]


def test_host_gets_one_request_at_a_time(dshub: Run, manifest: Path, server: FaultyServer) -> None:
    slowly = Fault("drip-head", rate=2000)  # at least 100 bytes, so each head takes 50 ms or more
    server.faults = dict.fromkeys(("/a", "/b", "/c", "/d"), slowly)
    text = "".join(resource(name, f"{server.url}/{name}") for name in "abcd")
    code, answer, _ = check_links(dshub, manifest, text + resource("again", f"{server.url}/a"))
    assert (code, answer["dead"]) == (0, [])
    starts = [request.at for request in server.requests]
    assert len(starts) == 4
    assert min(b - a for a, b in pairwise(starts)) >= 0.05


def test_manual_download_needs_no_address(dshub: Run, manifest: Path, server: FaultyServer) -> None:
    by_hand = 'access = "manual"\ninstructions = "ask"\nfilename = "f"'
    text = resource("one", more=by_hand) + resource("two", f"{server.url}/a")
    assert check_links(dshub, manifest, text)[0] == 0
    text = resource("one", f"{server.url}/gone", more=by_hand)
    assert check_links(dshub, manifest, text)[0] == 4


def test_links_offline_are_an_error(dshub: Run, manifest: Path, server: FaultyServer) -> None:
    text = HEAD + resource("one", f"{server.url}/a")
    manifest.write_text(text + split("a", '{ format = "lines" }', '{ text = "one" }'))
    done = dshub("check", str(manifest), "--links", DSHUB_OFFLINE="1")
    assert done.returncode == 6
    assert "DSHUB_OFFLINE" in done.stderr
    assert dshub("check", str(manifest), DSHUB_OFFLINE="1").returncode == 0
    assert server.requests == []


def test_every_fault_is_reported(dshub: Run, registry: Path) -> None:
    path = registry / "tiny" / "one" / "1.0.0.toml"
    text = path.read_text().replace("rows = 3", "rows = 0").replace('"cat", "dog"', '"cat", "cat"')
    path.write_text(text.replace('format = "idx"', 'format = "idx", speed = 3'))
    done = dshub("check", str(path))
    assert done.returncode == 1
    assert done.stdout.count("line ") == 2
    path.write_text(path.read_text().replace("rows = 0", "rows = 3").replace('cat"]', 'dog"]'))
    assert "speed" in dshub("check", str(path)).stdout
    assert dshub("check").returncode == 1
    assert dshub("check", "tiny/two").returncode == 0
