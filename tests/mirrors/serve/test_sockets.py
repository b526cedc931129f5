import os
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from tests.independent.wire import ask, connect, parse, request, rest


@pytest.mark.parametrize(
    "data", [b"", b"GET /sub/data HT", b"GET /sub/data HTTP/1.1\r\nHost: x\r\n"]
)
def test_incomplete_request_is_cut_off(hasty: str, data: bytes) -> None:
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
def test_hostile_head_is_answered_at_once(url: str, line: bytes) -> None:
    with connect(url) as hostile:
        began = time.process_time()  # includes the server, which is a thread of this process
        hostile.sendall(b"GET /sub/data HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n\r\n")
        assert ask(url, "/sub/data").status == 200
        assert hostile.recv(1) == b"H"
        assert time.process_time() - began < 0.5


def test_dripping_head_is_cut_off(hasty: str) -> None:
    """The time limit applies to the complete head, not to each byte."""
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


def test_client_that_does_not_read_is_cut_off(hasty: str, large: Path) -> None:
    with connect(hasty) as slow:
        slow.sendall(request("/large"))
        threads = [threading.Thread(target=ask, args=(hasty, "/large")) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # `slow` reads nothing until the time limit has passed
        assert ask(hasty, "/sub/data").status == 200
        with connect(hasty) as idle:
            assert rest(idle) == b""
        assert parse(rest(slow)).short


def test_slow_reader_gets_the_complete_file(hasty: str, large: Path) -> None:
    with connect(hasty) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        slow.sendall(request("/large", Range=f"bytes=0-{(32 << 20) - 1}"))
        received, pause = bytearray(), threading.Event()
        while piece := slow.recv(1 << 20):
            received += piece
            if len(received) % 7 == 0:
                pause.wait(0.001)
    assert parse(bytes(received)).body == large.read_bytes()[: 32 << 20]


def test_clients_that_disconnect_do_not_disturb_others(url: str, large: Path, data: bytes) -> None:
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


def test_response_is_cut_off_if_the_file_shrinks(url: str, large: Path) -> None:
    with connect(url) as connection:
        connection.sendall(request("/large"))
        first = connection.recv(1 << 16)
        os.truncate(large, 1000)
        assert parse(first + rest(connection)).short
