"""Send raw HTTP over a socket, because a client library would correct malformed requests."""

import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """A response as received; header names are lowercase."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def short(self) -> bool:
        """True if the body is shorter than its Content-Length; clients reject such a response."""
        return len(self.body) < int(self.headers["content-length"])


def parse(data: bytes) -> Reply:
    """Parse a complete response."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Reply(int(first.split(" ")[1]), headers, body)


def connect(url: str) -> socket.socket:
    """Connect to the server at a URL such as `http://127.0.0.1:4711`."""
    host, port = url.removeprefix("http://").rsplit(":", 1)
    return socket.create_connection((host.strip("[]"), int(port)), timeout=30)


def rest(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def say(url: str, data: bytes) -> Reply:
    """Send bytes and parse the response, reading until the server closes the connection."""
    with connect(url) as connection:
        connection.sendall(data)
        return parse(rest(connection))


def request(path: str, method: str = "GET", **headers: str) -> bytes:
    """Encode a request that closes the connection unless `Connection` is passed.

    Pass header names with `_` instead of `-`.
    """
    headers = {"Connection": "close"} | headers
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode("latin-1")


def ask(url: str, path: str, method: str = "GET", **headers: str) -> Reply:
    """Request a path on a new connection."""
    return say(url, request(path, method, **headers))
