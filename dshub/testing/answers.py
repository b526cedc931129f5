"""Build HTTP responses with faults.

RFC 9110 (semantics) and RFC 9112 (HTTP/1.1 messages) define correct responses. Each kind of fault
breaks a rule of these RFCs, or uses an option that clients often overlook.
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

PIECE = 1 << 16  # bytes per write
FLOOD = 64 << 20  # bytes of an endless response; a client should give up earlier
PAUSE = 1.0  # seconds that a client of a `busy` server must wait before a retry
PAGE = b"<!DOCTYPE html><title>Sign in</title><p>Welcome to this network."
HTML = {"Content-Type": "text/html"}


@dataclass(frozen=True)
class Fault:
    """Fault in the responses for a path.

    Attributes:
        kind: a name in `KINDS`, or several names, applied in order.
        times: number of affected requests, starting with the first request for the path.
        after: number of body bytes before a fault in the body; a negative number counts from the
            end. Other kinds use it as `KINDS` describes.
        status: status code for the kinds `status`, `busy`, `crowded`, `redirect` and `early`.
        headers: headers to set; an empty value removes the header. Values can have placeholders:
            `{size}` (file size), `{half}` (half of it), `{more}` (more than it), `{path}`,
            `{host}`, `{count}` (earlier requests), `{soon}` and `{past}` (dates), and the `words`
            of `faulty_server`.
        rate: bytes per second of the body, or of the head for `drip-head`; 0 for no limit.
        only: `range` to affect only requests with a Range header; `HEAD` to affect only HEAD
            requests.

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
            expected = f"one of {', '.join(KINDS)}"
            raise ArgumentError(name="kind", value=self.kind, expected=expected)

    @property
    def kinds(self) -> tuple[str, ...]:
        """All kinds of the fault, in order."""
        return (self.kind,) if isinstance(self.kind, str) else self.kind


@dataclass
class Response:
    """Response before it is sent; faults change its attributes.

    Attributes:
        file: contents of the file.
        etag: ETag of the file.
        requested: byte range from the Range header; the whole file without the header, and None
            for an unsatisfiable range.
        part: byte range to send.
        words: values of the placeholders in `Fault.headers`.
        age: seconds since the first request for the path.
        active: number of requests in progress, including this one.
        version: HTTP version in the status line.
        status: status code; None for 200 or 206.
        headers: headers that replace the default headers of a file; None for the defaults.
        overrides: headers to set or remove; see `Fault.headers`.
        accept_ranges: value of Accept-Ranges.
        content_type: value of Content-Type.
        total: file size in Content-Range; None for the real size.
        encoding: value of Content-Encoding.
        spelling: function that changes header names.
        early: bytes to send before the status line.
        lines: bytes to send after the headers.
        partial: send 206 even for the whole file.
        body: body to send; None for `part` of the file.
        tail: bytes to send after the body.
        length: value of Content-Length; None for the real length.
        sized: send Content-Length.
        chunk: format of the size line of each chunk; empty for a body that is not chunked.
        sizes: number of bytes in each write or chunk; repeated.
        trailer: bytes that end a chunked body.
        head_rate: maximum bytes per second of the head; 0 for no limit.
        body_rate: maximum bytes per second of the body; 0 for no limit.
        head_stop: number of head bytes to send before `end`; None to send the whole response.
        end: what happens to the connection after the response.
    """

    file: bytes
    etag: str
    requested: range | None
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
        """Body without `tail`."""
        return self.file[self.part.start : self.part.stop] if self.body is None else self.body

    @property
    def content_range(self) -> str:
        """Value of Content-Range."""
        return f"bytes {self.part.start}-{self.part.stop - 1}/{self.total or len(self.file)}"

    def apply(self, fault: Fault) -> None:
        """Apply a fault to the response."""
        self.body_rate, self.overrides = fault.rate, fault.headers
        for kind in fault.kinds:
            if kind in _EXEMPTIONS and _EXEMPTIONS[kind](self, fault):
                self.overrides = ()
                break
            for name, value in KINDS[kind].items():
                setattr(self, name, value(self, fault) if callable(value) else value)
        wrong_length = any(name.lower() == "content-length" for name, _ in self.overrides)
        if wrong_length and self.end == "keep":
            self.end = "close"  # the client would read extra bytes as the next response

    def head(self) -> Iterator[bytes]:
        """Yield the bytes before the body."""
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
        kept = [(name, value) for name, value in headers.items() if name.lower() not in replaced]
        new = [(name, value.format_map(self.words)) for name, value in self.overrides]
        yield from ((name, value) for name, value in kept + new if value)

    def payload(self) -> Iterator[bytes]:
        """Yield the bytes of the body, in chunks if the body is chunked."""
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
    """Return 500 MB of zeros as gzip with 50 members, which decoders read as one stream."""
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
    """Return the changes for a body that ends after `after` bytes."""
    return {
        "length": lambda response, _: len(response.data),
        "body": lambda response, fault: response.data[: fault.after],
        "tail": (),
        "trailer": b"",
        "end": end,
    }


_EMPTY = {"body": b"", "headers": HTML}

_EXEMPTIONS: dict[str, Callable[[Response, Fault], bool]] = {
    "busy": lambda response, _: response.age >= PAUSE,
    "crowded": lambda response, fault: response.active <= fault.after,
    "redirect": lambda response, fault: int(response.words["hop"]) >= fault.after,
}
"""Conditions under which a kind, and the kinds after it, do not apply."""

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},  # no fault except `headers` and `rate`
    # no response
    "hang-up": {"head_stop": 0, "end": "close"},
    "abort": {"head_stop": 0, "end": "reset"},  # TCP reset
    "silent": {"head_stop": 0, "end": "stall"},
    "garbage": {"early": [b"SSH-2.0-server\r\n"], "head_stop": 0, "end": "close"},  # not HTTP
    # faults in the head
    "status": {**_EMPTY, "status": _status},  # another status, and no body
    "busy": {**_EMPTY, "status": _busy_status},  # a client that retries within `PAUSE` gets 403
    "crowded": {**_EMPTY, "status": _status},  # while more than `after` requests are in progress
    "redirect": {"body": b"", "headers": _next_hop, "status": _status},  # `after` redirects
    "early": {"early": _interim},  # `after` interim (1xx) responses with `status`
    "flood": {  # endless headers
        "lines": lambda *_: repeat(b"X-More: %s\r\n" % (b"x" * 1000), FLOOD // 1000),
        "end": "close",
    },
    "fold": {"lines": [b"X-Folded: one\r\n two\r\n\tthree\r\n"]},  # one header on several lines
    "case": {"spelling": lambda *_: str.swapcase},  # header names in unusual case
    "drip-head": {"head_rate": lambda _, fault: fault.rate, "body_rate": 0},
    "stall-head": {
        "head_stop": lambda _, fault: fault.after,
        "end": "stall",
    },  # after `after` bytes
    # faults in the framing
    "http10": {"version": "HTTP/1.0", "end": "close"},
    "no-length": {"sized": False, "end": "close"},  # closing the connection ends the body
    "chunked": {"chunk": "{:x}"},
    "odd-chunks": {  # odd sizes, extensions and trailers
        "chunk": '{:06X};note="a;b"',
        "sizes": (1, 7, 4096, 65_537),
        "trailer": b"0\r\nX-Checked: yes\r\nX-Note: a\r\n\r\n",
    },
    "bad-chunk": {"chunk": "banana", "end": "close"},  # sizes that are not numbers
    "last-on-connection": {"end": "close"},  # close the connection without `Connection: close`
    # faults in the body
    "page": {"body": PAGE, "headers": HTML},
    "flip": {"file": _flipped},  # one flipped bit, at `after`
    "other": {"file": _scrambled},  # other bytes of the same size
    "old": {"file": _scrambled, "etag": '"an-older-version"'},
    "zeros": {"file": _zeroed},  # zeros from offset `after`
    # the first `after` bytes, or `after` extra bytes, with a matching Content-Length
    "short": {"body": lambda response, fault: response.data[: fault.after]},
    "extra": {"body": lambda response, fault: response.data + bytes(fault.after)},
    "long": {  # endless, with a Content-Length of 1 TB
        "body": b"",
        "tail": lambda *_: repeat(bytes(PIECE), FLOOD // PIECE),
        "length": 10**12,
        "end": "close",
    },
    "gzip": {  # compressed although the client did not ask for it, and without support for ranges
        "part": _whole,
        "body": lambda response, _: gzip.compress(response.data, compresslevel=1, mtime=0),
        "etag": lambda response, _: f"W/{response.etag}",
        "accept_ranges": "none",
        "encoding": "gzip",
    },
    "bomb": {"body": lambda *_: _bomb(), "encoding": "gzip"},  # decompresses to 500 MB
    "cut": _cut("close"),  # close the connection after `after` bytes
    "reset": _cut("reset"),
    "stall": _cut("stall"),  # keep the connection open, but send only `after` bytes
    # faults in ranges
    "no-range": {"part": _whole},  # ignore the Range header
    "if-range": {
        "part": lambda response, _: response.requested or response.part
    },  # ignore If-Range
    "start": {  # start at `after` instead of the requested offset
        "part": lambda response, fault: range(fault.after, len(response.file)),
        "partial": True,
    },
    "capped": {  # send at most `after` bytes
        "part": lambda response, fault: (response.requested or response.part)[: fault.after],
    },
    "total": {"total": lambda response, fault: len(response.file) + fault.after},  # wrong file size
    "misplaced": {  # the correct Content-Range, but bytes from the beginning of the file
        "body": lambda response, _: response.file[: len(response.part)],
    },
    "multipart": {
        "body": _multipart,
        "content_type": "multipart/byteranges; boundary=limit",
        "status": HTTPStatus.PARTIAL_CONTENT,
        "part": _whole,
    },
}
