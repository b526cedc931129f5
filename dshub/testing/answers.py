"""HTTP responses, and the faults that change them.

RFC 9110 (semantics) and RFC 9112 (HTTP/1.1 messages) define correct responses. Each kind of fault
breaks one of their rules, or uses a freedom that they give.
"""

import gzip
import http.client
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from itertools import chain, cycle, repeat
from typing import Any, Literal

from dshub.errors import ArgumentError

PIECE = 1 << 16  # bytes sent at a time
FLOOD = 64 << 20  # bytes after which endless responses end: a client still reading has failed
PAUSE = 1.0  # seconds that clients of a `busy` server must wait before they retry
PAGE = b"<!DOCTYPE html><title>Sign in</title><p>Welcome to this network."
HTML = {"Content-Type": "text/html"}


@dataclass(frozen=True)
class Fault:
    """An error in a response, and how often it happens.

    Attributes:
        kind: a name in `KINDS`, or several, applied in order.
        times: number of requests of a path that are affected, beginning with the first.
        after: bytes of the body that are sent first, if the body is at fault; negative numbers
            count from its end. `KINDS` lists other meanings.
        status: for `status`, `busy`, `crowded`, `redirect` and `early`.
        headers: replace the headers of the same name, or remove them if the value is empty.
            Values may contain `{size}` of the file, `{half}` of it, `{more}` than it, `{path}`,
            `{host}`, `{count}` of earlier requests, the dates `{soon}` and `{past}`, and the
            words that `faulty_server` was given.
        rate: bytes a second of the body, or of the head for `drip-head`; 0 means no limit.
        only: `range` affects only requests with a Range header, `HEAD` only HEAD requests.

    Raises:
        ArgumentError: a kind is unknown.
    """

    kind: str | tuple[str, ...]
    times: int = 1_000_000
    after: int = 1000
    status: int = 503
    headers: tuple[tuple[str, str], ...] = ()
    rate: float = 0
    only: Literal["", "range", "HEAD"] = ""

    def __post_init__(self) -> None:
        if not KINDS.keys() >= set(self.kinds):
            raise ArgumentError(name="kind", value=self.kind, expected=f"in {', '.join(KINDS)}")

    @property
    def kinds(self) -> tuple[str, ...]:
        """All kinds, in order."""
        return (self.kind,) if isinstance(self.kind, str) else self.kind


@dataclass
class Response:
    """A response that is about to be sent.

    Attributes:
        file: the bytes of the whole file.
        etag: its validator.
        asked: the bytes that the Range header asks for; all without one, None if unsatisfiable.
        part: the bytes to send.
        words: the placeholders in `Fault.headers`.
        age: seconds since the first request of the path.
        active: requests in progress, including this one.
        status: None means 200 or 206.
        headers: replace those that describe the file.
        total: replaces the size of the file in Content-Range.
        overrides: replace any header; see `Fault.headers`.
        encoding: the Content-Encoding.
        early: sent before the status line.
        lines: sent after the headers.
        partial: send 206 even if the part is the whole file.
        body: replaces the part of the file.
        tail: sent after the body.
        length: replaces the length of the body in Content-Length.
        sized: whether there is a Content-Length.
        chunk: the size line of a chunk, if the body is chunked.
        sizes: bytes in each piece or chunk, in turn.
        trailer: ends a chunked body.
        head_stop: bytes of the head after which `end` happens.
    """

    file: bytes
    etag: str
    asked: range | None
    part: range
    words: Mapping[str, str]
    age: float
    active: int
    version: str = "HTTP/1.1"
    status: int | None = None
    headers: Mapping[str, str] | None = None
    overrides: Sequence[tuple[str, str]] = ()
    accept_ranges: str = "bytes"
    content_type: str = "application/octet-stream"
    total: int | None = None
    encoding: str = ""
    spelling: Callable[[str], str] = str
    early: Iterable[bytes] = ()
    lines: Iterable[bytes] = ()
    partial: bool = False
    body: bytes | None = None
    tail: Iterable[bytes] = ()
    length: int | None = None
    sized: bool = True
    chunk: str = ""
    sizes: Sequence[int] = (PIECE,)
    trailer: bytes = b"0\r\n\r\n"
    head_rate: float = 0
    body_rate: float = 0
    head_stop: int | None = None
    end: Literal["keep", "close", "reset", "stall"] = "keep"

    @property
    def data(self) -> bytes:
        """The body, without its tail."""
        return self.file[self.part.start : self.part.stop] if self.body is None else self.body

    @property
    def content_range(self) -> str:
        """The part within the file."""
        return f"bytes {self.part.start}-{self.part.stop - 1}/{self.total or len(self.file)}"

    def apply(self, fault: Fault) -> None:
        """Change the response as a fault says."""
        self.body_rate, self.overrides = fault.rate, fault.headers
        for kind in fault.kinds:
            if kind in _SPARES and _SPARES[kind](self, fault):
                self.overrides = ()
                break
            for name, value in KINDS[kind].items():
                setattr(self, name, value(self, fault) if callable(value) else value)
        lies = any(name.lower() == "content-length" for name, _ in self.overrides)
        if lies and self.end == "keep":
            self.end = "close"  # the client would take leftover bytes for the next response

    def head(self) -> Iterator[bytes]:
        """The bytes before the body."""
        yield from self.early
        partial = self.partial or len(self.part) != len(self.file)
        status = self.status or (HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK)
        phrase = http.client.responses.get(status, "")
        lines = [f"{self.version} {int(status)} {phrase}"]
        headers = self._headers(status, partial=partial)
        lines += [f"{self.spelling(name)}: {value}" for name, value in headers]
        head = "".join(f"{line}\r\n" for line in lines).encode("latin-1")
        if self.head_stop is not None:
            yield head[: self.head_stop]
            return
        yield head
        yield from self.lines
        yield b"\r\n"

    def _headers(self, status: int, *, partial: bool) -> Iterator[tuple[str, str]]:
        headers = dict(self.headers or {})
        if self.headers is None:
            headers = {"Accept-Ranges": self.accept_ranges, "ETag": self.etag}
            headers["Content-Type"] = self.content_type
            headers["Content-Range"] = self.content_range if partial else ""
        headers["Content-Encoding"] = self.encoding
        if self.chunk:
            headers["Transfer-Encoding"] = "chunked"
        elif self.sized and status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            headers["Content-Length"] = str(len(self.data) if self.length is None else self.length)
        replaced = {name.lower() for name, _ in self.overrides}
        own = [(name, value) for name, value in headers.items() if name.lower() not in replaced]
        theirs = [(name, value.format_map(self.words)) for name, value in self.overrides]
        yield from ((name, value) for name, value in own + theirs if value)

    def payload(self) -> Iterator[bytes]:
        """The bytes of the body, in pieces or chunks."""
        sizes = cycle(self.sizes)
        for block in chain([self.data], self.tail):
            start = 0
            while start < len(block):
                stop = start + next(sizes)
                piece, start = block[start:stop], stop
                size = f"{self.chunk.format(len(piece))}\r\n".encode()
                yield size + piece + b"\r\n" if self.chunk else piece
        if self.chunk and self.trailer:
            yield self.trailer


@cache
def _bomb() -> bytes:
    """500 MB of zeros as gzip of fifty members, which decoders read as one stream."""
    packer = zlib.compressobj(9, wbits=31)
    return (packer.compress(bytes(10 << 20)) + packer.flush()) * 50


def _flipped(response: Response, fault: Fault) -> bytes:
    data = bytearray(response.file)
    data[min(fault.after, len(data) - 1)] ^= 1
    return bytes(data)


def _zeroed(response: Response, fault: Fault) -> bytes:
    return response.file[: fault.after].ljust(len(response.file), b"\0")


def _scrambled(response: Response, _: Fault) -> bytes:
    return response.file.translate(bytes(byte ^ 0x5A for byte in range(256)))


def _multipart(response: Response, _: Fault) -> bytes:
    head = f"--limit\r\nContent-Type: x/y\r\nContent-Range: {response.content_range}\r\n\r\n"
    return head.encode() + response.data + b"\r\n--limit--\r\n"


def _interim(_: Response, fault: Fault) -> Iterable[bytes]:
    link = "" if fault.status == HTTPStatus.CONTINUE else "Link: </style.css>; rel=preload\r\n"
    phrase = HTTPStatus(fault.status).phrase
    return repeat(f"HTTP/1.1 {fault.status} {phrase}\r\n{link}\r\n".encode(), fault.after)


def _whole(response: Response, _: Fault) -> range:
    return range(len(response.file))


def _status(_: Response, fault: Fault) -> int:
    return fault.status


def _next_hop(response: Response, _: Fault) -> dict[str, str]:
    return HTML | {"Location": f"?hop={int(response.words['hop']) + 1}"}


def _busy_status(response: Response, fault: Fault) -> int:
    return fault.status if response.words["count"] == "0" else HTTPStatus.FORBIDDEN


def _cut(end: Literal["close", "reset", "stall"]) -> dict[str, Any]:
    """Send a part of the body, then end the response in some way."""
    return {
        "length": lambda response, _: len(response.data),
        "body": lambda response, fault: response.data[: fault.after],
        "tail": (),
        "trailer": b"",
        "end": end,
    }


_EMPTY = {"body": b"", "headers": HTML}

_SPARES: dict[str, Callable[[Response, Fault], bool]] = {
    "busy": lambda response, _: response.age >= PAUSE,
    "crowded": lambda response, fault: response.active <= fault.after,
    "redirect": lambda response, fault: int(response.words["hop"]) >= fault.after,
}
"""Conditions under which a kind, and those behind it, leave a response as it is."""

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},  # only the fault's `headers` and `rate`
    # no response
    "hang-up": {"head_stop": 0, "end": "close"},
    "abort": {"head_stop": 0, "end": "reset"},  # with a TCP reset
    "silent": {"head_stop": 0, "end": "stall"},
    "garbage": {"early": [b"SSH-2.0-server\r\n"], "head_stop": 0, "end": "close"},  # not HTTP
    # the head
    "status": {**_EMPTY, "status": _status},  # another status, no body
    "busy": {**_EMPTY, "status": _busy_status},  # clients that retry within `PAUSE` get 403
    "crowded": {**_EMPTY, "status": _status},  # while more than `after` requests are in progress
    "redirect": {"body": b"", "headers": _next_hop, "status": _status},  # `after` times
    "early": {"early": _interim},  # `after` interim responses (1xx, `status`) before the response
    "flood": {  # endless headers
        "lines": lambda *_: repeat(b"X-More: %s\r\n" % (b"x" * 1000), FLOOD // 1000),
        "end": "close",
    },
    "fold": {"lines": [b"X-Folded: one\r\n two\r\n\tthree\r\n"]},  # a header over several lines
    "case": {"spelling": lambda *_: str.swapcase},  # header names in odd case
    "drip-head": {"head_rate": lambda _, fault: fault.rate, "body_rate": 0},
    "stall-head": {"head_stop": lambda _, fault: fault.after, "end": "stall"},  # at `after`
    # the framing
    "http10": {"version": "HTTP/1.0", "end": "close"},
    "no-length": {"sized": False, "end": "close"},  # the body ends when the connection closes
    "chunked": {"chunk": "{:x}"},
    "odd-chunks": {  # odd sizes, extensions and trailers
        "chunk": '{:06X};note="a;b"',
        "sizes": (1, 7, 4096, 65_537),
        "trailer": b"0\r\nX-Checked: yes\r\nX-Note: a\r\n\r\n",
    },
    "bad-chunk": {"chunk": "banana", "end": "close"},  # sizes that are not numbers
    "last-on-connection": {"end": "close"},  # close after the response, unannounced
    # the body
    "page": {"body": PAGE, "headers": HTML},
    "flip": {"file": _flipped},  # one bit, at `after`
    "other": {"file": _scrambled},  # other bytes, same size
    "old": {"file": _scrambled, "etag": '"an-older-version"'},
    "zeros": {"file": _zeroed},  # from `after` on
    # `after` bytes, or so many too many, with a Content-Length that fits
    "short": {"body": lambda response, fault: response.data[: fault.after]},
    "extra": {"body": lambda response, fault: response.data + bytes(fault.after)},
    "long": {  # endless; a Content-Length is 1 TB
        "body": b"",
        "tail": lambda *_: repeat(bytes(PIECE), FLOOD // PIECE),
        "length": 10**12,
        "end": "close",
    },
    "gzip": {  # encoded, though the client did not ask; such servers have no ranges
        "part": _whole,
        "body": lambda response, _: gzip.compress(response.data, compresslevel=1, mtime=0),
        "etag": lambda response, _: f"W/{response.etag}",
        "accept_ranges": "none",
        "encoding": "gzip",
    },
    "bomb": {"body": lambda *_: _bomb(), "encoding": "gzip"},  # decodes to 500 MB
    "cut": _cut("close"),  # the connection ends after `after` bytes
    "reset": _cut("reset"),
    "stall": _cut("stall"),  # no more bytes after `after`
    # ranges
    "no-range": {"part": _whole},  # ignore them
    "if-range": {"part": lambda response, _: response.asked or response.part},  # ignore If-Range
    "start": {  # ignore the requested start; begin at `after`
        "part": lambda response, fault: range(fault.after, len(response.file)),
        "partial": True,
    },
    "capped": {  # at most `after` bytes
        "part": lambda response, fault: (response.asked or response.part)[: fault.after],
    },
    "total": {"total": lambda response, fault: len(response.file) + fault.after},  # too large
    "misplaced": {  # the right Content-Range, with bytes from the beginning of the file
        "body": lambda response, _: response.file[: len(response.part)],
    },
    "multipart": {  # multipart/byteranges
        "body": _multipart,
        "content_type": "multipart/byteranges; boundary=limit",
        "status": HTTPStatus.PARTIAL_CONTENT,
        "part": _whole,
    },
}
