from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path

import pytest
import requests

from tests.independent.wire import ask, say


def test_range_of_a_file_is_sent(url: str, data: bytes) -> None:
    reply = requests.get(f"{url}/sub/data", timeout=5)
    assert reply.content == data
    for value, expected in {
        "1000-1999": data[1000:2000],
        "255000-": data[255000:],
        "-500": data[-500:],
        "-999999": data,
        "255999-300000": data[-1:],
        "0-0": data[:1],
    }.items():
        part = ask(url, "/sub/data", Range=f"bytes={value}")
        assert (part.status, part.body) == (206, expected)
        start = len(data) - len(expected) if data.endswith(expected) else int(value.split("-")[0])
        stop = start + len(expected) - 1
        if len(expected) < len(data):
            assert part.headers["content-range"] == f"bytes {start}-{stop}/{len(data)}"
    head = ask(url, "/sub/data", "HEAD")
    assert (head.headers["content-length"], head.body) == (str(len(data)), b"")
    assert ask(url, "/empty").body == b""


@pytest.mark.parametrize(
    "value", ["bytes=5-1", "bytes=a-b", "lines=1-2", "bytes=0-1,5-9", "bytes=-"]
)
def test_unsupported_range_header_gets_the_complete_file(url: str, data: bytes, value: str) -> None:
    reply = ask(url, "/sub/data", Range=value)
    assert (reply.status, reply.body) == (200, data)


@pytest.mark.parametrize("value", ["bytes=999999-", "bytes=256000-", "bytes=-0"])
def test_range_beyond_the_end_is_416(url: str, value: str) -> None:
    reply = ask(url, "/sub/data", Range=value)
    assert (reply.status, reply.headers["content-range"]) == (416, "bytes */256000")


def test_if_range_with_another_validator_gets_the_complete_file(url: str, data: bytes) -> None:
    headers = ask(url, "/sub/data", "HEAD").headers
    for value, status in {
        headers["etag"]: 206,
        headers["last-modified"]: 206,
        '"other"': 200,
        f"W/{headers['etag']}": 200,
        formatdate(0, usegmt=True): 200,
    }.items():
        reply = ask(url, "/sub/data", Range="bytes=10-", If_Range=value)
        assert (reply.status, reply.body) == (status, data[10 if status == 206 else 0 :])


def test_unchanged_file_is_not_sent_again(url: str) -> None:
    """If-None-Match takes precedence over If-Modified-Since."""
    validators = ask(url, "/sub/data", "HEAD").headers
    etag, date = validators["etag"], validators["last-modified"]
    cases: list[tuple[Mapping[str, str], int]] = [
        ({"If_None_Match": etag}, 304),
        ({"If_None_Match": f'"a", W/{etag}'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"other"'}, 200),
        ({"If_Modified_Since": date}, 304),
        ({"If_Modified_Since": formatdate(0, usegmt=True)}, 200),
        ({"If_Modified_Since": "yesterday"}, 200),
        ({"If_None_Match": '"other"', "If_Modified_Since": date}, 200),
    ]
    for headers, status in cases:
        reply = ask(url, "/sub/data", **headers)
        assert reply.status == status, headers
        assert reply.headers["etag"] == etag
        assert bool(reply.body) == (status == 200)


def test_failed_precondition_is_412(url: str) -> None:
    validators = ask(url, "/sub/data", "HEAD").headers
    etag, date = validators["etag"], validators["last-modified"]
    cases: list[tuple[Mapping[str, str], int]] = [
        ({"If_Match": etag}, 206),
        ({"If_Match": f'"a", {etag}'}, 206),
        ({"If_Match": "*"}, 206),
        ({"If_Match": '"other"'}, 412),
        ({"If_Match": f"W/{etag}"}, 412),
        ({"If_Unmodified_Since": date}, 206),
        ({"If_Unmodified_Since": formatdate(0, usegmt=True)}, 412),
        ({"If_Unmodified_Since": "yesterday"}, 206),
        ({"If_Match": etag, "If_Unmodified_Since": formatdate(0, usegmt=True)}, 206),
    ]
    for headers, status in cases:
        assert ask(url, "/sub/data", Range="bytes=10-", **headers).status == status, headers


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /sub/data HTTP/1.1\r\n\r\n", 400),  # no Host header
        (b"GET /sub/data HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /sub/data HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET /sub/data HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400),
        (b"GET  /sub/data HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /sub/data\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),  # start of a TLS handshake
        (b"GET sub/data HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /sub/data HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 9000, 431),
        (b"PUT /new HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"DELETE /sub/data HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 413),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
    ],
)
def test_invalid_request_gets_an_error_status(url: str, data: bytes, status: int) -> None:
    data = data.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n")
    assert say(url, data).status == status


def test_other_methods_are_405(url: str, folder: Path, data: bytes) -> None:
    for method in ("PUT", "POST", "DELETE", "PATCH", "MKCOL", "OPTIONS"):
        reply = ask(url, "/sub/data", method)
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")
    assert (folder / "sub" / "data").read_bytes() == data
