"""List files to fetch and their URLs, and limit their sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dshub.cache.paths import blob_path
from dshub.cache.store import Store
from dshub.catalog.manifest import LOCAL, Manifest, Resource
from dshub.display import Address
from dshub.errors import ArgumentError, DshubError, TransportError
from dshub.progress import size


@dataclass(frozen=True)
class Job:
    """File to fetch for a dataset.

    Attributes:
        dataset: name of the dataset.
        name: name of the resource in the manifest.
        resource: URLs, size and checksum of the file.
    """

    dataset: str
    name: str
    resource: Resource

    @property
    def title(self) -> str:
        """Name and size for messages, as in `train-images (9.9 MB)`."""
        return f"{self.name} ({size(self.resource.size)})"


@dataclass(frozen=True)
class Fetched:
    """File in the cache.

    Attributes:
        source: URL that the file was downloaded from; `cache` if it was already cached or another
            process downloaded it.
        attempts: errors of the sources that failed before.
    """

    job: Job
    path: Path
    source: str = "cache"
    attempts: tuple[DshubError, ...] = ()


def jobs(manifest: Manifest, splits: Sequence[str] | None = None) -> list[Job]:
    """List the files with checksums that some splits (all if None) need, without duplicates."""
    resources = manifest.split_resources(None if splits is None else tuple(splits))
    return [
        Job(manifest.name, name, resource) for name, resource in resources.items() if name != LOCAL
    ]


def sources(job: Job, mirrors: Sequence[str], only: str | None = None) -> list[str]:
    """List the URLs of a file on mirrors, followed by the URLs in its manifest.

    Mirrors name files by checksum. With `only`, which is a mirror or a folder of files with their
    upstream names, no other source is listed.
    """
    relative = blob_path(job.resource.digest).as_posix()
    if only is not None:
        place, name = Address(only), job.resource.name
        return [place.join(relative), place.join(quote(name) if place.is_url else name)]
    return [*(Address(mirror).join(relative) for mirror in mirrors), *job.resource.urls]


def is_absent(place: str) -> bool:
    """Return whether a mirror or source is a local folder that does not exist."""
    address = Address(place)
    return address.is_local and not address.path.is_dir()


def check_source(name: str, place: str) -> None:
    """Check that a mirror or folder that replaces all other sources exists.

    Args:
        name: argument or option that `place` comes from.
        place: folder or URL.

    Raises:
        ArgumentError: `place` is a local folder that does not exist.
    """
    if is_absent(place):
        is_file = Address(place).path.is_file()
        hint = (
            "run `dshub import NAME FILE` to use a single file"
            if is_file
            else "check the path, connect the drive, or begin the URL of a mirror with https://"
        )
        expected = "a folder that exists, or the URL of a mirror"
        raise ArgumentError(name=name, value=place, expected=expected, hint=hint)


def size_bound(resource: Resource, store: Store, *, here: int) -> int:
    """Return the size of a file, or an upper bound if the manifest does not state the size.

    The bound is half of the free disk space, or the resource's `limits.unpacked` if this is
    smaller. An endless response or a decompression bomb cannot fill the disk.

    Args:
        resource: file to download.
        store: cache to write to.
        here: bytes of the file that are already on disk.
    """
    if resource.size is not None:
        return resource.size
    allowed, free = resource.limits.unpacked, store.free()
    return allowed if free is None else min(allowed, here + free // 2)


def too_large(url: str, stated: int | None, bound: int) -> TransportError:
    """Return the error for a file over its `size_bound`; `stated` is its size if it is known."""
    problem = "sends more than" if stated is None else f"has {size(stated)}, more than"
    reason = f"it {problem} {size(bound)} (half of the free disk space, or the resource's limit)"
    return TransportError(url=url, reason=reason)
