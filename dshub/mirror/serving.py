"""A read-only HTTP server for a folder: GET and HEAD, ranges, validators, nothing else."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

PIECE = 1 << 20  # bytes sent at a time

_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")


class FolderHandler(BaseHTTPRequestHandler):
    """Answers from the folder in its server's `folder`; paths cannot lead out of it."""

    protocol_version = "HTTP/1.1"
    server: "FolderServer"

    def do_GET(self) -> None:  # the name http.server looks for
        """Send a file, or the part of it that was asked for."""
        try:
            path = self.find()
            file = path.open("rb") if path else None
        except (OSError, ValueError, RuntimeError):  # not a name, not for us, a link to itself
            path = file = None
        if path is None or file is None:
            self.refuse(HTTPStatus.NOT_FOUND)
            return
        with file:
            self.answer(path, file)

    do_HEAD = do_GET  # noqa: N815  # the name http.server looks for

    def find(self) -> Path | None:
        """The file that the request names, or None."""
        relative = unquote(urlsplit(self.path).path).lstrip("/")
        folder = self.server.folder.resolve()
        path = (folder / relative).resolve()
        return path if path.is_relative_to(folder) and path.is_file() else None

    def answer(self, path: Path, file: BinaryIO) -> None:
        """Send headers and, for GET, the bytes."""
        size = path.stat().st_size
        etag = f'"{size:x}-{path.stat().st_mtime_ns:x}"'
        wanted = self._wanted(size, etag)
        if wanted is None:
            self.refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"bytes */{size}")
            return
        partial = len(wanted) != size
        self.send_response(HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK)
        if partial:
            self.send_header("Content-Range", f"bytes {wanted.start}-{wanted.stop - 1}/{size}")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(wanted)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", etag)
        self.end_headers()
        if self.command == "GET":
            self.send_bytes(file, wanted)

    def _wanted(self, size: int, etag: str) -> range | None:
        """The bytes asked for; None where there are no such bytes."""
        match = _RANGE.fullmatch(self.headers.get("Range", ""))
        if match is None or self.headers.get("If-Range", etag) != etag:
            return range(size)
        start = int(match[1])
        stop = min(int(match[2]) + 1, size) if match[2] else size
        return range(start, stop) if start < stop else None

    def send_bytes(self, file: BinaryIO, wanted: range) -> None:
        """Send a range of a file."""
        file.seek(wanted.start)
        left = len(wanted)
        while left:
            piece = file.read(min(PIECE, left))
            if not piece:
                self.close_connection = True  # the file shrank: the client must notice
                return
            self.wfile.write(piece)
            left -= len(piece)

    def refuse(self, status: HTTPStatus, content_range: str = "") -> None:
        """Answer without a body."""
        self.send_response(status)
        if content_range:
            self.send_header("Content-Range", content_range)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
        """Say nothing: the server belongs to a program."""


class FolderServer(ThreadingHTTPServer):
    """Serves one folder, a thread for each connection."""

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        folder: Path,
        handler: type[FolderHandler] = FolderHandler,
    ) -> None:
        super().__init__(address, handler)
        self.folder = folder

    def server_bind(self) -> None:
        """Bind without the name lookup that http.server does: there may be nobody to answer."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


@contextmanager
def serving(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    handler: type[FolderHandler] = FolderHandler,
) -> Iterator[str]:
    """Serve a folder while the block runs; yields its address, such as `http://127.0.0.1:4711`.

    Args:
        folder: what to serve; it is only read.
        host: the address to listen on.
        port: 0 takes a free one.
        handler: how to answer; tests pass one that misbehaves.
    """
    with FolderServer((host, port), folder, handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
