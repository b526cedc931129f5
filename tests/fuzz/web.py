"""Fuzz HTTP: requests to `dshub serve`, responses to downloads, and downloaded error pages."""

import gzip
import socket
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from http import HTTPStatus
from unittest import mock

from dshub.catalog.manifest import Resource
from dshub.download.diagnosis import diagnose
from dshub.download.streams import decode
from dshub.download.transports import Answer
from dshub.download.transports.http import Transport
from dshub.mirrors.serve.http import Refusal, Validators, parse, requested_range, response_head
from dshub.mirrors.serve.routes import Folder, split_path

from .target import Target, scratch, tried, written

MOST = 1 << 16  # maximum bytes to read from a response


def request(data: bytes) -> None:
    """Parse the head of a request and evaluate its conditions and range."""
    validators = Validators('"tag"', 1_700_000_000)
    try:
        parsed = parse(data)
        parts = split_path(parsed.path)
        if parts is not None:
            _look_up(parts)
        validators.match_cached(parsed)
        validators.check_preconditions(parsed)
        part = requested_range(parsed, 10, validators)
        assert part is None or 0 <= part.start < part.stop <= 10
        assert response_head(HTTPStatus.OK, validators.headers, keep_alive=parsed.keep_alive)
    except Refusal as refusal:
        response_head(refusal.status, refusal.headers, keep_alive=False)


def _look_up(parts: tuple[str, ...]) -> None:
    """Check that no path opens any file except the served one."""
    assert not {"", ".", ".."} & set(parts)
    opened = _served().open(parts)
    if opened is not None:
        opened.file.close()
        assert parts == ("file.txt",)


@cache
def _served() -> Folder:
    """Create a folder with one file to serve."""
    folder = scratch("served")
    folder.mkdir()
    written(b"0123456789", "served/file.txt")
    return Folder(folder)


def _requests() -> dict[str, bytes]:
    lines = {
        "plain": "GET /file.txt HTTP/1.1\r\nHost: a",
        "range": 'GET /a%20b?q HTTP/1.1\r\nHost: a\r\nRange: bytes=2-5\r\nIf-Range: "tag"',
        "known": 'HEAD / HTTP/1.0\r\nIf-None-Match: W/"tag", "b"\r\nConnection: keep-alive',
        "dates": "GET http://a/b HTTP/1.1\r\nHost: a\r\n"
        "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\nContent-Length: 0",
    }
    return {name: text.encode() for name, text in lines.items()}


@contextmanager
def _answering(data: bytes) -> Iterator[None]:
    """Make every connection deliver these bytes, then close."""
    peers = []

    def connect(*_: object, **__: object) -> socket.socket:
        ours, theirs = socket.socketpair()
        theirs.sendall(data[:MOST])
        theirs.shutdown(socket.SHUT_WR)
        peers.append(theirs)
        return ours

    try:
        with mock.patch("urllib3.util.connection.create_connection", connect):
            yield
    finally:
        for peer in peers:
            peer.close()


def response(data: bytes) -> None:
    """Send GET, with and without a range, and HEAD to a server that replies with the input."""
    with _answering(data), closing(Transport(timeout=1)) as transport:
        for start in (0, 5):
            with tried, transport.open("http://host.example/a", start=start) as answer:
                _read(answer)
        with tried:
            assert transport.head("http://host.example/a").status


def _read(answer: Answer) -> None:
    buffer, left = memoryview(bytearray(4096)), MOST
    while left > 0 and (count := answer.readinto(buffer)):
        left -= count


def _responses() -> dict[str, bytes]:
    heads = {
        "whole": '200 OK\r\nContent-Length: 4\r\nETag: "a"\r\nAccept-Ranges: bytes\r\n\r\nbody',
        "part": "206 Partial\r\nContent-Range: bytes 5-8/9\r\nContent-Length: 4\r\n\r\nbody",
        "chunks": "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nbody\r\n0\r\nX: y\r\n\r\n",
        "moved": "302 Found\r\nLocation: /b?c\r\nContent-Length: 0\r\n\r\n",
        "later": "503 Busy\r\nRetry-After: Tue, 14 Nov 2023 22:13:20 GMT\r\n\r\n",
        "hints": "103 Early\r\nLink: x\r\n\r\nHTTP/1.1 404 None\r\n\r\n",
        "packed": "200 OK\r\nContent-Encoding: gzip\r\n\r\nbody",
    }
    return {name: f"HTTP/1.1 {text}".encode() for name, text in heads.items()}


def page(data: bytes) -> None:
    """Diagnose an input that is not the published file, under several names."""
    path = written(data)
    for name in ("file.gz", "file.zip", "file"):
        resource = Resource(filename=name, sha256="0" * 64, size=1000)
        what, hint = diagnose(path, resource, len(data))
        assert what.isprintable()
        assert isinstance(hint, str)


def _pages() -> dict[str, bytes]:
    return {
        "login.html": b"<!DOCTYPE html><title>Sign in &amp; go</title>",
        "quota.html": b"<html><head><title>Quota exceeded</title>",
        "cut.gz": b"\x1f\x8b\x08\0cut",
    }


def encoded(data: bytes) -> None:
    """Decode a compressed response body."""
    path = written(data)
    for encoding in ("gzip", "deflate", "br"):
        with tried:
            decode("http://host.example/a", path, scratch("decoded"), encoding, MOST)
            assert scratch("decoded").stat().st_size <= MOST + 1


def _bodies() -> dict[str, bytes]:
    return {"body.gz": gzip.compress(b"a body" * 9, mtime=0), "body.zz": zlib.compress(b"a body")}


TARGETS = (
    Target(
        "request",
        request,
        _requests,
        tokens=(
            b"\r\n",
            b": ",
            b"\0",
            b"%2e%2e",
            b"%00",
            b"Range: bytes=",
            b"HTTP/1.1",
        ),
    ),
    Target(
        "response",
        response,
        _responses,
        tokens=(b"\r\n", b"Content-Range: bytes ", b"Transfer-Encoding: chunked", b"Location: "),
    ),
    Target("page", page, _pages, tokens=(b"<title>", b"</title>", b"<html"), share=0.5),
    Target("encoding", encoded, _bodies, share=0.3),
)
