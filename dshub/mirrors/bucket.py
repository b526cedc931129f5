"""Mirrors in buckets: `s3://…`, `gs://…` and every other scheme of fsspec."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

from dshub.cache.store import Store
from dshub.display import cause, shown_url, without_secrets
from dshub.errors import DshubError, MissingExtraError, StoreError
from dshub.mirrors.destinations import BUCKETS, Destination, How

HINT = "check the address and the permissions of your credentials"


class BucketDestination(Destination):
    """A mirror in an object store, where an object appears whole or not at all.

    Object stores have no locks: only one process at a time may write a mirror.

    Args:
        url: the address of the mirror.

    Raises:
        MissingExtraError: fsspec, or its backend for the address, is not installed.
        StoreError: the address cannot be used.
    """

    def __init__(self, url: str) -> None:
        self.address = url.rstrip("/")
        self.title = shown_url(self.address)
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise MissingExtraError(package="fsspec", extra="cloud") from error
        with self._faults("open", self.title):
            file_system, top = url_to_fs(self.address)
        self._files: Any = file_system
        self._top = str(top).rstrip("/")
        self._files.invalidate_cache()

    def _path(self, name: str) -> str:
        return f"{self._top}/{name}"

    @contextmanager
    def _faults(self, action: str, name: str) -> Iterator[None]:
        """Turn errors of the backend and its library into errors of dshub."""
        try:
            yield
        except (DshubError, FileNotFoundError):
            raise
        except ImportError as error:
            package = f"a backend for {name}"
            raise MissingExtraError(package=package, extra="cloud") from cause(error, self.address)
        except Exception as error:  # noqa: BLE001  # a backend may raise anything
            reason = without_secrets(str(error), self.address) or type(error).__name__
            raise StoreError(path=name, action=action, reason=reason, hint=HINT) from cause(
                error, self.address
            )

    @cached_property
    def _sizes(self) -> dict[str, int]:
        """Bytes of each object, listed once: each request is a round trip."""
        sizes: dict[str, int] = {}
        for bucket in BUCKETS:
            with self._faults("list", f"{self.title}/{bucket}"):
                try:
                    listed = self._files.find(self._path(bucket.rstrip("/")), detail=True)
                except FileNotFoundError:
                    listed = {}
                for path, facts in listed.items():
                    sizes[str(path)[len(self._top) :].lstrip("/")] = int(facts["size"])
        return sizes

    def size(self, name: str) -> int | None:
        """Bytes of an object; None if there is none."""
        return self._sizes.get(name)

    def names(self) -> Iterator[str]:
        """Every object in `BUCKETS`, sorted."""
        yield from sorted(name for name in self._sizes if name.startswith(BUCKETS))

    def open(self, name: str) -> BinaryIO:
        """Open an object for reading."""
        with self._faults("read", f"{self.title}/{name}"):
            return cast("BinaryIO", self._files.open(self._path(name), "rb"))

    def put(self, path: Path, name: str) -> How:
        """Upload a file; it appears when the upload is complete."""
        with self._faults("write", f"{self.title}/{name}"):
            self._make_parent(name)
            self._files.put_file(str(path), self._path(name))
        self._sizes[name] = path.stat().st_size
        return "upload"

    def write(self, name: str, data: bytes) -> None:
        """Publish bytes."""
        with self._faults("write", f"{self.title}/{name}"):
            self._make_parent(name)
            self._files.pipe_file(self._path(name), data)
        self._sizes[name] = len(data)

    def _make_parent(self, name: str) -> None:
        """Make the folder of a file, for backends of file systems."""
        parent = self._path(name).rpartition("/")[0]
        if not isinstance(self._files.protocol, str) and "s3" in self._files.protocol:
            return  # it would try to create the bucket
        self._files.makedirs(parent, exist_ok=True)

    def remove(self, name: str) -> None:
        """Remove an object."""
        with self._faults("remove", f"{self.title}/{name}"):
            self._files.rm_file(self._path(name))
        self._sizes.pop(name, None)

    def set_aside(self, name: str) -> str:
        """Move a damaged object to `partial-v1`."""
        aside = f"partial-v1/damaged-{name.replace('/', '-')}"
        with self._faults("move", f"{self.title}/{name}"):
            self._make_parent(aside)
            self._files.mv(self._path(name), self._path(aside))
        self._sizes.pop(name, None)
        return f"{self.title}/{aside}"

    def fetching_store(self, cache: Store) -> Store:
        """Fetch into the cache; files are uploaded from there."""
        return cache
