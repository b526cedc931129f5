"""Files in buckets, through fsspec: what the schemes of buckets share."""

from typing import Any, Self

from dshub.display import cause
from dshub.download.transports import Head
from dshub.errors import MissingExtraError, TransportError


class CloudAnswer:
    """A file of a bucket, read from an offset on."""

    def __init__(self, url: str, file: Any, *, start: int, total: int | None) -> None:
        self.start, self.total = start, total
        self.etag, self.ranges, self.encoding = "", total is not None, ""
        self._url, self._file = url, file

    def readinto(self, buffer: memoryview) -> int:
        try:
            data: bytes = self._file.read(len(buffer))
        except Exception as error:  # noqa: BLE001  # a backend may raise anything
            raise _fault(self._url, error) from cause(error, self._url)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class CloudTransport:
    """Opens addresses that fsspec knows. How long to wait for them is the backend's to know."""

    def __init__(self, *, timeout: float) -> None:
        del timeout

    def open(
        self, url: str, *, start: int = 0, stop: int | None = None, etag: str = ""
    ) -> CloudAnswer:
        del stop, etag
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise MissingExtraError(package="fsspec", extra="cloud") from error
        try:
            files, path = url_to_fs(url)
            file = files.open(path, "rb")
            total = file.size
            start = start if total is None or start <= total else 0
            file.seek(start)
        except ImportError as error:
            package = f"a backend for {url}"
            raise MissingExtraError(package=package, extra="cloud") from cause(error, url)
        except Exception as error:  # noqa: BLE001  # a backend may raise anything
            raise _fault(url, error) from cause(error, url)
        return CloudAnswer(url, file, start=start, total=total)

    def head(self, url: str) -> Head:
        with self.open(url) as answer:
            return Head(200, answer.total, url)

    def close(self) -> None:
        """Backends keep their connections for the whole process."""


def _fault(url: str, error: Exception) -> TransportError:
    """What a backend raised: OSError where it follows fsspec, anything where it does not."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    absent = isinstance(error, FileNotFoundError | PermissionError)
    return TransportError(url=url, reason=reason, transient=not absent, absent=absent)
