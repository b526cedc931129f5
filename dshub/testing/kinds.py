"""What each kind of fault changes about an answer.

What is right is RFC 9110 (semantics) and RFC 9112 (HTTP/1.1 messages); each kind breaks one rule
of them, or uses a freedom that they give.
"""

import gzip
import zlib
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from itertools import repeat
from typing import Any

from dshub.testing.answers import PIECE, Answer, End, Fault, Kind

FLOOD = 64 << 20  # bytes after which endless things end: a client that is still there has failed
PAGE = b"<!DOCTYPE html><title>Sign in</title><p>Welcome to this network."
PAUSE = 1.0  # seconds for which a `busy` server wants to be left alone

_SPARED = "spared"  # what a kind returns that leaves this answer as it was

_Change = Callable[[Answer, Fault], str | None]


def apply(fault: Fault, answer: Answer) -> None:
    """Let everything go wrong with an answer that the fault says."""
    answer.body_rate, answer.overrides = fault.rate, fault.headers
    kinds = (fault.kind,) if isinstance(fault.kind, str) else fault.kind
    for kind in kinds:
        if _KINDS[kind](answer, fault) is _SPARED:
            answer.overrides = ()
            break
    lies = any(name.lower() == "content-length" for name, _ in answer.overrides)
    if lies and answer.end == "keep":
        answer.end = "close"  # or what is left of the body would be taken for the next answer


@cache
def _bomb() -> bytes:
    """500 MB of zeros as gzip of fifty members, which any decoder takes for one stream."""
    packer = zlib.compressobj(9, wbits=31)
    return (packer.compress(bytes(10 << 20)) + packer.flush()) * 50


def _flip(answer: Answer, fault: Fault) -> None:
    data = bytearray(answer.file)
    data[min(fault.after, len(data) - 1)] ^= 1
    answer.file = bytes(data)


def _other(answer: Answer, _: Fault) -> None:
    answer.file = answer.file.translate(bytes(byte ^ 0x5A for byte in range(256)))


def _old(answer: Answer, fault: Fault) -> None:
    _other(answer, fault)
    answer.etag = answer.headers["ETag"] = '"an-older-version"'


def _zeros(answer: Answer, fault: Fault) -> None:
    answer.file = answer.file[: fault.after].ljust(len(answer.file), b"\0")


def _short(answer: Answer, fault: Fault) -> None:
    answer.body, answer.length = [answer.data[: fault.after]], fault.after


def _extra(answer: Answer, fault: Fault) -> None:
    data = answer.data + bytes(fault.after)
    answer.body, answer.length = [data], len(data)


def _long(answer: Answer, _: Fault) -> None:
    answer.body, answer.length = repeat(bytes(PIECE), FLOOD // PIECE), 10**12
    answer.end = "close"


def _gzip(answer: Answer, _: Fault) -> None:
    if answer.body is None:  # a server that encodes on the fly knows no ranges
        answer.cover(range(len(answer.file)))
        answer.headers |= {"ETag": f"W/{answer.etag}", "Accept-Ranges": "none"}
    data = gzip.compress(answer.data, compresslevel=1, mtime=0)
    answer.body, answer.length = [data], len(data)
    answer.headers |= {"Content-Encoding": "gzip"}


def _bombed(answer: Answer, _: Fault) -> None:
    answer.body, answer.length = [_bomb()], len(_bomb())
    answer.headers |= {"Content-Encoding": "gzip"}


def _multipart(answer: Answer, _: Fault) -> None:
    told = answer.headers.pop("Content-Range", "bytes 0-0/1")
    head = f"--limit\r\nContent-Type: x/y\r\nContent-Range: {told}\r\n\r\n".encode()
    answer.body = [head + answer.data + b"\r\n--limit--\r\n"]
    answer.length = len(answer.body[0])
    answer.headers["Content-Type"] = "multipart/byteranges; boundary=limit"


def _busy(answer: Answer, fault: Fault) -> str | None:
    if answer.age >= PAUSE:
        return _SPARED
    first = answer.words["count"] == "0"
    answer.refuse(fault.status if first else HTTPStatus.FORBIDDEN)
    return None


def _crowded(answer: Answer, fault: Fault) -> str | None:
    if answer.active <= fault.after:
        return _SPARED
    answer.refuse(fault.status)
    return None


def _redirect(answer: Answer, fault: Fault) -> str | None:
    hop = int(answer.words["hop"])
    if hop >= fault.after:
        return _SPARED
    answer.refuse(fault.status)
    answer.headers["Location"] = f"?hop={hop + 1}"
    return None


def _early(answer: Answer, fault: Fault) -> None:
    link = "" if fault.status == HTTPStatus.CONTINUE else "Link: </style.css>; rel=preload\r\n"
    interim = f"HTTP/1.1 {fault.status} {HTTPStatus(fault.status).phrase}\r\n{link}\r\n"
    answer.ahead = repeat(interim.encode(), fault.after)


def _flood(answer: Answer, _: Fault) -> None:
    line = f"X-More: {'x' * 1000}\r\n".encode()
    answer.lines, answer.end = repeat(line, FLOOD // len(line)), "close"


def _drip_head(answer: Answer, fault: Fault) -> None:
    answer.head_rate, answer.body_rate = fault.rate, 0


def _misplaced(answer: Answer, _: Fault) -> None:
    answer.body, answer.length = [answer.file[: len(answer.wanted)]], len(answer.wanted)


def _total(answer: Answer, fault: Fault) -> None:
    begin, total = answer.wanted.start, len(answer.file) + fault.after
    answer.headers["Content-Range"] = f"bytes {begin}-{answer.wanted.stop - 1}/{total}"


def _capped(answer: Answer, fault: Fault) -> None:
    wanted = answer.asked or range(len(answer.file))
    answer.cover(wanted[: fault.after])


def _ends(end: End) -> _Change:
    """Ends after some bytes of the body."""

    def change(answer: Answer, fault: Fault) -> None:
        before = fault.after if fault.after >= 0 else len(answer.wanted) + fault.after
        answer.body_stop, answer.end = before, end

    return change


def _has(**values: Any) -> _Change:
    """Sets attributes of the answer."""

    def change(answer: Answer, _: Fault) -> None:
        for name, value in values.items():
            setattr(answer, name, value)

    return change


def _stall_head(answer: Answer, fault: Fault) -> None:
    answer.head_stop, answer.end = fault.after, "stall"


def _shuffled_case(name: str) -> str:
    return "".join(char.upper() if i % 2 else char.lower() for i, char in enumerate(name))


_KINDS: dict[Kind, _Change] = {
    "plain": _has(),
    "hang-up": _has(head_stop=0, end="close"),
    "abort": _has(head_stop=0, end="reset"),
    "silent": _has(head_stop=0, end="stall"),
    "garbage": _has(ahead=[b"SSH-2.0-server\r\n"], head_stop=0, end="close"),
    "status": lambda answer, fault: answer.refuse(fault.status),
    "busy": _busy,
    "crowded": _crowded,
    "redirect": _redirect,
    "early": _early,
    "flood": _flood,
    "fold": _has(lines=[b"X-Folded: one\r\n two\r\n\tthree\r\n"]),
    "case": _has(spelling=_shuffled_case),
    "drip-head": _drip_head,
    "stall-head": _stall_head,
    "http10": _has(version="HTTP/1.0", end="close"),
    "no-length": _has(framing="close", end="close"),
    "chunked": _has(framing="chunked"),
    "odd-chunks": _has(framing="odd-chunks"),
    "bad-chunk": _has(framing="bad-chunk", end="close"),
    "last-on-connection": _has(end="close"),
    "page": lambda answer, _: answer.replace(PAGE),
    "flip": _flip,
    "other": _other,
    "old": _old,
    "zeros": _zeros,
    "short": _short,
    "extra": _extra,
    "long": _long,
    "gzip": _gzip,
    "bomb": _bombed,
    "cut": _ends("close"),
    "reset": _ends("reset"),
    "stall": _ends("stall"),
    "no-range": lambda answer, _: answer.cover(range(len(answer.file))),
    "if-range": lambda answer, _: answer.cover(answer.asked or answer.wanted),
    "start": lambda answer, fault: answer.cover(range(fault.after, len(answer.file)), partial=True),
    "capped": _capped,
    "total": _total,
    "misplaced": _misplaced,
    "multipart": _multipart,
}
