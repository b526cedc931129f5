"""Map a request path to a file of the served folder: nothing outside it, and no listings."""

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath
from urllib.parse import unquote_to_bytes

from dshub.cache.files import open_file
from dshub.cache.paths import BLOBS, TABLES, blob_digest
from dshub.checksums import Digest
from dshub.mirrors.serve.http import Validators

# the name of a blob follows from its content
BLOB_HEADERS = {
    "Content-Type": "application/octet-stream",
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}

# fixed here, because the system's own table may say something else or nothing
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
PAGES = set(TYPES) - {".arrow", ".toml"}

# what Windows reads as something other than a name, refused everywhere: streams of a file, short
# forms, devices, and characters that end a name (so `..` is refused, too)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\:]|[. ]\Z|\A\Z")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?", re.IGNORECASE)
_BUCKET = re.compile(r"[a-z]+-v[0-9]+")

Public = Callable[[Path, tuple[str, ...]], bool]


@dataclass(frozen=True)
class OpenFile:
    """A served file; close it after use.

    Attributes:
        file: open for reading, unbuffered.
        size: bytes.
        validators: identify this state of it.
        headers: Content-Type and Cache-Control.
    """

    file: FileIO
    size: int
    validators: Validators
    headers: dict[str, str]


def everything(_folder: Path, _parts: tuple[str, ...]) -> bool:
    """Serve every file of a folder."""
    return True


def of_mirror(folder: Path, parts: tuple[str, ...]) -> bool:
    """Serve the public files of a mirror or a cache, whatever else lies in the folder.

    Those are files under their checksums, tables, manifests, the index with its signature, and
    pages if the folder has an `index.html`. Nothing unfinished, no hidden file.
    """
    if any(part.startswith(".") for part in parts):
        return False
    first, last = parts[0], parts[-1]
    if first == BLOBS:
        return digest_of(parts) is not None
    if first == TABLES:
        return len(parts) > 3 and last.endswith((".arrow", ".json"))
    if first == "registry":
        return last.endswith(".toml")
    if len(parts) == 1 and (last == "index.json" or last.startswith("index.json.")):
        return True
    is_page = PurePosixPath(last).suffix in PAGES and not _BUCKET.fullmatch(first)
    return is_page and (folder / "index.html").is_file()


def digest_of(parts: tuple[str, ...]) -> Digest | None:
    """The checksum in a path such as `("blobs-v1", "3a", "3aede38d…")`; None for other paths."""
    return blob_digest(PurePosixPath(*parts)) if len(parts) == 3 else None


def split_path(path: str) -> tuple[str, ...] | None:
    """Split a percent-encoded path into names; None if a name is unsafe.

    Decoded once, as RFC 3986 requires: `%252e` is a file named `%2e`. A path that ends in `/` is
    the page of a folder.
    """
    if not path.startswith("/"):
        return None
    try:
        parts = tuple(unquote_to_bytes(path[1:]).decode().split("/"))
    except UnicodeDecodeError:
        return None
    if parts[-1] == "":
        parts = (*parts[:-1], "index.html")
    unsafe = any(_UNSAFE.search(part) or _DEVICE.fullmatch(part) for part in parts)
    return None if unsafe else parts


class Folder:
    """Opens the served files of a folder.

    Args:
        path: the folder; it can appear later.
        public: decides which of its files are served.
    """

    def __init__(self, path: Path, public: Public = everything) -> None:
        self._path, self._public = path, public
        self._root = os.path.realpath(path)

    def serves(self, parts: tuple[str, ...]) -> bool:
        """Whether such a file would be served if it existed."""
        return self._public(self._path, parts)

    def open(self, parts: tuple[str, ...]) -> OpenFile | None:
        """Open a file; None if it does not exist or is not served.

        Links are followed within the folder only.
        """
        if self.serves(parts):
            # missing, not readable, a link to itself, not a possible name
            with suppress(OSError, ValueError):
                path = self._resolve(parts)
                return _described(open_file(path), parts) if path else None
        return None

    def _resolve(self, parts: tuple[str, ...]) -> str | None:
        """The path of a regular file; None if a name in it is anything else or leads out."""
        path, mode = self._root, 0
        for part in parts:
            path = f"{path}{os.sep}{part}"
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                path = os.path.realpath(os.path.join(self._root, *parts))  # noqa: PTH118
                if os.path.commonpath([path, self._root]) != self._root:
                    return None
                mode = os.lstat(path).st_mode
                break
        return path if stat.S_ISREG(mode) else None


def _described(file: FileIO, parts: tuple[str, ...]) -> OpenFile:
    status = os.fstat(file.fileno())
    digest = digest_of(parts)
    if digest is not None:
        state, headers = digest.hex, BLOB_HEADERS
    else:
        state = f"{status.st_size:x}-{status.st_mtime_ns:x}"
        kind = TYPES.get(PurePosixPath(parts[-1]).suffix, BLOB_HEADERS["Content-Type"])
        headers = BLOB_HEADERS | {"Content-Type": kind, "Cache-Control": "no-cache"}
    return OpenFile(file, status.st_size, Validators(f'"{state}"', int(status.st_mtime)), headers)
