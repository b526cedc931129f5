"""Which sources are asked, in which order, and what is said when none delivers."""

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
from dshub.testing.answers import Fault
from dshub.testing.server import faulty_server

MakeJob = Callable[..., Job]


def put(partial: Partial, data: bytes) -> None:
    """Add bytes behind those that are there."""
    span = partial.claim(None)
    assert span is not None
    partial.write(span, memoryview(data))
    partial.release(span)


@pytest.fixture
def closed_port() -> str:
    """An address where nobody answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"


def test_mirrors_come_first(upstream: Path, store: Store, job: MakeJob) -> None:
    """A mirror that has the file spares upstream; its address follows from the checksum."""
    with faulty_server(upstream) as mirror, faulty_server(upstream) as origin:
        wanted = job(f"{origin.url}/data.bin")
        [fetched] = Fetcher(store, mirrors=[mirror.url]).fetch([wanted])
        assert origin.requests == []
    sha256 = wanted.resource.sha256 or ""
    assert fetched.source == f"{mirror.url}/blobs-v1/{sha256[:2]}/{sha256}"


def test_a_mirror_without_the_file_is_passed_by(
    tmp_path: Path, upstream: Path, store: Store, job: MakeJob
) -> None:
    """404 from a mirror, a missing folder: then the next source."""
    with serving(tmp_path / "home") as empty, serving(upstream) as origin:
        mirrors = [empty, str(tmp_path / "nowhere")]
        [fetched] = Fetcher(store, mirrors=mirrors).fetch([job(f"{origin}/data.bin")])
        assert fetched.source == f"{origin}/data.bin"


def test_a_mirror_that_lies_is_left_for_the_next(
    upstream: Path, store: Store, job: MakeJob, content: bytes
) -> None:
    """Wrong bytes of the right size never get in."""
    with (
        faulty_server(upstream, {"*": Fault("flip", after=5)}) as liar,
        faulty_server(upstream) as origin,
    ):
        fetcher = Fetcher(store, mirrors=[liar.url])
        [fetched] = fetcher.fetch([job(f"{origin.url}/data.bin")])
        assert liar.sent + origin.sent <= 3 * len(content)
    assert fetched.path.read_bytes() == content


@pytest.mark.parametrize("as_url", [True, False])
def test_only_one_source(*, as_url: bool, upstream: Path, store: Store, job: MakeJob) -> None:
    """`only` takes files under their upstream names, from a folder or a server."""
    for blob in upstream.glob("blobs-v1/*/*"):
        blob.unlink()
    with serving(upstream) as url:
        source = url if as_url else str(upstream)
        fetcher = Fetcher(store, only=source)
        [fetched] = fetcher.fetch([job("http://127.0.0.1:9/never")])
        assert fetched.source == f"{source}/data.bin"


def test_a_cached_file_needs_nobody(upstream: Path, store: Store, job: MakeJob) -> None:
    """A hit makes no request."""
    with faulty_server(upstream) as server:
        wanted = job(f"{server.url}/data.bin")
        Fetcher(store).fetch([wanted])
        before = len(server.requests)
        [again] = Fetcher(store).fetch([wanted])
        assert len(server.requests) == before
    assert again.source == "cache"


def test_many_files_at_once(tmp_path: Path, store: Store) -> None:
    """Each file arrives, and the order asked for is kept."""
    folder = tmp_path / "many"
    folder.mkdir()
    with serving(folder) as url:
        jobs = []
        for i in range(40):
            data = f"file {i}".encode() * 1000
            (folder / f"{i}").write_bytes(data)
            sha256 = Digest.of_bytes(data).hex
            resource = Resource(urls=(f"{url}/{i}",), sha256=sha256, size=len(data))
            jobs.append(Job("many", f"part-{i}", resource))
        fetched = Fetcher(store).fetch(jobs)
    assert [item.job.name for item in fetched] == [f"part-{i}" for i in range(40)]
    assert all(
        item.path.read_bytes() == f"file {i}".encode() * 1000 for i, item in enumerate(fetched)
    )


def test_the_error_names_every_file_and_source(closed_port: str, store: Store) -> None:
    """Nobody has to guess what was tried."""
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
    assert "2 of its files" in text
    assert "dshub import set" in caught.value.hint
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("offline", [True, False])
def test_files_of_several_datasets_say_whose_they_are(
    closed_port: str, store: Store, offline: bool
) -> None:
    """Files of one name and size are told apart, and no command names the wrong dataset."""
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


def test_one_file_that_fails_does_not_cost_the_others(
    upstream: Path, store: Store, job: MakeJob
) -> None:
    """What could be had is kept."""
    with serving(upstream) as url:
        good = job(f"{url}/data.bin")
        bad = Job("tiny", "other", Resource(urls=(f"{url}/gone",), sha256="a" * 64))
        fetcher = Fetcher(store)
        with pytest.raises(FetchError, match="1 of its files"):
            fetcher.fetch([bad, good])
    assert fetcher.path(good) is not None


def test_offline_makes_no_connection(
    upstream: Path, store: Store, job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error lists what is missing, and folders may still be read."""
    wanted = job("http://127.0.0.1:9/data.bin")
    monkeypatch.setattr(socket, "socket", None)
    with pytest.raises(OfflineError, match=r"data \(3\.0 MB\)") as caught:
        Fetcher(store, offline=True).fetch([wanted])
    assert caught.value.exit_code == 6
    with pytest.raises(OfflineError):
        Fetcher(store, offline=True, mirrors=[str(upstream / "nowhere")]).fetch([wanted])
    [fetched] = Fetcher(store, offline=True, mirrors=[str(upstream)]).fetch([wanted])
    assert fetched.source.startswith(str(upstream))


def test_files_that_a_person_must_obtain(store: Store) -> None:
    """The instructions are shown, and what to run afterwards."""
    resource = Resource(
        filename="a.tar", sha256="a" * 64, access="manual", instructions="ask at the desk"
    )
    with pytest.raises(ManualStepError, match="ask at the desk") as caught:
        Fetcher(store).fetch([Job("gated", "archive", resource)])
    assert "dshub import gated" in caught.value.hint
    assert caught.value.exit_code == 7


def test_a_mirror_may_have_what_a_person_would_have_to_obtain(
    upstream: Path, store: Store, job: MakeJob, tmp_path: Path
) -> None:
    """It is taken from there; where it is not there either, the instructions are shown."""
    resource = replace(job().resource, access="manual", instructions="ask at the desk")
    wanted = Job("gated", "archive", resource)
    with serving(tmp_path / "home") as empty, pytest.raises(ManualStepError, match="ask at"):
        Fetcher(store, mirrors=[empty]).fetch([wanted])
    with serving(upstream) as mirror:
        [fetched] = Fetcher(store, mirrors=[mirror]).fetch([wanted])
        assert fetched.source.startswith(mirror)


def test_one_dead_host_is_not_tried_for_every_file(
    upstream: Path, closed_port: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a host gave no connection, the other files go straight to their next source."""
    waits: list[float] = []
    monkeypatch.setattr("dshub.download.fetcher._wait", lambda _, seconds: waits.append(seconds))
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
    """A disk without room costs no bandwidth."""
    monkeypatch.setattr(Store, "free", lambda _: 1000)
    with faulty_server(upstream) as server:
        with pytest.raises(DiskFullError, match=r"3\.0 MB") as caught:
            Fetcher(store).fetch([job(f"{server.url}/data.bin")])
        assert server.requests == []
    assert caught.value.exit_code == 8


def test_what_is_on_the_disk_already_needs_no_space(
    upstream: Path, store: Store, job: MakeJob, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for the rest of an interrupted download is room enough."""
    with faulty_server(upstream) as server:
        wanted = job(f"{server.url}/data.bin")
        with store.partial(wanted.resource.digest) as partial:
            put(partial, content[:-1000])
        monkeypatch.setattr(Store, "free", lambda _: 1000)
        [fetched] = Fetcher(store).fetch([wanted])
        assert server.sent == 1000
    assert fetched.path.read_bytes() == content


def test_a_lock_that_lies_costs_bytes_and_nothing_else(
    upstream: Path, store: Store, job: MakeJob, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where everybody gets the lock, and some meet a server that lies, the bytes are right."""

    class Lying:
        def __init__(self, *_: object, **__: object) -> None: ...
        def acquire(self, **_: object) -> None: ...
        def release(self) -> None: ...

    monkeypatch.setattr("filelock.FileLock", Lying)
    flip, cut = Fault("flip", after=1_000_000), Fault("cut", times=2, after=1_500_000)
    with (
        faulty_server(upstream, {"*": flip}) as liar,
        faulty_server(upstream, {"*": cut}) as server,
    ):
        wanted = job(f"{server.url}/data.bin")

        def run(mirrors: list[str]) -> bytes:
            return Fetcher(store, mirrors=mirrors).fetch([wanted])[0].path.read_bytes()

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(run, [[liar.url], []] * 4))
    assert all(found == content for found in results)
    target = Fetcher(store).path(wanted)
    assert target is not None
    assert target.read_bytes() == content


def test_a_source_that_asks_for_a_day_is_left_at_once(
    upstream: Path, store: Store, job: MakeJob
) -> None:
    """A long Retry-After is no reason to wait: the next source is asked, and the error says why."""
    busy = Fault("status", status=503, headers=(("Retry-After", "86400"),))
    with faulty_server(upstream, {"*": busy}) as server:
        with pytest.raises(FetchError, match=r"503.*wait 86,400 s"):
            Fetcher(store).fetch([job(f"{server.url}/data.bin")])
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("places", "told"), [((5, 5), "2 sources have the same bytes"), ((5, 9), "differ from one")]
)
def test_sources_with_wrong_bytes_are_held_against_each_other(
    places: tuple[int, int], told: str, upstream: Path, store: Store, job: MakeJob
) -> None:
    """The same wrong bytes everywhere mean that upstream has changed; others, that they do not."""
    with (
        faulty_server(upstream, {"*": Fault("flip", after=places[0])}) as one,
        faulty_server(upstream, {"*": Fault("flip", after=places[1])}) as other,
        pytest.raises(FetchError) as caught,
    ):
        Fetcher(store).fetch([job(f"{one.url}/data.bin", f"{other.url}/data.bin")])
    assert told in caught.value.hint
    assert ("new version of its manifest" in caught.value.hint) == (places[0] == places[1])
