"""Serve a folder over HTTP with faults, for tests of downloads."""

import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from re import fullmatch
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dshub.testing.answers import Fault, Response

BUFFER = 1 << 16  # bytes of the system's send buffer
TICK = 0.02  # seconds between writes of a slow response


@dataclass
class Request:
    """Request of a client.

    Attributes:
        path: path and query.
        headers: headers, by name.
        method: HTTP method.
        sent: number of body bytes sent, including chunk sizes.
        at: time of arrival, from `time.monotonic`.
    """

    path: str
    headers: dict[str, str]
    method: str = "GET"
    sent: int = 0
    at: float = field(default_factory=time.monotonic)


@dataclass
class FaultyServer:
    """Running server; see `faulty_server`.

    Attributes:
        url: URL of the server.
        faults: fault or sequence of faults by path, with `*` for all paths; can be changed at any
            time. In a sequence, a fault starts after the `times` of the previous one.
        requests: all requests so far.
    """

    url: str
    faults: dict[str, Fault | Sequence[Fault]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Number of body bytes sent so far."""
        return sum(request.sent for request in self.requests)


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"
    request_seen: Request

    def do_GET(self) -> None:
        server = self.server
        with server.lock:
            seen = server.state.requests
            earlier = [r for r in seen if (r.path, r.method) == (self.path, self.command)]
            self.request_seen = Request(self.path, dict(self.headers), self.command)
            seen.append(self.request_seen)
            server.active.add(self)
            active = len(server.active)
        try:
            self._respond(earlier, active)
        except OSError:  # the client disconnected, or the server is closing
            self.close_connection = True
        finally:
            server.active.discard(self)

    do_HEAD = do_GET  # noqa: N815  # called by http.server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # base class's name
        """Suppress log messages."""

    def _respond(self, earlier: Sequence[Request], active: int) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        data = path.read_bytes()
        etag = f'"{len(data):x}-{path.stat().st_mtime_ns:x}"'
        full_range, requested = range(len(data)), self._requested_range(len(data))
        part = requested if self.headers.get("If-Range", etag) == etag else full_range
        words = self._words(len(data), len(earlier))
        age = self.request_seen.at - earlier[0].at if earlier else 0
        response = Response(data, etag, requested, part or full_range, words, age, active)
        if part is None:
            response.status, response.body = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b""
            response.headers = {"Content-Range": f"bytes */{len(data)}"}
        fault = self._fault(len(earlier))
        if fault is not None:
            response.apply(fault)
        self._send(response)

    def _requested_range(self, size: int) -> range | None:
        """Return the requested byte range; None if it is unsatisfiable."""
        match = fullmatch(r"bytes=([0-9]{1,18})-([0-9]{0,18})", self.headers.get("Range", ""))
        if match is None:
            return range(size)
        start = int(match[1])
        stop = min(int(match[2]) + 1, size) if match[2] else size
        return range(start, stop) if start < stop else None

    def _words(self, size: int, count: int) -> Mapping[str, str]:
        parts = urlsplit(self.path)
        now = time.time()
        return {
            **self.server.words,
            "path": parts.path,
            "host": self.headers.get("Host", ""),
            "hop": parse_qs(parts.query).get("hop", ["0"])[0],
            "count": str(count),
            "size": str(size),
            "half": str(size // 2),
            "more": str(size + 1000),
            "soon": formatdate(now + 2, usegmt=True),
            "past": formatdate(now - 3600, usegmt=True),
        }

    def _fault(self, earlier: int) -> Fault | None:
        """Return the fault for a request, from the number of earlier requests for its path."""
        faults = self.server.state.faults
        selected = faults.get(self.path) or faults.get("*") or ()
        for fault in (selected,) if isinstance(selected, Fault) else selected:
            if earlier < fault.times:
                applies = "Range" in self.headers or fault.only != "range"
                return fault if applies and fault.only in {"", "range", self.command} else None
            earlier -= fault.times
        return None

    def _send(self, response: Response) -> None:
        has_body = response.head_stop is None and self.command == "GET"
        for piece in response.head():
            self._write(piece, response.head_rate)
        for piece in response.payload() if has_body else ():
            self._write(piece, response.body_rate, counted=True)
        self._end(response.end)

    def _write(self, data: bytes, rate: float, *, counted: bool = False) -> None:
        """Send bytes, at most `rate` per second.

        Bytes are counted before they are sent, because a test can read the counter as soon as the
        client has received them.
        """
        step = max(1, int(rate * TICK) if rate else len(data))
        for start in range(0, len(data), step):
            if rate:
                self._pause(step / rate)
            piece = data[start : start + step]
            self.request_seen.sent += len(piece) if counted else 0
            self.wfile.write(piece)

    def _pause(self, seconds: float | None) -> None:
        if self.server.closing.wait(seconds):
            raise ConnectionAbortedError

    def _end(self, end: str) -> None:
        self.close_connection = self.close_connection or end != "keep"
        if end == "stall":
            self._pause(None)
        if end == "reset":
            now = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
            # detach, because http.server would first shut down the connection with a FIN
            socket.close(self.connection.detach())


class _Server(ThreadingTCPServer):
    """Server that can end all of its connections."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, folder: Path, state: FaultyServer, words: Mapping[str, str], tls: Any
    ) -> None:
        self.state, self.words = state, words
        self.lock, self.closing = threading.Lock(), threading.Event()
        self.connections: list[socket.socket] = []
        self.active: set[_Handler] = set()
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        # a small buffer, so that most bytes counted as sent have arrived
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        if tls is not None:  # the handshake runs in the thread of the connection
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, and store it for `close_connections`."""
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def close_connections(self) -> None:
        """Shut down all connections."""
        self.closing.set()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors of disconnected clients."""


@contextmanager
def faulty_server(
    folder: Path,
    faults: Mapping[str, Fault | Sequence[Fault]] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    words: Mapping[str, str] | None = None,
) -> Iterator[FaultyServer]:
    """Serve a folder with faults on localhost inside a `with` block.

    All connections end with the block, including stalled ones.

    Args:
        folder: folder to serve.
        faults: fault or sequence of faults by path (`/blobs-v1/…`), with `*` for all paths.
        tls: TLS context with a certificate, to serve HTTPS.
        words: additional placeholders for `Fault.headers`, such as the address of another server.
    """
    state = FaultyServer("", dict(faults or {}))
    with _Server(folder, state, dict(words or {}), tls) as server:
        scheme = "http" if tls is None else "https"
        state.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            server.close_connections()
            thread.join()
