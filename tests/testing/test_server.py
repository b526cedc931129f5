import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dshub.errors import ArgumentError
from dshub.testing.answers import KINDS, Fault
from dshub.testing.server import faulty_server
from tests.download.scenarios import SCENARIOS
from tests.download.stage import Scenario, play, write_files


def get(url: str, path: str = "/data-0.gz", **headers: str) -> tuple[int, bytes]:
    """Return the status and body of the response to one request."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_scenario_names_are_unique() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)


def test_scenarios_use_every_kind_of_fault() -> None:
    used = {kind for scenario in SCENARIOS for fault in scenario.faults for kind in fault.kinds}
    assert used == set(KINDS)


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.outcome == "permanent"], ids=str)
def test_permanent_scenarios_have_an_error_pattern(scenario: Scenario) -> None:
    assert scenario.says


def test_unknown_kind_of_fault_is_rejected() -> None:
    with pytest.raises(ArgumentError, match="kind"):
        Fault(("page", "nonsense"))


def test_faults_are_played_in_order(tmp_path: Path) -> None:
    [content] = write_files(tmp_path).values()
    faults = (Fault("status", times=2, status=500), Fault("short", times=1, after=7))
    with faulty_server(tmp_path, {"*": faults}) as server:
        responses = [get(server.url) for _ in range(4)]
    assert responses == [(500, b""), (500, b""), (200, content[:7]), (200, content)]


def test_range_fault_spares_other_requests(tmp_path: Path) -> None:
    [content] = write_files(tmp_path).values()
    with faulty_server(tmp_path, {"*": Fault("misplaced", only="range")}) as server:
        assert get(server.url) == (200, content)
        assert get(server.url, Range="bytes=1999000-") == (206, content[: len(content) - 1_999_000])


@pytest.mark.parametrize(
    "fault", [Fault("silent"), Fault("stall"), Fault("plain", rate=1), Fault("drip-head", rate=1)]
)
def test_endless_responses_end_with_the_server(fault: Fault, tmp_path: Path) -> None:
    write_files(tmp_path)
    before = set(threading.enumerate())
    with ExitStack() as stack:
        server = stack.enter_context(faulty_server(tmp_path, {"*": fault}))
        client = threading.Thread(target=ignore_network_errors, args=(lambda: get(server.url),))
        client.start()
        while not server.requests:
            time.sleep(0.01)
    client.join(timeout=15)
    end = time.monotonic() + 15
    while set(threading.enumerate()) - before and time.monotonic() < end:
        time.sleep(0.01)
    assert set(threading.enumerate()) - before == set()


def ignore_network_errors(action: Callable[[], object]) -> None:
    """Call a function and ignore network errors."""
    with suppress(OSError, HTTPException):
        action()


def test_stage_counts_requests_and_stops_its_faults(tmp_path: Path) -> None:
    [content] = write_files(tmp_path).values()
    [scenario] = [s for s in SCENARIOS if s.name == "a redirect to another host"]
    with play(scenario, tmp_path) as stage:
        assert get(stage.url)[0] == 302
        assert get(stage.elsewhere.url) == (200, content)
        assert len(stage.server.requests) == len(stage.elsewhere.requests) == 1
        assert stage.sent == len(content)
        stage.heal()
        assert get(stage.url) == (200, content)
