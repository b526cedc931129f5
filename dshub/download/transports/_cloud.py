"""Files in buckets, through fsspec."""

from dshub.display import cause
from dshub.download import transports
from dshub.errors import MissingExtraError, TransportError


class CloudTransport(transports.Transport):
    """Opens addresses that fsspec knows; its backends have timeouts of their own."""

    def __init__(self, *, timeout: float) -> None:
        del timeout

    def open(
        self, url: str, *, start: int = 0, stop: int | None = None, etag: str = ""
    ) -> transports.FileAnswer:
        del stop, etag
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise MissingExtraError(package="fsspec", extra="cloud") from error
        try:
            files, path = url_to_fs(url)
            file = files.open(path, "rb")
            return transports.FileAnswer(url, file, file.size, start, _fault)
        except ImportError as error:
            package = f"a backend for {url}"
            raise MissingExtraError(package=package, extra="cloud") from cause(error, url)
        except Exception as error:  # noqa: BLE001  # a backend can raise anything
            raise _fault(url, error) from cause(error, url)

    def close(self) -> None:
        """Backends keep their connections for the whole process."""


def _fault(url: str, error: Exception) -> TransportError:
    """Translate an error of a backend: an OSError, or anything at all."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    absent = isinstance(error, FileNotFoundError | PermissionError)
    return TransportError(url=url, reason=reason, transient=not absent, absent=absent)
