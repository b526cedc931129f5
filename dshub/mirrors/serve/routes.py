"""Map request paths to files in the served folder, without directory listings."""

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

# a blob never changes, because its name is its checksum
BLOB_HEADERS = {
    "Content-Type": "application/octet-stream",
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}

# the system's table of MIME types differs between machines
TYPES = {
    ".aiff": "audio/aiff",
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

# names that Windows does not read as plain file names: alternate streams, devices, and names that
# end with a dot or a space (so `..` is unsafe, too); refused on every platform
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\:]|[. ]\Z|\A\Z")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?", re.IGNORECASE)
_BUCKET = re.compile(r"[a-z]+-v[0-9]+")

Public = Callable[[Path, tuple[str, ...]], bool]


@dataclass(frozen=True)
class OpenFile:
    """Open file to serve; the caller must close it.

    Attributes:
        file: unbuffered file, open for reading.
        size: size in bytes.
        validators: ETag and modification time.
        headers: `Content-Type`, `Cache-Control` and other response headers.
    """

    file: FileIO
    size: int
    validators: Validators
    headers: dict[str, str]


def allow_all(_folder: Path, _parts: tuple[str, ...]) -> bool:
    """Return True for every file of a folder."""
    return True


def of_mirror(folder: Path, parts: tuple[str, ...]) -> bool:
    """Return True for the public files of a mirror or a cache.

    Public files are blobs, tables, manifests, the index, and web pages if the folder has an
    `index.html`. Hidden files, partial downloads and all other files are private.
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
    """Return the checksum in a blob path; None for other paths.

    An example of a blob path is `("blobs-v1", "3a", "3aede38d…")`.
    """
    return blob_digest(PurePosixPath(*parts)) if len(parts) == 3 else None


def split_path(path: str) -> tuple[str, ...] | None:
    """Split a percent-encoded path into names; return None if a name is unsafe.

    Names are decoded only once, as RFC 3986 requires, so `%252e` is a file named `%2e`. A path that
    ends in `/` maps to `index.html` of that folder.
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
    """Folder to serve.

    Args:
        path: path of the folder; it can be created later.
        public: predicate that selects the files to serve.
    """

    def __init__(self, path: Path, public: Public = allow_all) -> None:
        self._path, self._public = path, public
        self._root = os.path.realpath(path)

    def serves(self, parts: tuple[str, ...]) -> bool:
        """Return True if a file with this path is public; the file need not exist."""
        return self._public(self._path, parts)

    def open(self, parts: tuple[str, ...]) -> OpenFile | None:
        """Open a file; return None if it does not exist or is not public.

        Symbolic links are followed only within the folder.
        """
        if self.serves(parts):
            # the file is missing or unreadable, or its name is invalid
            with suppress(OSError, ValueError):
                path = self._resolve(parts)
                return _described(open_file(path), parts) if path else None
        return None

    def _resolve(self, parts: tuple[str, ...]) -> str | None:
        """Return the path of a regular file; None for anything else or a link out of the folder."""
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
