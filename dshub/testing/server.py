"""A real HTTP server whose answers go wrong as a test asks."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Literal

from dshub.mirror.serving import PIECE, FolderHandler, FolderServer

Kind = Literal[
    "status",  # another status than 200, without the file
    "cut",  # the connection ends after some bytes, though more were announced
    "reset",  # the same, with a TCP reset
    "flip",  # one bit of the body is another
    "page",  # an HTML page in place of the file
    "long",  # bytes follow without end
    "no-range",  # ranges are ignored: the whole file from its beginning
    "stall",  # nothing more comes after some bytes
]


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and how often.

    Attributes:
        kind: what.
        times: for how many requests of a path, from the first one on.
        after: bytes of the body that arrive before, where the body is what goes wrong.
        status: for `status`.
        headers: sent besides, such as Retry-After.
    """

    kind: Kind
    times: int = 1_000_000
    after: int = 1000
    status: int = 503
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Request:
    """What a client asked for."""

    path: str
    headers: dict[str, str]
    sent: int = 0


@dataclass
class FaultyServer:
    """A running server; see `faulty_server`.

    Attributes:
        url: its address.
        faults: by path, or `*` for every path; may be changed at any time.
        requests: everything that was asked for so far.
    """

    url: str
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Bytes of bodies sent so far."""
        return sum(request.sent for request in self.requests)


class _Handler(FolderHandler):
    """Answers as the state of its server says."""

    state: FaultyServer
    lock: threading.Lock
    request_seen: Request

    def do_GET(self) -> None:
        fault = self._fault()
        if fault is None or fault.kind in {"cut", "reset", "flip", "stall"}:
            self._active = fault
            super().do_GET()
        elif fault.kind == "status":
            self._status(fault)
        elif fault.kind == "page":
            self._body(b"<!DOCTYPE html><title>Sign in</title><p>Welcome to this network.")
        elif fault.kind == "long":
            self._endless()
        else:
            del self.headers["Range"]
            self._active = None
            super().do_GET()

    def _fault(self) -> Fault | None:
        with self.lock:
            earlier = sum(request.path == self.path for request in self.state.requests)
            self.request_seen = Request(self.path, dict(self.headers))
            self.state.requests.append(self.request_seen)
        fault = self.state.faults.get(self.path) or self.state.faults.get("*")
        return fault if fault is not None and earlier < fault.times else None

    def _status(self, fault: Fault) -> None:
        self.send_response(fault.status)
        for name, value in fault.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _body(self, data: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.request_seen.sent += len(data)

    def _endless(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.end_headers()
        self.close_connection = True
        for _ in range(10_000):  # 10 GB: a client that has not left by then has failed
            self.wfile.write(bytes(1 << 20))
            self.request_seen.sent += 1 << 20

    def send_bytes(self, file: BinaryIO, wanted: range) -> None:
        fault = self._active
        if fault is None:
            for start in range(wanted.start, wanted.stop, PIECE):
                piece = range(start, min(start + PIECE, wanted.stop))
                super().send_bytes(file, piece)
                self.request_seen.sent += len(piece)
            return
        file.seek(wanted.start)
        data = bytearray(file.read(len(wanted)))
        if fault.kind == "flip":
            data[min(fault.after, len(data) - 1)] ^= 1
            self.wfile.write(data)
            self.request_seen.sent += len(data)
            return
        self.wfile.write(data[: fault.after])
        self.wfile.flush()
        self.request_seen.sent += min(fault.after, len(data))
        self._end(fault)

    def _end(self, fault: Fault) -> None:
        if fault.kind == "stall":
            time.sleep(3600)
        if fault.kind == "reset":
            now = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
        self.close_connection = True


@contextmanager
def faulty_server(folder: Path, faults: dict[str, Fault] | None = None) -> Iterator[FaultyServer]:
    """Serve a folder over HTTP on this machine while the block runs, with faults.

    Args:
        folder: what to serve.
        faults: what goes wrong, by path (`/blobs-v1/…`), or `*` for all of them.
    """
    state = FaultyServer("", dict(faults or {}))
    handler = type("Handler", (_Handler,), {"state": state, "lock": threading.Lock()})
    with FolderServer(("127.0.0.1", 0), folder, handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
