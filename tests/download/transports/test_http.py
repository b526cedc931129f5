"""Test HTTP with local servers."""

import socket
import traceback
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import time
from typing import Any

import pytest
import responses

from dshub.download.transports.http import Transport
from dshub.errors import TransportError
from dshub.mirrors.serve.server import serving
from dshub.testing.transports import TransportTests


class TestHttp(TransportTests):
    """Run the transport tests with a server for each test's folder."""

    @pytest.fixture(autouse=True)
    def _serve(self, tmp_path: Path) -> Iterator[None]:
        self.folder = tmp_path
        with serving(tmp_path) as self.address:
            yield

    def transport(self) -> Transport:
        return Transport(timeout=5)

    def url(self, path: Path) -> str:
        return f"{self.address}/{path.relative_to(self.folder).as_posix()}"


@contextmanager
def serve_answer(
    status: int, headers: dict[str, str], body: bytes = b""
) -> Iterator[tuple[str, Any]]:
    """Serve one response to every request and yield the URL and the request headers."""
    requests: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # name required by http.server
            requests.append(self.headers)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/file", requests
        server.shutdown()


def error_of(url: str) -> TransportError:
    """Return the error that opening a URL raises."""
    with closing(Transport(timeout=2)) as transport, pytest.raises(TransportError) as caught:
        transport.open(url)
    return caught.value


def test_stored_bytes_are_never_decoded() -> None:
    body = b"\x1f\x8b\x08\x00 not really compressed"
    with serve_answer(200, {"Content-Encoding": "gzip"}, body) as (url, requests):
        with closing(Transport(timeout=2)) as transport, transport.open(url) as answer:
            buffer = memoryview(bytearray(1000))
            assert bytes(buffer[: answer.readinto(buffer)]) == body
            assert answer.encoding == "gzip"
        assert requests[0]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_permanent_error_status_is_not_transient(status: int) -> None:
    with serve_answer(status, {}) as (url, _):
        error = error_of(url)
    assert not error.transient
    assert str(status) in str(error)
    assert url in str(error)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_temporary_error_status_is_transient(status: int) -> None:
    with serve_answer(status, {"Retry-After": "7"}) as (url, _):
        error = error_of(url)
    assert error.transient
    assert error.retry_after == 7


def test_retry_after_can_be_a_date() -> None:
    with serve_answer(503, {"Retry-After": formatdate(time() + 60, usegmt=True)}) as (url, _):
        error = error_of(url)
    assert error.retry_after is not None
    assert 50 < error.retry_after < 70


def test_answer_with_another_range_is_not_used() -> None:
    headers = {"Content-Range": "bytes 3-9/10"}
    with serve_answer(206, headers, b"0123456") as (url, requests):
        with closing(Transport(timeout=2)) as transport, pytest.raises(TransportError):
            transport.open(url, start=5)
        assert [request["Range"] for request in requests] == ["bytes=5-", None]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x/"])
def test_redirects_lead_to_http_only(target: str) -> None:
    """A server must not redirect dshub to a local file."""
    with serve_answer(302, {"Location": target}) as (url, _):
        error = error_of(url)
    assert "redirect" in str(error)
    assert "refused" in str(error)
    assert not error.transient


@responses.activate
def test_redirect_from_https_to_http_is_refused() -> None:
    responses.get(
        "https://safe.example/x", status=302, headers={"Location": "http://safe.example/y"}
    )
    responses.get("http://safe.example/y", body=b"data")
    assert "refused" in str(error_of("https://safe.example/x"))


def test_redirect_loop_is_an_error() -> None:
    with serve_answer(302, {"Location": "/file"}) as (url, requests):
        error = error_of(url)
    assert "redirects" in str(error)
    assert len(requests) == 11


def test_closed_port_is_unreachable() -> None:
    with socket.socket() as unused_socket:
        unused_socket.bind(("127.0.0.1", 0))
        error = error_of(f"http://127.0.0.1:{unused_socket.getsockname()[1]}/file")
    assert error.unreachable
    assert error.transient
    assert "refused" in str(error)


def test_silent_server_times_out() -> None:
    with socket.socket() as quiet:
        quiet.bind(("127.0.0.1", 0))
        quiet.listen()
        url = f"http://127.0.0.1:{quiet.getsockname()[1]}/file"
        with (
            closing(Transport(timeout=0.2)) as transport,
            pytest.raises(TransportError, match="timed out") as caught,
        ):
            transport.open(url)
    assert caught.value.transient


def test_password_in_an_address_wins_over_netrc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with (
        serve_answer(200, {}, b"data") as (url, requests),
        closing(Transport(timeout=5)) as transport,
    ):
        for address in (url.replace("//", "//us%40er:p%2Fw@"), url):
            transport.open(address).close()
    sent = [b64decode(headers["Authorization"].removeprefix("Basic ")) for headers in requests]
    assert sent == [b"us@er:p/w", b"someone:other"]


def test_cause_of_an_error_shows_no_query() -> None:
    """Tracebacks are often shared, and errors of urllib3 contain the URL."""
    address = f"http://user:{'pw' * 3}@127.0.0.1:9/x?token={'pw' * 3}"
    with closing(Transport(timeout=5)) as transport, pytest.raises(TransportError) as caught:
        transport.open(address)
    assert "pwpwpw" not in "".join(traceback.format_exception(caught.value))
