"""Which file of a folder a request names, if any; nothing outside the folder, and no listings."""

import ipaddress
import os
import re
import socket
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath
from urllib.parse import unquote_to_bytes

from dshub.cache.files import open_file
from dshub.cache.paths import BLOBS, TABLES
from dshub.checksums import Algorithm, Digest, is_hex
from dshub.mirrors.serve.messages import Version

LASTING = "public, max-age=31536000, immutable"  # a name that follows from the content
CHANGING = "no-cache"  # may be kept, and is to be asked for again

# of what the pages of a catalogue are made; a system's own table may say otherwise or nothing
TYPES = {
    ".arrow": "application/vnd.apache.arrow.stream",
    ".css": "text/css; charset=utf-8",
    ".flac": "audio/flac",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/vnd.microsoft.icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".toml": "application/toml",
    ".txt": "text/plain; charset=utf-8",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
OTHER = "application/octet-stream"
PAGES = set(TYPES) - {".arrow", ".toml"}

# What Windows takes for something else than a name in its folder, refused everywhere: devices,
# streams of a file, short forms, and characters that end a name.
_ODD = re.compile(r"[\x00-\x1f\x7f\\:]")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?", re.IGNORECASE)
_BUCKET = re.compile(r"[a-z]+-v[0-9]+")

Public = Callable[[Path, tuple[str, ...]], bool]


@dataclass(frozen=True)
class Found:
    """A file that is served; close it after use.

    Attributes:
        file: open for reading, unbuffered.
        size: bytes.
        version: what tells this state of it from another.
        headers: Content-Type and Cache-Control.
    """

    file: FileIO
    size: int
    version: Version
    headers: dict[str, str]


def everything(folder: Path, parts: tuple[str, ...]) -> bool:
    """Serve every file of a folder."""
    del folder, parts
    return True


def of_mirror(folder: Path, parts: tuple[str, ...]) -> bool:
    """Serve what a mirror or a cache has for others, whatever else lies in the folder.

    That is files under their checksums, tables, manifests, the index with its signature, and,
    where the folder has an `index.html`, pages and what they show. Nothing unfinished, no hidden
    file.
    """
    if any(part.startswith(".") for part in parts):
        return False
    first, last = parts[0], parts[-1]
    bucket = _SERVED.get(first)
    if bucket is not None:
        return bucket(parts)
    if len(parts) == 1 and (last == "index.json" or last.startswith("index.json.")):
        return True
    is_page = PurePosixPath(last).suffix in PAGES and not _BUCKET.fullmatch(first)
    return is_page and (folder / "index.html").is_file()


def digest_of(parts: tuple[str, ...]) -> Digest | None:
    """The checksum that a path names a file by: `("blobs-v1", "3a", "3aede38d…")`.

    None for any other place: see `dshub.cache.paths.blob_path`.
    """
    if len(parts) != 3 or parts[0] != BLOBS:
        return None
    _, folder, name = parts
    algorithm: Algorithm = "md5" if folder.startswith("md5-") else "sha256"
    if folder.removeprefix("md5-") != name[:2] or not is_hex(algorithm, name):
        return None
    return Digest(algorithm, name)


_SERVED: dict[str, Callable[[tuple[str, ...]], bool]] = {
    BLOBS: lambda parts: digest_of(parts) is not None,
    TABLES: lambda parts: len(parts) > 3 and parts[-1].endswith((".arrow", ".json")),
    "registry": lambda parts: parts[-1].endswith(".toml"),
}


def parts_of(path: str) -> tuple[str, ...] | None:
    """The names of a percent-encoded path; None where a name is none.

    Decoded once, as RFC 3986 asks: `%252e` is a file named `%2e`. An empty last name is the page
    of a folder.
    """
    if not path.startswith("/"):
        return None
    try:
        parts = tuple(unquote_to_bytes(path[1:]).decode().split("/"))
    except UnicodeDecodeError:
        return None
    if parts[-1] == "":
        parts = (*parts[:-1], "index.html")
    return parts if all(map(_is_name, parts)) else None


def _is_name(part: str) -> bool:
    if not part or part.endswith((".", " ")) or _ODD.search(part):  # so no `..` either
        return False
    return _DEVICE.fullmatch(part) is None


class Folder:
    """Opens what a folder serves.

    Args:
        path: the folder; it may appear later.
        public: says of the names below it whether they are for others.
    """

    def __init__(self, path: Path, public: Public = everything) -> None:
        self.path, self._public = path, public
        self._root = os.path.realpath(path)

    def serves(self, parts: tuple[str, ...]) -> bool:
        """Whether such a file would be served if it were there."""
        return self._public(self.path, parts)

    def find(self, parts: tuple[str, ...]) -> Found | None:
        """The file with such names, open; None where there is none, or none for others.

        A link is followed within the folder only.
        """
        if not self.serves(parts):
            return None
        try:
            real = self._inside(parts)
            file = open_file(real) if real else None
        except (OSError, ValueError):  # not there, not for us, a link to itself, no name at all
            return None
        return _found(file, parts) if file else None

    def _inside(self, parts: tuple[str, ...]) -> str | None:
        """The path of a regular file inside, each name of it looked at; None where it is none."""
        path, status = self._root, None
        for part in parts:
            path = f"{path}{os.sep}{part}"
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                return self._linked(parts)
        return path if status is not None and stat.S_ISREG(status.st_mode) else None

    def _linked(self, parts: tuple[str, ...]) -> str | None:
        real = os.path.realpath(os.path.join(self._root, *parts))  # noqa: PTH118  # for realpath
        inside = os.path.commonpath([real, self._root]) == self._root
        return real if inside and stat.S_ISREG(os.lstat(real).st_mode) else None


def _found(file: FileIO, parts: tuple[str, ...]) -> Found:
    status = os.fstat(file.fileno())
    digest = digest_of(parts)
    state = digest.hex if digest else f"{status.st_size:x}-{status.st_mtime_ns:x}"
    headers = {
        "Content-Type": OTHER if digest else TYPES.get(PurePosixPath(parts[-1]).suffix, OTHER),
        "Cache-Control": LASTING if digest else CHANGING,
        "X-Content-Type-Options": "nosniff",
    }
    return Found(file, status.st_size, Version(f'"{state}"', status.st_mtime), headers)


# documentation networks (RFC 5737, RFC 3849): nothing is sent there, the system only looks up
# which address of its own it would use
_FAR = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
_ADDRESS_OF_INTERFACE = 0x8915  # SIOCGIFADDR in Linux's netdevice(7)


def urls(listening: socket.socket) -> list[str]:
    """The addresses at which clients reach a listening socket.

    Where it listens on every address, those of all interfaces that can be found: first the one
    that only this machine reaches, then IPv4, then IPv6.
    """
    host, port = listening.getsockname()[:2]
    hosts = [host]
    if ipaddress.ip_address(host).is_unspecified:
        family = None if listening.family == socket.AF_INET6 else socket.AF_INET
        others = set(_hosts(family)) - {"127.0.0.1"}
        hosts = ["127.0.0.1", *sorted(others, key=lambda name: (":" in name, name))]
    return [f"http://{f'[{name}]' if ':' in name else name}:{port}" for name in hosts]


def _hosts(family: socket.AddressFamily | None) -> Iterator[str]:
    """Addresses of this machine that others can reach."""
    for kind, far in _FAR:
        with suppress(OSError), socket.socket(kind, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            if family in {None, kind}:
                yield str(probe.getsockname()[0])
    if sys.platform == "linux":
        yield from _interfaces()
        return
    with suppress(OSError):
        for found in socket.getaddrinfo(socket.gethostname(), None, family or 0):
            name = str(found[4][0])
            if not ipaddress.ip_address(name.partition("%")[0]).is_link_local:
                yield name


def _interfaces() -> Iterator[str]:
    """IPv4 addresses of Linux's interfaces; needs no lookup of names, which may hang."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            with suppress(OSError):  # it has none
                answer = fcntl.ioctl(probe.fileno(), _ADDRESS_OF_INTERFACE, request)
                yield socket.inet_ntoa(answer[20:24])


def room_for_clients(most: int) -> int:
    """Connections that there may be at once, after asking the system for as many as wanted.

    Each may have a file open besides; some descriptors are kept for fetching.
    """
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return most
    spare = 256
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * most + spare
    if soft != resource.RLIM_INFINITY and soft < needed:
        ceiling = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, ceiling), hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    allowed = most if soft == resource.RLIM_INFINITY else (soft - spare) // 2
    return max(16, min(most, allowed))
