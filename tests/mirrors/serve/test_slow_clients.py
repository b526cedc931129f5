"""Clients that are slow, go away, or are too many; and the end of the server."""

import os
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from dshub.mirrors.serve.lines import Limits
from dshub.mirrors.serve.server import serving
from tests.independent.wire import ask, connect, parse, request, rest

LARGE = 64 << 20  # bytes: more than the system keeps on the way to a client


@pytest.fixture
def large(folder: Path) -> Path:
    """A large file of the folder."""
    path = folder / "large"
    with path.open("wb") as file:
        for _ in range(LARGE >> 20):
            file.write(os.urandom(1 << 20))
    return path


@pytest.mark.parametrize(
    "data", [b"", b"GET /sub/data HT", b"GET /sub/data HTTP/1.1\r\nHost: x\r\n"]
)
def test_a_client_that_does_not_ask_is_left(hasty: str, data: bytes) -> None:
    """A connection on which no whole request comes is closed, and others are served meanwhile."""
    with connect(hasty) as slow:
        slow.sendall(data)
        assert ask(hasty, "/sub/data").status == 200
        assert rest(slow) == b""


@pytest.mark.parametrize(
    "line",
    [
        b"A:" + b" " * 15_000 + b"\0",
        b"A:" + b" \t" * 7_500 + b"\rB: c",
        b"A:" + b" " * 15_000 + b"\nB: c",
        b"A" * 15_000,
        b"A:b\r\n" * 3_000 + b"\0",
        b"Range: bytes=" + b" " * 15_000,
        b"If-None-Match: " + b"," * 15_000 + b"\0",
    ],
)
def test_a_hostile_head_costs_other_clients_nothing(url: str, line: bytes) -> None:
    """It is answered at once, whatever stands in it."""
    with connect(url) as hostile:
        began = time.process_time()  # of the server, too: it is a thread here
        hostile.sendall(b"GET /sub/data HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n\r\n")
        assert ask(url, "/sub/data").status == 200
        assert hostile.recv(1) == b"H"
        assert time.process_time() - began < 0.5


def test_a_head_that_drips_is_left(hasty: str) -> None:
    """The time is for the head as a whole, not for each of its bytes."""
    with connect(hasty) as slow:
        slow.settimeout(0.05)
        closed = False
        for _ in range(400):
            try:
                slow.sendall(b"a")
                closed = not slow.recv(1)
            except TimeoutError:
                continue
            except OSError:
                closed = True
            if closed:
                break
        assert closed


def test_a_client_that_does_not_read_is_left(hasty: str, large: Path) -> None:
    """It gets less than was announced, and costs nobody else anything."""
    with connect(hasty) as slow:
        slow.sendall(request("/large"))
        threads = [threading.Thread(target=ask, args=(hasty, "/large")) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # it reads nothing until the server has had time enough
        assert ask(hasty, "/sub/data").status == 200
        with connect(hasty) as idle:
            assert rest(idle) == b""
        assert parse(rest(slow)).short


def test_a_client_that_reads_slowly_gets_everything(hasty: str, large: Path) -> None:
    """What counts is that it takes something now and then."""
    with connect(hasty) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        slow.sendall(request("/large", Range=f"bytes=0-{(32 << 20) - 1}"))
        got, pause = bytearray(), threading.Event()
        while piece := slow.recv(1 << 20):
            got += piece
            if len(got) % 7 == 0:
                pause.wait(0.001)
    assert parse(bytes(got)).body == large.read_bytes()[: 32 << 20]


def test_clients_that_go_away_in_the_middle(url: str, large: Path, data: bytes) -> None:
    """Closed or reset, before or in the middle of an answer: others get theirs."""
    for abruptly in (True, False):
        for wait in (True, False):
            connection = connect(url)
            connection.sendall(request("/large"))
            if wait:
                connection.recv(1 << 16)
            if abruptly:
                now = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
            connection.close()
    assert ask(url, "/sub/data").body == data


def test_a_file_that_shrinks_breaks_the_answer_off(url: str, large: Path) -> None:
    """No client takes what it got for the whole file."""
    with connect(url) as connection:
        connection.sendall(request("/large"))
        first = connection.recv(1 << 16)
        os.truncate(large, 1000)
        assert parse(first + rest(connection)).short


def test_new_clients_come_before_idle_ones(hasty: str, data: bytes) -> None:
    """However many connections lie idle, somebody who asks is answered."""
    idle = [connect(hasty) for _ in range(64)]
    assert ask(hasty, "/sub/data").body == data
    for connection in idle:
        connection.close()


def test_what_is_under_way_ends_well_when_the_server_stops(folder: Path, large: Path) -> None:
    """An answer that has begun is finished; an idle connection is closed, and no new one taken."""
    with serving(folder) as url:
        idle, busy = connect(url), connect(url)
        busy.sendall(request("/large", Connection="keep-alive"))
        first = busy.recv(1 << 16)
        found: list[bytes] = []
        reader = threading.Thread(target=lambda: found.append(rest(busy)))
        stopper = threading.Event()

        def read_later() -> None:
            stopper.wait(10)
            reader.run()

        later = threading.Thread(target=read_later)
        later.start()
        threading.Timer(0.3, stopper.set).start()  # while the server is stopping
    later.join()
    assert parse(first + found[0]).body == large.read_bytes()
    assert idle.recv(1) == b""
    with pytest.raises(OSError, match=r"."):
        connect(url)
    idle.close()
    busy.close()


def test_nobody_can_keep_the_server_from_stopping(folder: Path, large: Path) -> None:
    """A client that does not read is cut off after the time for farewells."""
    with serving(folder, limits=Limits(farewell=0.5)) as url:
        busy = connect(url)
        busy.sendall(request("/large"))
        first = busy.recv(1 << 16)
    assert parse(first + rest(busy)).short
    busy.close()
