"""Read files from cloud storage with fsspec."""

from dshub.display import cause
from dshub.download import transports
from dshub.errors import MissingExtraError, TransportError


class CloudTransport(transports.Transport):
    """Transport for URLs that fsspec supports. Its backends have their own timeouts."""

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
        except Exception as error:  # noqa: BLE001  # backends can raise anything
            raise _fault(url, error) from cause(error, url)

    def close(self) -> None:
        """Do nothing, because backends keep their connections until the process ends."""


def _fault(url: str, error: Exception) -> TransportError:
    """Convert an exception of a backend to a TransportError."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    absent = isinstance(error, FileNotFoundError | PermissionError)
    return TransportError(url=url, reason=reason, transient=not absent, absent=absent)
