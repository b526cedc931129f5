"""Test servers that violate HTTP or use unusual parts of it."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from dshub.cache.store import Store
from dshub.cache.usage import usage
from dshub.catalog.manifest import Resource
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.errors import FetchError
from dshub.mirrors.serve.server import serving
from dshub.testing.answers import Fault
from dshub.testing.server import faulty_server

MakeJob = Callable[..., Job]
Answer = Callable[[socket.socket, int, int | None, bytes], None]


@contextmanager
def serve_answer(answer: Answer, content: bytes) -> Iterator[tuple[str, list[int | None]]]:
    """Serve one response to each connection and yield the URL and the requested offsets.

    `answer` gets the connection, its number, the offset of the Range header and the file.
    """
    offsets: list[int | None] = []

    def respond(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            start = None
            for line in iter(reader.readline, b"\r\n"):
                name, _, value = line.decode().partition(": ")
                if name == "Range":
                    start = int(value.strip().removeprefix("bytes=").removesuffix("-"))
            offsets.append(start)
            with suppress(OSError):  # the client can disconnect before the end
                answer(connection, len(offsets), start, content)

    def accept_connections() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            respond(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=accept_connections, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/data.bin", offsets
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def head(status: str, length: int | None, *more: str) -> bytes:
    """Build the status line and headers of a response."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", *more]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


def hangs_up(connection: socket.socket, number: int, start: int | None, content: bytes) -> None:
    if number > 3:
        connection.sendall(head("200 OK", len(content)) + content)


def resets(connection: socket.socket, number: int, start: int | None, content: bytes) -> None:
    if number > 3:
        connection.sendall(head("200 OK", len(content)) + content)
    else:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def omits_length(connection: socket.socket, number: int, start: int | None, content: bytes) -> None:
    begin = start or 0
    content_range = (
        [f"Content-Range: bytes {begin}-{len(content) - 1}/{len(content)}"] if begin else []
    )
    status = "206 Partial Content" if begin else "200 OK"
    connection.sendall(head(status, None, *content_range) + content[begin : begin + 2_000_000])


def sends_invalid_length(
    connection: socket.socket, number: int, start: int | None, content: bytes
) -> None:
    connection.sendall(head("200 OK", None, "Content-Length: \xb2") + content)


def sends_chunks(connection: socket.socket, number: int, start: int | None, content: bytes) -> None:
    connection.sendall(head("200 OK", None, "Transfer-Encoding: chunked"))
    for i in range(0, len(content), 70_000):
        piece = content[i : i + 70_000]
        connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    connection.sendall(b"0\r\n\r\n")


def sends_a_part_at_a_time(
    connection: socket.socket, number: int, start: int | None, content: bytes
) -> None:
    piece = content[start or 0 :][:1_000_000]
    if start is None:
        connection.sendall(head("200 OK", len(content)) + piece)
        return
    content_range = f"Content-Range: bytes {start}-{start + len(piece) - 1}/{len(content)}"
    connection.sendall(head("206 Partial Content", len(piece), content_range) + piece)


def forbids_ranges(
    connection: socket.socket, number: int, start: int | None, content: bytes
) -> None:
    if start is not None:
        connection.sendall(head("403 Forbidden", 0))
    elif number == 1:
        connection.sendall(head("200 OK", len(content)) + content[:1_000_000])
    else:
        connection.sendall(head("200 OK", len(content)) + content)


def changes_the_file(
    connection: socket.socket, number: int, start: int | None, content: bytes
) -> None:
    if number == 1:
        connection.sendall(head("200 OK", len(content)) + b"an older version" * 1000)
    else:
        begin = start or 0
        content_range = f"Content-Range: bytes {begin}-{len(content) - 1}/{len(content)}"
        status = "206 Partial Content" if begin else "200 OK"
        connection.sendall(head(status, len(content) - begin, content_range) + content[begin:])


@pytest.mark.parametrize(
    "answer",
    [
        hangs_up,
        resets,
        omits_length,
        sends_invalid_length,
        sends_chunks,
        sends_a_part_at_a_time,
        forbids_ranges,
        changes_the_file,
    ],
)
def test_odd_responses_deliver_the_file(
    answer: Answer, fetcher: Fetcher, job: MakeJob, content: bytes
) -> None:
    with serve_answer(answer, content) as (url, _):
        [fetched] = fetcher.fetch([job(url)])
    assert fetched.path.read_bytes() == content


def drips(connection: socket.socket, number: int, start: int | None, content: bytes) -> None:
    connection.sendall(head("200 OK", len(content)))
    connection.settimeout(0.05)
    for i in range(200):
        connection.sendall(content[i : i + 1])
        try:
            if connection.recv(1) == b"":
                return
        except TimeoutError:
            continue


def redirects_with_large_body(
    connection: socket.socket, number: int, start: int | None, content: bytes
) -> None:
    connection.sendall(head("302 Found", None, "Location: /data.bin"))
    for _ in range(100):
        connection.sendall(content)  # a client that reads all 300 MB fails the test


def redirects_nowhere(
    connection: socket.socket, number: int, start: int | None, content: bytes
) -> None:
    connection.sendall(head("302 Found", 0, "Location: http://[not-an-address"))


def sends_invalid_retry_after(
    connection: socket.socket, number: int, start: int | None, content: bytes
) -> None:
    connection.sendall(head("503 Service Unavailable", 0, "Retry-After: \xb2"))


@pytest.mark.parametrize(
    ("answer", "reason", "requests"),
    [
        (drips, "too slow", 2),
        (redirects_with_large_body, "more than 10 redirects", 11),
        (redirects_nowhere, "not a valid address", 1),
        (sends_invalid_retry_after, "503 Service Unavailable, 5 tries", 5),
    ],
)
def test_useless_responses_are_errors(
    answer: Answer, reason: str, requests: int, fetcher: Fetcher, job: MakeJob, content: bytes
) -> None:
    fetcher.timeout = 0.3
    with serve_answer(answer, content) as (url, offsets):
        with pytest.raises(FetchError, match=reason) as caught:
            fetcher.fetch([job(url)])
        assert len(offsets) == requests
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    "address", ["gopher://x/y", "http://[not-an-address/y", "file:///a%00b", "http://"]
)
def test_unusable_address_is_skipped(
    address: str, upstream: Path, fetcher: Fetcher, job: MakeJob
) -> None:
    """A source that no transport can open is listed in the error."""
    with serving(upstream) as url:
        [fetched] = fetcher.fetch([job(address, f"{url}/data.bin")])
        assert fetched.source == f"{url}/data.bin"
    unknown = Job("other", "missing", Resource(urls=(address,), sha256="a" * 64))
    with pytest.raises(FetchError) as caught:
        fetcher.fetch([unknown])
    assert address in str(caught.value)


@pytest.mark.parametrize(
    "kind", ["long", ("no-length", "long"), ("chunked", "long"), "bomb"], ids=str
)
def test_file_of_unknown_size_does_not_fill_the_disk(
    kind: str | tuple[str, ...],
    upstream: Path,
    store: Store,
    job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A source that sends more than half of the free disk space is skipped."""
    monkeypatch.setattr(Store, "free", lambda _: 20_000_000)
    fetcher = Fetcher(store, timeout=5)
    with faulty_server(upstream, {"*": Fault(kind)}) as bad, faulty_server(upstream) as good:
        with pytest.raises(FetchError, match="half of the free disk") as caught:
            fetcher.fetch([job(f"{bad.url}/data.bin", size=None)])
        assert caught.value.exit_code == 4
        assert bad.sent < 15_000_000
        assert sum(item.size for item in usage(store.root)) == 0
        urls = [f"{server.url}/data.bin" for server in (bad, good)]
        [fetched] = fetcher.fetch([job(*urls, size=None)])
    assert fetched.source.startswith(good.url)


def test_temporary_login_page_is_replaced(
    upstream: Path, fetcher: Fetcher, job: MakeJob, content: bytes
) -> None:
    with faulty_server(upstream, {"*": Fault("page", times=1)}) as server:
        [fetched] = fetcher.fetch([job(f"{server.url}/data.bin")])
    assert fetched.path.read_bytes() == content
