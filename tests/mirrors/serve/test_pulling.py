import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from dshub import Registry, Settings
from dshub.cache.store import Store
from dshub.cache.usage import usage
from dshub.catalog.manifest import Manifest, Resource
from dshub.catalog.parsing import read
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.mirrors.serve.pulling import Puller
from dshub.mirrors.serve.routes import of_mirror
from dshub.mirrors.serve.server import serving
from dshub.testing.answers import Fault
from dshub.testing.server import faulty_server
from tests.download.scenarios import SCENARIOS
from tests.download.stage import Scenario, play, write_files
from tests.independent.wire import ask, connect, parse, request, rest, say

MANIFEST = """
schema = 1
name = "tiny"
version = "1.0.0"
title = "Tiny"
summary = "One file."
task = "none"
homepage = "https://data.example"

[resources.data]
urls = {urls}
sha256 = "{sha256}"
{size}

[features.label]
kind = "label"
names = ["a"]

[splits.train]
rows = 1
reader = {{ format = "idx" }}
files = {{ label = "data" }}
"""


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a folder with the published file, under its name and as a blob."""
    folder = tmp_path_factory.mktemp("upstream")
    [data] = write_files(folder).values()
    blob = folder / path_of(data)[1:]
    blob.parent.mkdir(parents=True)
    blob.write_bytes(data)
    return folder


@pytest.fixture
def data(upstream: Path) -> bytes:
    return (upstream / "data-0.gz").read_bytes()


def path_of(data: bytes) -> str:
    """Return the URL path of a file on a mirror."""
    digest = hashlib.sha256(data).hexdigest()
    return f"/blobs-v1/{digest[:2]}/{digest}"


def manifest_of(data: bytes, urls: Sequence[str], place: Path, *, sized: bool = True) -> Manifest:
    sha256 = hashlib.sha256(data).hexdigest()
    size = f"size = {len(data)}" if sized else ""
    path = place / "manifest.toml"
    path.write_text(MANIFEST.format(urls=list(urls), sha256=sha256, size=size))
    return read(path)


@contextmanager
def pulling(
    place: Path,
    *manifests: Manifest,
    mirrors: Sequence[str] = (),
    timeout: float = 5.0,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[str]:
    """Serve an empty cache and yield its URL."""
    settings = Settings(cache=place / "served", mirrors=tuple(mirrors), timeout=timeout)
    registry = Registry(manifests=manifests, built_in=False)
    puller = Puller(Store(settings.cache), registry, settings, say=say)
    with serving(settings.cache, public=of_mirror, puller=puller) as url:
        yield url


def cached_blobs(place: Path) -> list[Path]:
    return [path for path in (place / "served" / "blobs-v1").rglob("*") if path.is_file()]


def test_missing_file_is_fetched_and_cached(tmp_path: Path, upstream: Path, data: bytes) -> None:
    path, messages = path_of(data), list[str]()
    with faulty_server(upstream) as origin:
        manifest = manifest_of(data, [f"{origin.url}/data-0.gz"], tmp_path)
        with pulling(tmp_path, manifest, say=messages.append) as url:
            first = ask(url, path)
            assert (first.status, first.body) == (200, data)
            assert first.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
            assert ask(url, path, Range="bytes=5-9").body == data[5:10]
        assert len(origin.requests) == 1
    assert [path.read_bytes() for path in cached_blobs(tmp_path)] == [data]
    assert ["tiny" in line for line in messages] == [True]


def test_fifty_clients_cause_one_upstream_request(
    tmp_path: Path, upstream: Path, data: bytes
) -> None:
    """Clients that connect late get the file from its beginning."""
    path = path_of(data)
    fault = Fault("plain", rate=4_000_000, headers=(("Accept-Ranges", ""),))
    with faulty_server(upstream, {"*": fault}) as origin:
        manifest = manifest_of(data, [f"{origin.url}/data-0.gz"], tmp_path)
        with pulling(tmp_path, manifest) as url, ThreadPoolExecutor(50) as pool:
            early = [pool.submit(ask, url, path) for _ in range(25)]
            with connect(url) as first:
                first.sendall(request(path))
                first_bytes = first.recv(1000)
                assert first_bytes
                assert origin.sent < len(data)  # the response starts before the download completes
                late = [pool.submit(ask, url, path) for _ in range(24)]
                assert parse(first_bytes + rest(first)).body == data
            for future in early + late:
                assert future.result().body == data
        assert len(origin.requests) == 1
        assert origin.sent == len(data)


def test_range_is_sent_when_its_bytes_have_arrived(
    tmp_path: Path, upstream: Path, data: bytes
) -> None:
    path, size = path_of(data), len(data)
    fault = Fault("plain", rate=4_000_000)
    parts = ["0-0", "1000000-1000999", "-100", "1999999-", f"{size - 1}-{size - 1}"]
    with faulty_server(upstream, {"*": fault}) as origin:
        manifest = manifest_of(data, [f"{origin.url}/data-0.gz"], tmp_path)
        with pulling(tmp_path, manifest) as url, ThreadPoolExecutor(8) as pool:
            replies = [pool.submit(ask, url, path, Range=f"bytes={part}") for part in parts]
            expected = [data[:1], data[1_000_000:1_001_000], data[-100:], data[1_999_999:]]
            for future, content in zip(replies, [*expected, data[-1:]], strict=True):
                reply = future.result()
                assert (reply.status, reply.body) == (206, content)
            assert ask(url, path, Range=f"bytes={size}-").status == 416
            head = ask(url, path, "HEAD")
            assert (head.headers["content-length"], head.body) == (str(size), b"")


def test_wrong_bytes_are_cut_off_and_not_cached(
    tmp_path: Path, upstream: Path, data: bytes
) -> None:
    path = path_of(data)
    fault = Fault("flip", after=len(data) - 10, rate=4_000_000, headers=(("Accept-Ranges", ""),))
    with faulty_server(upstream, {"*": fault}) as origin:
        manifest = manifest_of(data, [f"{origin.url}/data-0.gz"], tmp_path)
        with pulling(tmp_path, manifest) as url, ThreadPoolExecutor(20) as pool:
            replies = list(pool.map(lambda _: ask(url, path), range(20)))
            assert all(reply.status >= 400 or reply.short for reply in replies)
            assert any(reply.status == 200 for reply in replies)
            while (after := ask(url, path)).status == 200:  # the server tries once more
                assert after.short
            assert after.status == 502
            assert b"sha256" in after.body
    assert cached_blobs(tmp_path) == []


def test_bytes_of_two_sources_are_never_mixed(tmp_path: Path, upstream: Path, data: bytes) -> None:
    """A client that received bytes from the wrong source is disconnected."""
    path = path_of(data)
    slow = Fault("other", rate=4_000_000)
    with faulty_server(upstream, {"*": slow}) as bad, faulty_server(upstream) as good:
        urls = [f"{server.url}/data-0.gz" for server in (bad, good)]
        with pulling(tmp_path, manifest_of(data, urls, tmp_path)) as url:
            assert ask(url, path).short
            assert ask(url, path).body == data
    assert [path.read_bytes() for path in cached_blobs(tmp_path)] == [data]


def test_file_without_a_manifest_is_fetched_from_mirrors(
    tmp_path: Path, upstream: Path, data: bytes
) -> None:
    """The size is unknown, so the server ends the response by closing the connection."""
    path = path_of(data)
    slow = Fault("plain", rate=4_000_000)
    with (
        faulty_server(upstream, {"*": slow}) as origin,
        pulling(tmp_path, mirrors=[origin.url]) as url,
    ):
        reply = ask(url, path)
        assert reply.headers["connection"] == "close"
        assert "content-length" not in reply.headers
        assert reply.body == data
        assert ask(url, path).body == data
        assert [request.path for request in origin.requests] == [path]


def test_wrong_bytes_of_unknown_size_reset_the_connection(
    tmp_path: Path, upstream: Path, data: bytes
) -> None:
    wrong = Fault("other", rate=4_000_000)
    with (
        faulty_server(upstream, {"*": wrong}) as origin,
        pulling(tmp_path, mirrors=[origin.url]) as url,
        pytest.raises(ConnectionResetError),
    ):
        ask(url, path_of(data))
    assert cached_blobs(tmp_path) == []


def test_http_1_0_client_gets_a_file_of_unknown_size(
    tmp_path: Path, upstream: Path, data: bytes
) -> None:
    slow = Fault("plain", rate=4_000_000)
    with (
        faulty_server(upstream, {"*": slow}) as origin,
        pulling(tmp_path, mirrors=[origin.url]) as url,
    ):
        reply = say(url, f"GET {path_of(data)} HTTP/1.0\r\n\r\n".encode())
    assert reply.body == data


def test_file_without_a_source_is_404(tmp_path: Path, upstream: Path, data: bytes) -> None:
    other = path_of(b"other")
    with faulty_server(upstream) as origin:
        manifest = manifest_of(b"other", [f"{origin.url}/gone"], tmp_path)
        with pulling(tmp_path, manifest) as url:
            assert (
                ask(url, path_of(data)).status == 404
            )  # neither a manifest nor a mirror has this file
            assert not origin.requests
            assert [ask(url, other).status for _ in range(3)] == [404] * 3
            assert len(origin.requests) == 1
            assert ask(url, "/blobs-v1/aa/notes").status == 404
            assert ask(url, "/index.json").status == 404


def test_unreachable_upstream_is_502(tmp_path: Path, data: bytes) -> None:
    manifest = manifest_of(data, ["http://127.0.0.1:9/data"], tmp_path)
    with pulling(tmp_path, manifest, timeout=1.0) as url:
        reply = ask(url, path_of(data))
    assert reply.status == 502
    assert b"127.0.0.1:9" in reply.body


def test_fetch_continues_when_a_client_leaves(tmp_path: Path, upstream: Path, data: bytes) -> None:
    path = path_of(data)
    with faulty_server(upstream, {"*": Fault("plain", rate=4_000_000)}) as origin:
        manifest = manifest_of(data, [f"{origin.url}/data-0.gz"], tmp_path)
        with pulling(tmp_path, manifest) as url, ThreadPoolExecutor(1) as pool:
            with connect(url) as leaving:
                leaving.sendall(request(path))
                leaving.recv(1000)
                staying = pool.submit(ask, url, path)
            assert staying.result().body == data
            assert ask(url, path).body == data


def test_interrupted_fetch_is_resumed(tmp_path: Path, upstream: Path, data: bytes) -> None:
    """Partial files are kept but not served."""
    path = path_of(data)
    with faulty_server(upstream, {"*": Fault("plain", rate=1_000_000)}) as origin:
        manifest = manifest_of(data, [f"{origin.url}/data-0.gz"], tmp_path)
        with pulling(tmp_path, manifest) as url:
            client = connect(url)
            client.sendall(request(path))
            first_bytes = b""
            while len(first_bytes) < 1_000_000:
                first_bytes += client.recv(1 << 16)
            client.close()
        assert cached_blobs(tmp_path) == []
        origin.faults.clear()
        before = origin.sent
        with pulling(tmp_path, manifest) as url:
            assert ask(url, path).body == data
        assert origin.sent - before < len(data) - 900_000


def test_file_being_fetched_by_another_process_is_served(
    tmp_path: Path, upstream: Path, data: bytes
) -> None:
    resource = Resource(urls=(), sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    with faulty_server(upstream, {"*": Fault("plain", rate=2_000_000)}) as origin:
        manifest = manifest_of(data, [f"{origin.url}/data-0.gz"], tmp_path)
        fetcher = Fetcher(Store(tmp_path / "served"), mirrors=[origin.url])
        with pulling(tmp_path, manifest) as url:
            other = threading.Thread(target=fetcher.fetch, args=([Job("t", "data", resource)],))
            other.start()
            assert ask(url, path_of(data)).body == data
            other.join()


def test_served_file_counts_as_used(tmp_path: Path, upstream: Path, data: bytes) -> None:
    with faulty_server(upstream) as origin:
        manifest = manifest_of(data, [f"{origin.url}/data-0.gz"], tmp_path)
        with pulling(tmp_path, manifest) as url:
            ask(url, path_of(data))
            [path] = cached_blobs(tmp_path)
            os.utime(path, (1e9, 1e9))
            ask(url, path_of(data))
            [item] = usage(tmp_path / "served")
            assert item.used > 1.5e9
            assert path.stat().st_mtime == 1e9


def test_fetcher_downloads_from_the_server(tmp_path: Path, upstream: Path, data: bytes) -> None:
    resource = Resource(urls=(), sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    with faulty_server(upstream, {"*": Fault("plain", rate=2_000_000)}) as origin:
        manifest = manifest_of(data, [f"{origin.url}/data-0.gz"], tmp_path)
        with pulling(tmp_path, manifest) as url:
            fetcher = Fetcher(Store(tmp_path / "client"), mirrors=[url])
            [fetched] = fetcher.fetch([Job("tiny", "data", resource)])
        assert len(origin.requests) == 1
    assert fetched.path.read_bytes() == data
    assert fetched.attempts == ()


@pytest.mark.slow
def test_upstream_faults_never_look_like_the_file(
    tmp_path: Path, upstream: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dshub.download.download._delay", lambda *_: 0.001)
    scenarios = [
        item for item in SCENARIOS if item.place == "http" and not (item.login or item.patient)
    ]
    assert len(scenarios) > 100
    with ThreadPoolExecutor(24) as pool:
        outcomes = pool.map(lambda item: failure_of(item, upstream, tmp_path, data), scenarios)
        assert [outcome for outcome in outcomes if outcome] == []


def failure_of(scenario: Scenario, upstream: Path, place: Path, data: bytes) -> str:
    """Play a scenario and describe what went wrong; return an empty string on success."""
    place = place / str(SCENARIOS.index(scenario))
    place.mkdir()
    timeout = (
        1.0 if scenario.outcome == "transient" else 5.0 if scenario.outcome == "valid" else 0.5
    )
    with play(scenario, upstream) as stage:
        if stage.authority is not None:  # the server does not trust this certificate authority
            return ""
        manifest = manifest_of(data, [f"{stage.url}/data-0.gz"], place)
        with pulling(place, manifest, timeout=timeout) as url:
            replies = [ask(url, path_of(data))]
            if scenario.outcome != "permanent":  # a disconnected client retries
                replies.append(ask(url, path_of(data)))
    deceived = [reply for reply in replies if reply.status == 200 and not reply.short]
    if any(reply.body != data for reply in deceived):
        return f"{scenario}: wrong bytes in a complete response"
    if any(path.read_bytes() != data for path in cached_blobs(place)):
        return f"{scenario}: wrong bytes were cached"
    if scenario.outcome != "permanent" and replies[-1].body != data:
        return f"{scenario}: {replies[-1].status} {replies[-1].body[:500]!r}, not the file"
    return ""
