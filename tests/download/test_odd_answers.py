"""Servers that break the rules of HTTP, or keep them in unusual ways."""

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
def speaking(answer: Answer, content: bytes) -> Iterator[tuple[str, list[int | None]]]:
    """Serve one answer, byte by byte, to each connection.

    `answer` gets the connection, which connection it is, the offset that a Range header asks for,
    and the file. Yields an address, and the offsets that were asked for.
    """
    seen: list[int | None] = []

    def talk(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            start = None
            for line in iter(reader.readline, b"\r\n"):
                name, _, value = line.decode().partition(": ")
                if name == "Range":
                    start = int(value.strip().removeprefix("bytes=").removesuffix("-"))
            seen.append(start)
            with suppress(OSError):  # a client may leave before the end
                answer(connection, len(seen), start, content)

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=listen, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/data.bin", seen
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def head(status: str, length: int | None, *more: str) -> bytes:
    """Build the head of an answer."""
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


def tells_no_length(
    connection: socket.socket, number: int, start: int | None, content: bytes
) -> None:
    begin = start or 0
    content_range = (
        [f"Content-Range: bytes {begin}-{len(content) - 1}/{len(content)}"] if begin else []
    )
    status = "206 Partial Content" if begin else "200 OK"
    connection.sendall(head(status, None, *content_range) + content[begin : begin + 2_000_000])


def speaks_nonsense(
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
        tells_no_length,
        speaks_nonsense,
        sends_chunks,
        sends_a_part_at_a_time,
        forbids_ranges,
        changes_the_file,
    ],
)
def test_odd_answers_end_with_the_file(
    answer: Answer, fetcher: Fetcher, job: MakeJob, content: bytes
) -> None:
    """The answer can be understood, or the next one can."""
    with speaking(answer, content) as (url, _):
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


def redirects_at_length(
    connection: socket.socket, number: int, start: int | None, content: bytes
) -> None:
    connection.sendall(head("302 Found", None, "Location: /data.bin"))
    for _ in range(100):
        connection.sendall(content)  # 300 MB: a client that reads them all has failed


def redirects_nowhere(
    connection: socket.socket, number: int, start: int | None, content: bytes
) -> None:
    connection.sendall(head("302 Found", 0, "Location: http://[not-an-address"))


def asks_to_wait_oddly(
    connection: socket.socket, number: int, start: int | None, content: bytes
) -> None:
    connection.sendall(head("503 Service Unavailable", 0, "Retry-After: \xb2"))


@pytest.mark.parametrize(
    ("answer", "reason", "requests"),
    [
        (drips, "too slow", 2),
        (redirects_at_length, "more than 10 redirects", 11),
        (redirects_nowhere, "not a valid address", 1),
        (asks_to_wait_oddly, "503 Service Unavailable, 5 tries", 5),
    ],
)
def test_useless_answers_end_with_an_error(
    answer: Answer, reason: str, requests: int, fetcher: Fetcher, job: MakeJob, content: bytes
) -> None:
    fetcher.timeout = 0.3
    with speaking(answer, content) as (url, seen):
        with pytest.raises(FetchError, match=reason) as caught:
            fetcher.fetch([job(url)])
        assert len(seen) == requests
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    "address", ["gopher://x/y", "http://[not-an-address/y", "file:///a%00b", "http://"]
)
def test_unusable_address_is_skipped(
    address: str, upstream: Path, fetcher: Fetcher, job: MakeJob
) -> None:
    """A source that no transport can open costs a line in the error."""
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
    """A source without end is left at half of the free disk, nothing of it is kept, and the next
    source brings the file.
    """
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


def test_passing_login_page_is_replaced(
    upstream: Path, fetcher: Fetcher, job: MakeJob, content: bytes
) -> None:
    with faulty_server(upstream, {"*": Fault("page", times=1)}) as server:
        [fetched] = fetcher.fetch([job(f"{server.url}/data.bin")])
    assert fetched.path.read_bytes() == content
