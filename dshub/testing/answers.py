"""What can go wrong with an answer, and an answer as it goes onto the wire."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import cycle, repeat
from typing import Literal

Kind = Literal[
    "plain",  # nothing but what the fault's `headers` and `rate` say
    # no answer
    "hang-up",  # the connection is closed without one
    "abort",  # the same, with a TCP reset
    "silent",  # nothing ever comes
    "garbage",  # bytes that are no HTTP
    # the head
    "status",  # another status, without the file
    "busy",  # the same; who comes back within a second is banned, who waits gets the file
    "crowded",  # the same, while more than `after` requests are under way
    "redirect",  # `after` redirects, with `status`, before the file
    "early",  # `after` interim answers (1xx, `status`) before the answer
    "flood",  # headers without end
    "fold",  # a header over several lines
    "case",  # header names in odd case
    "drip-head",  # `rate` bytes a second
    "stall-head",  # nothing more comes after `after` bytes of it
    # the framing
    "http10",  # HTTP/1.0
    "no-length",  # the body ends where the connection does
    "chunked",  # no Content-Length, but chunks
    "odd-chunks",  # of odd sizes, with extensions and trailers
    "bad-chunk",  # whose sizes are no numbers
    "last-on-connection",  # the connection is closed after the answer, unannounced
    # the body
    "page",  # an HTML page
    "flip",  # one bit of the file, at `after`, is another
    "other",  # every byte of the file is another, its size the same
    "old",  # the same, with the ETag of another version
    "zeros",  # the file is zeros from `after` on
    "short",  # only `after` bytes, and the Content-Length fits them
    "extra",  # `after` bytes more than there should be, and the Content-Length fits them
    "long",  # bytes follow without end; a Content-Length is 1 TB
    "gzip",  # the body is encoded, though nobody asked for that
    "bomb",  # a small encoded body that decodes to 500 MB
    "cut",  # the connection ends after `after` bytes, though more were announced
    "reset",  # the same, with a TCP reset
    "stall",  # nothing more comes after `after` bytes
    # ranges
    "no-range",  # they are ignored: the whole file from its beginning
    "if-range",  # If-Range is ignored: a part, though of another version
    "start",  # a part that begins at `after`, wherever it was asked to begin
    "capped",  # a part of at most `after` bytes
    "total",  # Content-Range tells a size that is `after` bytes too large
    "misplaced",  # Content-Range is right, and the bytes are those of the beginning
    "multipart",  # the part comes as multipart/byteranges
]

End = Literal["keep", "close", "reset", "stall"]

PIECE = 1 << 16  # bytes sent at a time


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and how often.

    Attributes:
        kind: what; several are applied one after the other.
        times: for how many requests of a path, from the first one on.
        after: bytes of the body that arrive before, where the body is what goes wrong; below 0,
            counted from its end. What else it means stands beside each kind.
        status: for `status`, `busy`, `crowded`, `redirect` and `early`.
        headers: sent in place of the answer's own of the same name; without it where the value is
            empty. In a value `{size}` of the file, `{half}` of that and `{more}` than that,
            `{path}`, `{host}`, `{count}` of earlier requests, and the dates `{soon}` and `{past}`
            are filled in, and so are the words that `faulty_server` is given.
        rate: bytes a second of the body, or of the head for `drip-head`; 0 is as fast as can be.
        only: `range` spares requests without a Range header, `HEAD` all that are not HEAD.
    """

    kind: Kind | tuple[Kind, ...]
    times: int = 1_000_000
    after: int = 1000
    status: int = 503
    headers: tuple[tuple[str, str], ...] = ()
    rate: float = 0
    only: Literal["", "range", "HEAD"] = ""


@dataclass
class Answer:
    """What is about to be sent.

    Attributes:
        file: the bytes of the whole file.
        etag: its validator.
        asked: the part that the Range header asks for, if there is such a part.
        words: what the names in `Fault.headers` stand for.
        age: seconds since the path was first asked for.
        active: requests under way, this one included.
        ahead: sent before the status line.
        lines: sent after the headers, each with its line end.
        body: in place of the file, or of the asked part.
        length: told as Content-Length, in place of the body's own.
        head_stop, body_stop: bytes after which `end` happens.
    """

    file: bytes
    etag: str
    asked: range | None
    words: Mapping[str, str]
    age: float = 0
    active: int = 1
    version: str = "HTTP/1.1"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    overrides: tuple[tuple[str, str], ...] = ()
    spelling: Callable[[str], str] = str
    ahead: Iterable[bytes] = ()
    lines: Iterable[bytes] = ()
    body: Iterable[bytes] | None = None
    length: int | None = None
    framing: Literal["length", "close", "chunked", "odd-chunks", "bad-chunk"] = "length"
    head_rate: float = 0
    body_rate: float = 0
    head_stop: int | None = None
    body_stop: int | None = None
    end: End = "keep"

    def __post_init__(self) -> None:
        self.cover(range(len(self.file)))

    def cover(self, wanted: range, *, partial: bool = False) -> None:
        """Answer with a part of the file, or with all of it."""
        whole, self.wanted = len(self.file), wanted
        self.headers |= {"Accept-Ranges": "bytes", "ETag": self.etag}
        self.headers["Content-Type"] = "application/octet-stream"
        self.status = HTTPStatus.OK
        self.headers.pop("Content-Range", None)
        if partial or len(wanted) != whole:
            self.status = HTTPStatus.PARTIAL_CONTENT
            self.headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{whole}"

    def replace(self, body: bytes, content_type: str = "text/html") -> None:
        """Answer with other bytes than the file's."""
        self.body, self.length = [body], len(body)
        self.headers = {"Content-Type": content_type}

    def refuse(self, status: int) -> None:
        """Answer with another status and no body."""
        self.replace(b"")
        self.status = status

    @property
    def data(self) -> bytes:
        """The body as one piece."""
        if self.body is None:
            return self.file[self.wanted.start : self.wanted.stop]
        return b"".join(self.body)

    def head(self) -> Iterator[bytes]:
        """The bytes up to the body."""
        yield from self.ahead
        if self.head_stop == 0:
            return
        phrase = HTTPStatus(self.status).phrase if self.status in _KNOWN else ""
        lines = [f"{self.version} {self.status} {phrase}"]
        lines += [f"{self.spelling(name)}: {value}" for name, value in self._all_headers()]
        yield "".join(f"{line}\r\n" for line in lines).encode("latin-1")
        yield from self.lines
        yield b"\r\n"

    def _all_headers(self) -> Iterator[tuple[str, str]]:
        headers = dict(self.headers)
        if self.framing == "length" and self.status not in {204, 304}:
            length = len(self.wanted) if self.length is None else self.length
            headers["Content-Length"] = str(length)
        elif self.framing != "close":
            headers["Transfer-Encoding"] = "chunked"
        replaced = {name.lower() for name, _ in self.overrides}
        yield from (item for item in headers.items() if item[0].lower() not in replaced)
        for name, value in self.overrides:
            if value:
                yield name, value.format_map(self.words)

    def payload(self) -> Iterator[bytes]:
        """The bytes of the body as it is framed."""
        body = [self.data] if self.body is None else self.body
        body = _limited(body, self.body_stop)
        if self.framing in {"length", "close"}:
            return _resized(body, repeat(PIECE))
        return self._chunks(body)

    def _chunks(self, body: Iterable[bytes]) -> Iterator[bytes]:
        odd = self.framing == "odd-chunks"
        sizes = cycle((1, 7, 4096, 65_537)) if odd else repeat(PIECE)
        for piece in _resized(body, sizes):
            size = f'{len(piece):06X};note="a;b"' if odd else f"{len(piece):x}"
            size = "banana" if self.framing == "bad-chunk" else size
            yield b"%s\r\n%s\r\n" % (size.encode(), piece)
        if self.body_stop is None:
            yield b"0\r\nX-Checked: yes\r\nX-Note: a\r\n\r\n" if odd else b"0\r\n\r\n"


_KNOWN = {status.value for status in HTTPStatus}


def _limited(body: Iterable[bytes], stop: int | None) -> Iterator[bytes]:
    """The first bytes of a body."""
    left = stop
    for piece in body:
        yield piece if left is None else piece[:left]
        if left is not None:
            left -= len(piece)
            if left <= 0:
                return


def _resized(body: Iterable[bytes], sizes: Iterator[int]) -> Iterator[bytes]:
    """The same bytes in pieces of other sizes."""
    for piece in body:
        begin = 0
        while begin < len(piece):
            end = begin + next(sizes)
            yield piece[begin:end]
            begin = end
