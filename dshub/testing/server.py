"""A real HTTP server whose answers go wrong as a test asks."""

import os
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dshub.testing.answers import Answer, End, Fault
from dshub.testing.handler import FolderHandler, FolderServer
from dshub.testing.kinds import apply

BUFFER = 1 << 16  # bytes that the system takes off a server's hands before a client wants them
TICK = 0.02  # seconds between two pieces of an answer that is to be slow


@dataclass
class Request:
    """What a client asked for.

    Attributes:
        sent: bytes of the body, the sizes of chunks included, that were handed to the system.
        at: when it came, on the clock of `time.monotonic`.
    """

    path: str
    headers: dict[str, str]
    method: str = "GET"
    sent: int = 0
    at: float = field(default_factory=time.monotonic)


@dataclass
class FaultyServer:
    """A running server; see `faulty_server`.

    Attributes:
        url: its address.
        faults: by path, or `*` for every path; may be changed at any time. Several follow each
            other: the second begins when the first was met as often as it says.
        requests: everything that was asked for so far.
    """

    url: str
    faults: dict[str, Fault | Sequence[Fault]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Bytes of bodies sent so far."""
        return sum(request.sent for request in self.requests)


class _Gone(Exception):  # noqa: N818  # no error: nobody is there to be told
    """The client has left, or the server is closing."""


class _Handler(FolderHandler):
    """Answers as the state of its server says."""

    server: "_Server"
    request_seen: Request

    def do_GET(self) -> None:
        server = self.server
        with server.lock:
            known = server.state.requests
            earlier = [r for r in known if (r.path, r.method) == (self.path, self.command)]
            self.request_seen = Request(self.path, dict(self.headers), self.command)
            known.append(self.request_seen)
            server.active += 1
            active = server.active
            self._under_way = True
        try:
            self._respond(earlier, active)
        finally:
            self._leave()

    def _leave(self) -> None:
        """Count a request as under way no more."""
        with self.server.lock:
            self.server.active -= self._under_way
            self._under_way = False

    do_HEAD = do_GET  # noqa: N815  # the name http.server looks for

    def _respond(self, earlier: Sequence[Request], active: int) -> None:
        path = self.find()
        if path is None:
            self.refuse(HTTPStatus.NOT_FOUND)
            return
        answer = self._right(path, len(earlier))
        answer.active = active
        answer.age = self.request_seen.at - earlier[0].at if earlier else 0
        fault = self._fault(len(earlier))
        if fault is not None:
            apply(fault, answer)
        try:
            self._send(answer)
        except (_Gone, OSError):
            self.close_connection = True

    def _right(self, path: Path, count: int) -> Answer:
        """What a server would answer with which nothing is wrong."""
        data = path.read_bytes()
        etag = f'"{len(data):x}-{path.stat().st_mtime_ns:x}"'
        wanted = self.wanted(len(data), etag)
        del self.headers["If-Range"]
        asked = self.wanted(len(data), etag)
        answer = Answer(data, etag, asked, self._words(len(data), count))
        if wanted is None:
            answer.refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            answer.headers["Content-Range"] = f"bytes */{len(data)}"
        else:
            answer.cover(wanted)
        return answer

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
        """What goes wrong with the request that comes after so many for the same path."""
        faults = self.server.state.faults
        found = faults.get(self.path) or faults.get("*") or ()
        for fault in (found,) if isinstance(found, Fault) else found:
            if earlier < fault.times:
                return fault if self._concerns(fault) else None
            earlier -= fault.times
        return None

    def _concerns(self, fault: Fault) -> bool:
        if fault.only == "range":
            return "Range" in self.headers
        return fault.only in {"", self.command}

    def _send(self, answer: Answer) -> None:
        head = answer.head()
        if answer.head_stop:
            head = iter([b"".join(head)[: answer.head_stop]])
        has_body = answer.head_stop is None and self.command == "GET"
        for piece, last in _marked(head):
            self._write(piece, answer.head_rate, last=last and not has_body)
        for piece, last in _marked(answer.payload() if has_body else ()):
            self._write(piece, answer.body_rate, body=True, last=last)
        self._end(answer.end)

    def _write(self, data: bytes, rate: float, *, body: bool = False, last: bool) -> None:
        """Send bytes, at most `rate` a second; those of a body are counted."""
        step = max(1, int(rate * TICK) if rate else len(data))
        for begin in range(0, len(data), step):
            if rate:
                self._pause(step / rate)
            piece = data[begin : begin + step]
            if body:  # before they go out: a client may be done before this thread goes on
                self.request_seen.sent += len(piece)
            if last and begin + step >= len(data):  # for the same reason
                self._leave()
            self.wfile.write(piece)

    def _pause(self, seconds: float) -> None:
        if self.server.closing.wait(seconds) or self._has_left():
            raise _Gone

    def _has_left(self) -> bool:
        """Whether the client has closed the connection."""
        if not select.select([self.connection], [], [], 0)[0]:
            return False
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except ValueError:  # TLS cannot peek
            return False

    def _end(self, end: End) -> None:
        self.close_connection = self.close_connection or end != "keep"
        while end == "stall":
            self._pause(TICK)
        if end == "reset":
            now = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
            # the server's own way to close says FIN first, which would make it an orderly end
            socket.close(self.connection.detach())


def _marked(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each piece, and whether it is the last one."""
    found = iter(pieces)
    try:
        piece = next(found)
    except StopIteration:
        return
    for following in found:
        yield piece, False
        piece = following
    yield piece, True


class _Server(FolderServer):
    """Keeps what is open, so that everything ends when it closes."""

    request_queue_size = 128

    def __init__(
        self, folder: Path, state: FaultyServer, words: Mapping[str, str], tls: Any
    ) -> None:
        self.state, self.words, self.tls = state, words, tls
        self.lock, self.closing = threading.Lock(), threading.Event()
        self.open: set[socket.socket] = set()
        self.active = 0
        super().__init__(("127.0.0.1", 0), folder, _Handler)

    def server_activate(self) -> None:
        """Small buffers, so that what is `sent` has nearly arrived."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        super().server_activate()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Take a connection; a TLS handshake waits for the connection's own thread."""
        connection, address = super().get_request()
        if self.tls is not None:
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self.open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection, and close it."""
        self.open.discard(request)
        super().shutdown_request(request)

    def close_all(self) -> None:
        """End whatever is under way."""
        self.closing.set()
        for connection in list(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def faulty_server(
    folder: Path,
    faults: Mapping[str, Fault | Sequence[Fault]] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    words: Mapping[str, str] | None = None,
) -> Iterator[FaultyServer]:
    """Serve a folder over HTTP on this machine while the block runs, with faults.

    Whatever is under way ends with the block, stalls included.

    Args:
        folder: what to serve.
        faults: what goes wrong, by path (`/blobs-v1/…`), or `*` for all of them.
        tls: with a certificate, makes it HTTPS.
        words: further names for `Fault.headers`, such as the address of another server.
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
            server.close_all()
            thread.join()
