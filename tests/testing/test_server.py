"""The server that misbehaves, and the catalogue of what it can do."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import pytest

from dshub.testing.answers import Fault, Kind
from dshub.testing.catalogue import SCENARIOS
from dshub.testing.scenarios import write_files
from dshub.testing.server import faulty_server
from dshub.testing.stage import play


def kinds_of(fault: Fault) -> tuple[str, ...]:
    return (fault.kind,) if isinstance(fault.kind, str) else fault.kind


def get(url: str, path: str = "/data-0.gz", **headers: str) -> tuple[int, bytes]:
    """Status and body of one request."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_every_scenario_has_a_name_of_its_own() -> None:
    """A failure can be told apart by its name."""
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)


def test_every_kind_of_fault_is_in_the_catalogue() -> None:
    """What the server can do is what downloaders are tried with."""
    used = {kind for scenario in SCENARIOS for fault in scenario.faults for kind in kinds_of(fault)}
    assert used == set(get_args(Kind))


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.outcome == "lasts"], ids=str)
def test_what_lasts_says_which_reason_is_right(scenario: object) -> None:
    """A clear error is one that can be checked."""
    assert getattr(scenario, "says", "")


def test_faults_follow_each_other(tmp_path: Path) -> None:
    """Each is met as often as it says, then the next, then nothing is wrong any more."""
    [content] = write_files(tmp_path).values()
    faults = (Fault("status", times=2, status=500), Fault("short", times=1, after=7))
    with faulty_server(tmp_path, {"*": faults}) as server:
        answers = [get(server.url) for _ in range(4)]
    assert answers == [(500, b""), (500, b""), (200, content[:7]), (200, content)]


def test_a_fault_of_ranges_spares_other_requests(tmp_path: Path) -> None:
    """The first request of a download is answered rightly, its continuation is not."""
    [content] = write_files(tmp_path).values()
    with faulty_server(tmp_path, {"*": Fault("misplaced", only="range")}) as server:
        assert get(server.url) == (200, content)
        assert get(server.url, Range="bytes=1999000-") == (206, content[: len(content) - 1_999_000])


@pytest.mark.parametrize(
    "fault", [Fault("silent"), Fault("stall"), Fault("plain", rate=1), Fault("drip-head", rate=1)]
)
def test_what_takes_for_ever_ends_with_the_server(fault: Fault, tmp_path: Path) -> None:
    """No thread is left behind, and a client that waits is let go."""
    write_files(tmp_path)
    before = set(threading.enumerate())
    with ExitStack() as stack:
        server = stack.enter_context(faulty_server(tmp_path, {"*": fault}))
        client = threading.Thread(target=quietly, args=(lambda: get(server.url),))
        client.start()
        while not server.requests:
            time.sleep(0.01)
    client.join(timeout=15)
    end = time.monotonic() + 15
    while set(threading.enumerate()) - before and time.monotonic() < end:
        time.sleep(0.01)
    assert set(threading.enumerate()) - before == set()


def quietly(action: Callable[[], object]) -> None:
    """Do it, whatever comes of it."""
    with suppress(OSError, HTTPException):
        action()


def test_a_stage_says_what_it_was_asked(tmp_path: Path) -> None:
    """A redirect to another host is seen by both servers, and healing ends what is wrong."""
    [content] = write_files(tmp_path).values()
    [scenario] = [s for s in SCENARIOS if s.name == "a redirect to another host"]
    with play(scenario, tmp_path) as stage:
        assert get(stage.url)[0] == 302
        assert get(stage.elsewhere.url) == (200, content)
        assert len(stage.server.requests) == len(stage.elsewhere.requests) == 1
        assert stage.sent == len(content)
        stage.heal()
        assert get(stage.url) == (200, content)
