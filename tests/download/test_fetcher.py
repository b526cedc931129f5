"""Test the order of sources, and the results and errors of a fetch."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from dshub.cache.partial import Partial
from dshub.cache.store import Store
from dshub.catalog.manifest import Resource
from dshub.checksums import Digest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.errors import DiskFullError, FetchError, ManualStepError, OfflineError
from dshub.mirrors.serve.server import serving
from dshub.progress import Silent
from dshub.testing.answers import Fault
from dshub.testing.server import faulty_server

MakeJob = Callable[..., Job]


def append(partial: Partial, data: bytes) -> None:
    """Append bytes to a partial download."""
    span = partial.claim(None)
    assert span is not None
    partial.write(span, memoryview(data))
    partial.release(span)


@pytest.fixture
def closed_port() -> str:
    """Return a URL that refuses connections."""
    with socket.socket() as unused_socket:
        unused_socket.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused_socket.getsockname()[1]}"


def test_mirror_without_the_file_is_skipped(
    tmp_path: Path, upstream: Path, store: Store, job: MakeJob
) -> None:
    """A 404 or a missing folder leads to the next source."""
    with serving(tmp_path / "home") as empty, serving(upstream) as origin:
        mirrors = [empty, str(tmp_path / "nowhere")]
        [fetched] = Fetcher(store, mirrors=mirrors).fetch([job(f"{origin}/data.bin")])
        assert fetched.source == f"{origin}/data.bin"


def test_mirror_with_wrong_bytes_is_skipped(
    upstream: Path, store: Store, job: MakeJob, content: bytes
) -> None:
    with (
        faulty_server(upstream, {"*": Fault("flip", after=5)}) as wrong_mirror,
        faulty_server(upstream) as origin,
    ):
        fetcher = Fetcher(store, mirrors=[wrong_mirror.url])
        [fetched] = fetcher.fetch([job(f"{origin.url}/data.bin")])
        assert wrong_mirror.sent + origin.sent <= 3 * len(content)
    assert fetched.path.read_bytes() == content


def test_cached_file_makes_no_request(upstream: Path, store: Store, job: MakeJob) -> None:
    with faulty_server(upstream) as server:
        data_job = job(f"{server.url}/data.bin")
        Fetcher(store).fetch([data_job])
        before = len(server.requests)
        [second] = Fetcher(store).fetch([data_job])
        assert len(server.requests) == before
    assert second.source == "cache"


def test_error_names_every_file_and_source(closed_port: str, store: Store) -> None:
    jobs = [
        Job("set", name, Resource(urls=(f"{closed_port}/a", f"{closed_port}/b"), sha256=c * 64))
        for name, c in (("images", "a"), ("labels", "b"))
    ]
    with pytest.raises(FetchError) as caught:
        Fetcher(store, timeout=1).fetch(jobs)
    text = str(caught.value)
    assert all(
        part in text for part in ("images", "labels", f"{closed_port}/a", f"{closed_port}/b")
    )
    assert "2 files of set" in text
    assert "dshub import set" in caught.value.hint
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("offline", [True, False])
def test_error_names_the_dataset_of_each_file(
    closed_port: str, store: Store, offline: bool
) -> None:
    """Datasets can have files of the same name."""
    jobs = []
    for dataset in ("glue/rte", "glue/cola"):
        digest = Digest.of_bytes(dataset.encode())
        urls = (f"{closed_port}/{dataset}.zip",)
        jobs.append(Job(dataset, "archive", Resource(urls=urls, sha256=digest.hex, size=9)))
    with pytest.raises(FetchError) as caught:
        Fetcher(store, timeout=1, offline=offline).fetch(jobs)
    for dataset in ("glue/rte", "glue/cola"):
        assert f"\n  {dataset}: archive (9 B)" in str(caught.value)
    assert "glue/cola, glue/rte" in str(caught.value)
    assert "`dshub import NAME FOLDER`" in caught.value.hint


def test_other_files_are_kept_if_one_fails(upstream: Path, store: Store, job: MakeJob) -> None:
    with serving(upstream) as url:
        good = job(f"{url}/data.bin")
        bad = Job("tiny", "other", Resource(urls=(f"{url}/gone",), sha256="a" * 64))
        fetcher = Fetcher(store)
        with pytest.raises(FetchError, match="1 file of tiny"):
            fetcher.fetch([bad, good])
    assert fetcher.store.file(good.resource) is not None


def test_offline_makes_no_connection(
    upstream: Path, store: Store, job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders are read offline too."""
    data_job = job("http://127.0.0.1:9/data.bin")
    monkeypatch.setattr(socket, "socket", None)
    with pytest.raises(OfflineError, match=r"data \(3\.0 MB\)") as caught:
        Fetcher(store, offline=True).fetch([data_job])
    assert caught.value.exit_code == 6
    nowhere = str(upstream / "nowhere")
    with pytest.raises(OfflineError, match=f"or the mirror {nowhere}, which does not exist, and"):
        Fetcher(store, offline=True, mirrors=[nowhere]).fetch([data_job])
    [fetched] = Fetcher(store, offline=True, mirrors=[str(upstream)]).fetch([data_job])
    assert fetched.source.startswith(str(upstream))


def test_manual_files_show_instructions(store: Store) -> None:
    resource = Resource(
        filename="a.tar", sha256="a" * 64, access="manual", instructions="ask at the desk"
    )
    with pytest.raises(ManualStepError, match="ask at the desk") as caught:
        Fetcher(store).fetch([Job("gated", "archive", resource)])
    assert "dshub import gated" in caught.value.hint
    assert caught.value.exit_code == 7


def test_mirror_can_deliver_manual_files(
    upstream: Path, store: Store, job: MakeJob, tmp_path: Path
) -> None:
    resource = replace(job().resource, access="manual", instructions="ask at the desk")
    data_job = Job("gated", "archive", resource)
    with serving(tmp_path / "home") as empty, pytest.raises(ManualStepError, match="ask at"):
        Fetcher(store, mirrors=[empty]).fetch([data_job])
    with serving(upstream) as mirror:
        [fetched] = Fetcher(store, mirrors=[mirror]).fetch([data_job])
        assert fetched.source.startswith(mirror)


def test_dead_host_is_tried_once(
    upstream: Path, closed_port: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(
        "dshub.download.session.Session.wait",
        lambda _, seconds=0: waits.append(seconds) if seconds else None,
    )
    with serving(upstream) as url:
        jobs = []
        for i in range(20):
            (upstream / f"{i}").write_bytes(b"%d" % i)
            urls = (f"{closed_port}/{i}", f"{url}/{i}")
            resource = Resource(urls=urls, sha256=Digest.of_bytes(b"%d" % i).hex)
            jobs.append(Job("many", f"part-{i}", resource))
        fetched = Fetcher(store, jobs=1).fetch(jobs)
    assert [item.path.read_bytes() for item in fetched] == [b"%d" % i for i in range(20)]
    assert len(waits) == 1


def test_space_is_checked_before_the_first_byte(
    upstream: Path, store: Store, job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "free", lambda _: 1000)
    with faulty_server(upstream) as server:
        with pytest.raises(DiskFullError, match=r"3\.0 MB") as caught:
            Fetcher(store).fetch([job(f"{server.url}/data.bin")])
        assert server.requests == []
    assert caught.value.exit_code == 8


def test_partial_file_needs_space_for_its_missing_bytes(
    upstream: Path, store: Store, job: MakeJob, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the missing bytes of an interrupted download need space."""
    with faulty_server(upstream) as server:
        data_job = job(f"{server.url}/data.bin")
        with store.partial(data_job.resource.digest) as partial:
            append(partial, content[:-1000])
        monkeypatch.setattr(Store, "free", lambda _: 1000)
        [fetched] = Fetcher(store).fetch([data_job])
        assert server.sent == 1000
    assert fetched.path.read_bytes() == content


def test_broken_lock_still_gives_the_right_file(
    upstream: Path, store: Store, job: MakeJob, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BrokenLock:
        def __init__(self, *_: object, **__: object) -> None: ...
        def acquire(self, **_: object) -> None: ...
        def release(self) -> None: ...

    monkeypatch.setattr("filelock.FileLock", BrokenLock)
    flip, cut = Fault("flip", after=1_000_000), Fault("cut", times=2, after=1_500_000)
    with (
        faulty_server(upstream, {"*": flip}) as wrong_mirror,
        faulty_server(upstream, {"*": cut}) as server,
    ):
        data_job = job(f"{server.url}/data.bin")

        def fetch_content(mirrors: list[str]) -> bytes:
            return Fetcher(store, mirrors=mirrors).fetch([data_job])[0].path.read_bytes()

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(fetch_content, [[wrong_mirror.url], []] * 4))
    assert all(result == content for result in results)
    target = store.file(data_job.resource)
    assert target is not None
    assert target.read_bytes() == content


def test_long_retry_after_is_an_error(upstream: Path, store: Store, job: MakeJob) -> None:
    busy = Fault("status", status=503, headers=(("Retry-After", "86400"),))
    with faulty_server(upstream, {"*": busy}) as server:
        with pytest.raises(FetchError, match=r"503.*retry after 86,400 s"):
            Fetcher(store).fetch([job(f"{server.url}/data.bin")])
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("places", "message"),
    [((5, 5), "2 sources send the same bytes"), ((5, 9), "different bytes")],
)
def test_wrong_bytes_of_sources_are_compared(
    places: tuple[int, int], message: str, upstream: Path, store: Store, job: MakeJob
) -> None:
    with (
        faulty_server(upstream, {"*": Fault("flip", after=places[0])}) as one,
        faulty_server(upstream, {"*": Fault("flip", after=places[1])}) as other,
        pytest.raises(FetchError) as caught,
    ):
        Fetcher(store).fetch([job(f"{one.url}/data.bin", f"{other.url}/data.bin")])
    assert message in caught.value.hint
    assert ("newer version of the dataset" in caught.value.hint) == (places[0] == places[1])


def test_progress_shows_file_source_and_files_done(
    upstream: Path, store: Store, job: MakeJob
) -> None:
    class Steps(Silent):
        def __init__(self) -> None:
            self.steps = list[str]()

        def show(self, text: str) -> None:
            self.steps.append(text)

    (upstream / "more.bin").write_bytes(b"more")
    more = Resource(urls=(str(upstream / "more.bin"),), sha256=Digest.of_bytes(b"more").hex, size=4)
    progress = Steps()
    with serving(upstream) as origin:
        jobs = [job(f"{origin}/data.bin"), Job("tiny", "more", more)]
        Fetcher(store, jobs=1, progress=progress).fetch(jobs)
    server = origin.removeprefix("http://")
    assert progress.steps == [f"0/2 data from {server}", f"1/2 more from {upstream / 'more.bin'}"]
