"""Test a fetch from the server of every scenario."""

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

LIMIT = 30  # seconds until a fetch counts as hanging
TIMEOUTS = {"permanent": 0.5, "transient": 1.0, "valid": 5.0}  # seconds
SLACK = 1 << 20  # bytes in transit when a client disconnects
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass
class Result:
    """Result of a fetch.

    Attributes:
        files: requested files by name.
        urls: source URLs of the first file.
        ended: True if the fetch ended in time.
        error: exception that the fetch raised.
        arrived: number of files in the cache with right bytes.
        wrong: cached files with wrong or missing bytes.
        sent: bytes that all servers sent.
        peak: maximum size of the cache in bytes.
        max_requests: maximum number of requests to the first source for one file.
        leaked: `Authorization` headers that another host received.
        recovered: result of a second fetch without faults.
    """

    files: Mapping[str, bytes]
    urls: Sequence[str]
    ended: bool = False
    error: BaseException | None = None
    arrived: int = 0
    wrong: list[str] = field(default_factory=list)
    sent: int = 0
    peak: int = 0
    max_requests: int = 0
    leaked: list[str] = field(default_factory=list)
    recovered: "Result | None" = None

    def check(self) -> None:
        """Check that the fetch ended with every file right."""
        assert self.ended, f"it did not end within {LIMIT} s"
        assert self.error is None, f"{type(self.error).__name__}: {self.error}"
        assert (self.arrived, self.wrong) == (len(self.files), [])


def jobs(files: Mapping[str, bytes], bases: Sequence[str]) -> list[Job]:
    """Return a job for each file, with a URL below each base."""
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
    """Fetch in a thread and abandon the thread after LIMIT."""
    result = Result(files, [f"{base}/data-0.gz" for base in bases])

    def fetch_files() -> None:
        try:
            Fetcher(Store(cache), timeout=timeout).fetch(jobs(files, bases))
        except BaseException as error:  # noqa: BLE001  # the main thread checks it
            result.error = error
        result.ended = True

    thread = threading.Thread(target=fetch_files, daemon=True)
    thread.start()
    end = time.monotonic() + LIMIT
    while thread.is_alive() and time.monotonic() < end:
        result.peak = max(result.peak, size_of(cache))
        thread.join(0.01)
    for path in cache.glob("blobs-v1/*/*"):
        is_right = Digest.of_file(path).hex == path.name
        result.arrived += is_right
        result.wrong += [] if is_right else [path.name]
    return result


def size_of(cache: Path) -> int:
    """Return the total size of all files in a folder."""
    total = 0
    for folder, _, names in os.walk(cache):  # ignores folders that vanish
        for name in names:
            with suppress(OSError):  # the file was renamed
                total += Path(folder, name).stat().st_size
    return total


def play_and_fetch(
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
            result.max_requests = most_requests(stage.server)
            headers = [request.headers for request in stage.elsewhere.requests]
            result.leaked = [
                header["Authorization"] for header in headers if "Authorization" in header
            ]
            if result.ended and not second and scenario.outcome == "permanent":
                stage.heal()
                healed_url = stage.url if scenario.place in {"http", "https"} else good.url
                result.recovered = fetch(folder / "cache", files, [healed_url], 5.0)
    return result


def most_requests(server: FaultyServer) -> int:
    """Return the maximum number of GET requests for one file."""
    paths = [r.path.partition("?")[0] for r in server.requests if r.method == "GET"]
    return max((paths.count(path) for path in paths), default=0)


def parameter(scenario: Scenario) -> object:
    """Return a test parameter with a readable ID."""
    marks = [pytest.mark.patient, pytest.mark.slow] if scenario.patient else []
    return pytest.param(scenario, id=scenario.name, marks=marks)


def each_scenario(*outcomes: str) -> pytest.MarkDecorator:
    """Parametrize a test with all scenarios of the outcomes."""
    chosen = [scenario for scenario in SCENARIOS if scenario.outcome in outcomes]
    return pytest.mark.parametrize("scenario", [parameter(scenario) for scenario in chosen])


_results: dict[str, Result] = {}


@pytest.fixture
def result_alone(
    scenario: Scenario, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Result:
    """Fetch from the scenario's source alone, once for all tests."""
    if scenario.name not in _results:
        folder = tmp_path_factory.mktemp("alone")
        _results[scenario.name] = play_and_fetch(scenario, folder, monkeypatch, second=False)
    return _results[scenario.name]


@each_scenario("transient", "valid")
def test_transient_faults_end_with_the_file(scenario: Scenario, result_alone: Result) -> None:
    result_alone.check()


@each_scenario("permanent")
def test_permanent_faults_end_with_a_clear_error(scenario: Scenario, result_alone: Result) -> None:
    assert result_alone.ended, f"it did not end within {LIMIT} s"
    assert isinstance(result_alone.error, FetchError)
    message = str(result_alone.error)
    assert "data-0.gz (2.0 MB)" in message
    assert result_alone.urls[0] in message
    assert re.search(scenario.says, message, re.IGNORECASE), message
    assert len(message.splitlines()) <= 60
    assert result_alone.error.exit_code == scenario.code
    assert (result_alone.arrived, result_alone.wrong) == (0, [])


@each_scenario("transient", "permanent", "valid")
def test_received_bytes_are_bounded(scenario: Scenario, result_alone: Result) -> None:
    size = sum(map(len, result_alone.files.values()))
    assert result_alone.sent <= scenario.most * size + SLACK
    assert result_alone.peak <= 2.2 * size + (2 << 20)


@each_scenario("valid")
def test_valid_responses_need_no_second_try(scenario: Scenario, result_alone: Result) -> None:
    if scenario.requests:
        assert result_alone.max_requests <= scenario.requests


@each_scenario("transient", "valid")
def test_password_is_not_sent_to_another_host(scenario: Scenario, result_alone: Result) -> None:
    assert result_alone.leaked == []


@each_scenario("permanent")
def test_next_fetch_succeeds(scenario: Scenario, result_alone: Result) -> None:
    assert result_alone.recovered is not None
    result_alone.recovered.check()


@pytest.mark.slow
@each_scenario("transient", "permanent", "valid")
def test_good_second_source_always_delivers(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = play_and_fetch(scenario, tmp_path, monkeypatch, second=True)
    result.check()
    size = sum(map(len, result.files.values()))
    assert result.sent <= scenario.most * size + SLACK
