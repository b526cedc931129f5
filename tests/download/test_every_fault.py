"""Every scenario of the catalog: what must arrive arrives, and what cannot ends clearly."""

import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dshub.cache.store import Store
from dshub.catalog.manifest import Resource
from dshub.checksums import Digest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.errors import FetchError
from dshub.testing.server import FaultyServer, faulty_server
from tests.download.scenarios import SCENARIOS
from tests.download.stage import Scenario, play, write_files

LIMIT = 30  # seconds after which a fetch that has not ended never will
TIMEOUTS = {"lasts": 0.5, "passes": 1.0, "legal": 5.0}  # seconds
SLACK = 1 << 20  # bytes that may be on their way when a client leaves
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass
class Result:
    """The result of a fetch.

    Attributes:
        files: the files that were asked for.
        urls: the sources of the first file.
        wrong: files under a final name with wrong or missing bytes.
        sent: bytes that all servers sent.
        peak: most bytes that the cache held at once.
        asked: the most requests for one file that the first source saw.
        recovered: the result of a second fetch, once nothing was wrong.
    """

    files: Mapping[str, bytes]
    urls: Sequence[str]
    ended: bool = False
    error: BaseException | None = None
    arrived: int = 0
    wrong: list[str] = field(default_factory=list)
    sent: int = 0
    peak: int = 0
    asked: int = 0
    leaked: list[str] = field(default_factory=list)
    recovered: "Result | None" = None

    def check(self) -> None:
        """It ended, with every file right."""
        assert self.ended, f"it did not end within {LIMIT} s"
        assert self.error is None, f"{type(self.error).__name__}: {self.error}"
        assert (self.arrived, self.wrong) == (len(self.files), [])


def jobs(files: Mapping[str, bytes], bases: Sequence[str]) -> list[Job]:
    """The files, each from several sources."""
    return [
        Job(
            "tiny",
            name,
            Resource(
                urls=tuple(f"{base}/{name}" for base in bases),
                sha256=Digest.of_bytes(data).hex,
                size=len(data),
            ),
        )
        for name, data in files.items()
    ]


def fetch(cache: Path, files: Mapping[str, bytes], bases: Sequence[str], timeout: float) -> Result:
    """Fetch in a thread, which is left behind if it does not end."""
    result = Result(files, [f"{base}/data-0.gz" for base in bases])

    def run() -> None:
        try:
            Fetcher(Store(cache), timeout=timeout).fetch(jobs(files, bases))
        except BaseException as error:  # noqa: BLE001  # for the thread that asked
            result.error = error
        result.ended = True

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    end = time.monotonic() + LIMIT
    while thread.is_alive() and time.monotonic() < end:
        result.peak = max(result.peak, held(cache))
        thread.join(0.01)
    for path in cache.glob("blobs-v1/*/*"):
        right = Digest.of_file(path).hex == path.name
        result.arrived += right
        result.wrong += [] if right else [path.name]
    return result


def held(cache: Path) -> int:
    """Sum up the bytes of all files in a folder."""
    total = 0
    for folder, _, names in os.walk(cache):  # which takes folders that vanish as empty
        for name in names:
            with suppress(OSError):  # it was renamed meanwhile
                total += Path(folder, name).stat().st_size
    return total


def run(
    scenario: Scenario, folder: Path, monkeypatch: pytest.MonkeyPatch, *, second: bool
) -> Result:
    """Play a scenario, alone or with a good second source, then fetch again without faults."""
    files = write_files(folder / "upstream", scenario.files)
    with ExitStack() as stack:
        stage = stack.enter_context(play(scenario, folder / "upstream"))
        good = stack.enter_context(faulty_server(folder / "upstream"))
        with monkeypatch.context() as patch:
            for name in BUNDLES if stage.authority else ():
                patch.setenv(name, str(stage.authority))
            bases = [stage.url, good.url] if second else [stage.url]
            timeout = TIMEOUTS[scenario.outcome]
            result = fetch(folder / "cache", files, bases, timeout)
            result.sent = stage.sent + good.sent
            result.asked = most_asked(stage.server)
            headers = [request.headers for request in stage.elsewhere.requests]
            result.leaked = [seen["Authorization"] for seen in headers if "Authorization" in seen]
            if result.ended and not second and scenario.outcome == "lasts":
                stage.heal()
                again = stage.url if scenario.place in {"http", "https"} else good.url
                result.recovered = fetch(folder / "cache", files, [again], 5.0)
    return result


def most_asked(server: FaultyServer) -> int:
    """Return the largest number of requests for the bytes of one file."""
    paths = [r.path.partition("?")[0] for r in server.requests if r.method == "GET"]
    return max((paths.count(path) for path in paths), default=0)


def named(scenario: Scenario) -> object:
    """Make a parameter with a readable id."""
    marks = [pytest.mark.patient, pytest.mark.slow] if scenario.patient else []
    return pytest.param(scenario, id=scenario.name, marks=marks)


def every(*outcomes: str) -> pytest.MarkDecorator:
    """Parametrize with each scenario of an outcome."""
    chosen = [scenario for scenario in SCENARIOS if scenario.outcome in outcomes]
    return pytest.mark.parametrize("scenario", [named(scenario) for scenario in chosen])


_results: dict[str, Result] = {}


@pytest.fixture
def alone(
    scenario: Scenario, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Result:
    """The result of a fetch whose only source plays the scenario; played once for all tests."""
    if scenario.name not in _results:
        folder = tmp_path_factory.mktemp("alone")
        _results[scenario.name] = run(scenario, folder, monkeypatch, second=False)
    return _results[scenario.name]


@every("passes", "legal")
def test_passing_faults_end_with_the_file(scenario: Scenario, alone: Result) -> None:
    """The source fails on the way, or is odd, and the right bytes arrive from it alone."""
    alone.check()


@every("lasts")
def test_lasting_faults_end_with_a_clear_error(scenario: Scenario, alone: Result) -> None:
    assert alone.ended, f"it did not end within {LIMIT} s"
    assert isinstance(alone.error, FetchError)
    message = str(alone.error)
    assert "data-0.gz (2.0 MB)" in message
    assert alone.urls[0] in message
    assert re.search(scenario.says, message, re.IGNORECASE), message
    assert len(message.splitlines()) <= 60
    assert alone.error.exit_code == scenario.code
    assert (alone.arrived, alone.wrong) == (0, [])


@every("passes", "lasts", "legal")
def test_received_bytes_are_bounded(scenario: Scenario, alone: Result) -> None:
    size = sum(map(len, alone.files.values()))
    assert alone.sent <= scenario.most * size + SLACK
    assert alone.peak <= 2.2 * size + (2 << 20)


@every("legal")
def test_legal_answers_need_no_second_try(scenario: Scenario, alone: Result) -> None:
    """An unusual answer that follows the rules is taken as it is."""
    if scenario.requests:
        assert alone.asked <= scenario.requests


@every("passes", "legal")
def test_a_password_stays_with_its_host(scenario: Scenario, alone: Result) -> None:
    assert alone.leaked == []


@every("lasts")
def test_the_next_fetch_succeeds(scenario: Scenario, alone: Result) -> None:
    assert alone.recovered is not None
    alone.recovered.check()


@pytest.mark.slow
@every("passes", "lasts", "legal")
def test_good_second_source_always_delivers(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(scenario, tmp_path, monkeypatch, second=True)
    result.check()
    size = sum(map(len, result.files.values()))
    assert result.sent <= scenario.most * size + SLACK
