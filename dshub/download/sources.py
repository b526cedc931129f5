"""Files to fetch, the addresses that have them, and how large an answer may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dshub.cache.paths import blob_path
from dshub.cache.store import Store
from dshub.catalog.manifest import LOCAL, Manifest, Resource
from dshub.display import Address
from dshub.errors import DshubError, TransportError
from dshub.progress import size


@dataclass(frozen=True)
class Job:
    """One file that a dataset needs.

    Attributes:
        dataset: the dataset's name.
        name: the resource's name in its manifest.
        resource: its addresses, size and checksum.
    """

    dataset: str
    name: str
    resource: Resource

    @property
    def title(self) -> str:
        """The file for messages: `train-images (9.9 MB)`."""
        return f"{self.name} ({size(self.resource.size)})"


@dataclass(frozen=True)
class Fetched:
    """A file that is in the store.

    Attributes:
        source: the address that delivered it; `cache` if it was there, or another process brought
            it meanwhile.
        attempts: an error for each source that failed before.
    """

    job: Job
    path: Path
    source: str = "cache"
    attempts: tuple[DshubError, ...] = ()


def jobs(manifest: Manifest, splits: Sequence[str] | None = None) -> list[Job]:
    """List the files with checksums that some splits (all if None) need, each once."""
    resources = manifest.split_resources(None if splits is None else tuple(splits))
    return [
        Job(manifest.name, name, resource) for name, resource in resources.items() if name != LOCAL
    ]


def sources(job: Job, mirrors: Sequence[str], only: str | None = None) -> list[str]:
    """List the addresses of a file: each mirror's, then those of its manifest.

    Mirrors name files by checksum, so those addresses follow from the manifest. With `only`, a
    mirror or a folder of files under their upstream names, nothing else is tried.
    """
    relative = blob_path(job.resource.digest).as_posix()
    if only is not None:
        place, name = Address(only), job.resource.name
        return [place.join(relative), place.join(quote(name) if place.is_url else name)]
    return [*(Address(mirror).join(relative) for mirror in mirrors), *job.resource.urls]


def size_bound(resource: Resource, store: Store, *, here: int) -> int:
    """Bound the size of a file, which the manifest may not state.

    At most half of the free disk space is taken, so that an endless source, or a small answer that
    decodes to a large one, cannot fill the disk; and no more than the resource may unpack to.

    Args:
        resource: the file.
        store: where it goes.
        here: bytes of it that are on the disk already.
    """
    if resource.size is not None:
        return resource.size
    allowed, free = resource.limits.unpacked, store.free()
    return allowed if free is None else min(allowed, here + free // 2)


def too_large(url: str, stated: int | None, bound: int) -> TransportError:
    """Make the error for an answer above its bound; `stated` is None if it has no end."""
    has = "sends more than" if stated is None else f"has {size(stated)}, more than"
    reason = f"it {has} {size(bound)}: half of the free disk space, or the resource's limit"
    return TransportError(url=url, reason=reason)
