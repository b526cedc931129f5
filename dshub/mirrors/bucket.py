"""A bucket that is a mirror: `s3://…`, `gs://…` and whatever else fsspec knows."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

from dshub.cache.store import Store
from dshub.display import cause, shown_url, without_secrets
from dshub.errors import DshubError, MissingExtraError, StoreError
from dshub.mirrors.destinations import BUCKETS, How

HINT = "check the address, and the rights that your credentials give there"


class BucketDestination:
    """A mirror in an object store, where an object appears whole or not at all.

    Args:
        url: the address of its top.

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
            found = url_to_fs(self.address)
        self._files: Any = found[0]
        self._top = str(found[1]).rstrip("/")
        self._files.invalidate_cache()

    def _path(self, name: str) -> str:
        return f"{self._top}/{name}"

    @contextmanager
    def _faults(self, action: str, name: str) -> Iterator[None]:
        """Turn what a backend raises into our own: OSErrors, and errors of its own library."""
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
        """Bytes of each object, by name: asked for once, for each question is a round trip."""
        found: dict[str, int] = {}
        for bucket in BUCKETS:
            with self._faults("list", f"{self.title}/{bucket}"):
                try:
                    listed = self._files.find(self._path(bucket.rstrip("/")), detail=True)
                except FileNotFoundError:
                    listed = {}
                for path, facts in listed.items():
                    name = str(path)[len(self._top) :].lstrip("/")
                    found[name] = int(facts["size"])
        return found

    def size(self, name: str) -> int | None:
        """Bytes of an object; None where there is none."""
        return self._sizes.get(name)

    def names(self) -> Iterator[str]:
        """Every object below `BUCKETS`, sorted."""
        yield from sorted(name for name in self._sizes if name.startswith(BUCKETS))

    def open(self, name: str) -> BinaryIO:
        """An object, to be read."""
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
        """Publish some bytes."""
        with self._faults("write", f"{self.title}/{name}"):
            self._make_parent(name)
            self._files.pipe_file(self._path(name), data)
        self._sizes[name] = len(data)

    def _make_parent(self, name: str) -> None:
        """Object stores have no folders; backends of file systems have."""
        parent = self._path(name).rpartition("/")[0]
        if not isinstance(self._files.protocol, str) and "s3" in self._files.protocol:
            return  # would ask for a bucket to be made
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

    def free(self) -> int | None:
        """Nobody knows."""
        return None

    def costs(self, path: Path) -> bool:
        """Everything is uploaded."""
        del path
        return True

    def locked(self) -> AbstractContextManager[object]:
        """Object stores have no locks: one writer at a time is the user's to see to."""
        return nullcontext()

    def sweep(self) -> None:
        """An upload that was broken off leaves nothing under any name."""

    def fetching_store(self, cache: Store) -> Store:
        """Files are fetched into the cache, and uploaded from there."""
        return cache
