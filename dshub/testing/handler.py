"""What a server that misbehaves does right: finding files of a folder, and parts of them."""

import re
import socketserver
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")


class FolderHandler(BaseHTTPRequestHandler):
    """Finds files in the folder of its server."""

    protocol_version = "HTTP/1.1"
    server: "FolderServer"

    def find(self) -> Path | None:
        """The file that the request names, or None."""
        folder = self.server.folder.resolve()
        try:
            path = (folder / unquote(urlsplit(self.path).path).lstrip("/")).resolve()
            return path if path.is_relative_to(folder) and path.is_file() else None
        except (OSError, ValueError, RuntimeError):  # no name, not for us, a link to itself
            return None

    def wanted(self, size: int, etag: str) -> range | None:
        """The bytes asked for; None where there are no such bytes."""
        match = _RANGE.fullmatch(self.headers.get("Range", ""))
        if match is None or self.headers.get("If-Range", etag) != etag:
            return range(size)
        start = int(match[1])
        stop = min(int(match[2]) + 1, size) if match[2] else size
        return range(start, stop) if start < stop else None

    def refuse(self, status: HTTPStatus) -> None:
        """Answer without a body."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
        """Say nothing: the server belongs to a program."""


class FolderServer(ThreadingHTTPServer):
    """Has a folder, and a thread for each connection."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], folder: Path, handler: type[FolderHandler]
    ) -> None:
        super().__init__(address, handler)
        self.folder = folder

    def server_bind(self) -> None:
        """Bind without the name lookup that http.server does: there may be nobody to answer."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""
