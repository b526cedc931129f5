import threading
from pathlib import Path

import pytest

from dshub.mirrors.serve.server import serving
from dshub.mirrors.serve.sockets import Limits
from tests.independent.wire import ask, connect, parse, request, rest


def test_idle_clients_make_room_for_new_ones(hasty: str, data: bytes) -> None:
    idle = [connect(hasty) for _ in range(64)]
    assert ask(hasty, "/sub/data").body == data
    for connection in idle:
        connection.close()


def test_stopping_finishes_responses_and_closes_idle_connections(folder: Path, large: Path) -> None:
    with serving(folder) as url:
        idle, busy = connect(url), connect(url)
        busy.sendall(request("/large", Connection="keep-alive"))
        first = busy.recv(1 << 16)
        received: list[bytes] = []
        reader = threading.Thread(target=lambda: received.append(rest(busy)))
        stopper = threading.Event()

        def read_later() -> None:
            stopper.wait(10)
            reader.run()

        later = threading.Thread(target=read_later)
        later.start()
        threading.Timer(0.3, stopper.set).start()  # lets the client read while the server stops
    later.join()
    assert parse(first + received[0]).body == large.read_bytes()
    assert idle.recv(1) == b""
    with pytest.raises(OSError, match=r"."):
        connect(url)
    idle.close()
    busy.close()


def test_stopping_cuts_off_a_client_that_does_not_read(folder: Path, large: Path) -> None:
    with serving(folder, limits=Limits(farewell=0.5)) as url:
        busy = connect(url)
        busy.sendall(request("/large"))
        first = busy.recv(1 << 16)
    assert parse(first + rest(busy)).short
    busy.close()
