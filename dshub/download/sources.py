"""Where a file can come from, and how large an answer may be.

How large an answer may be where the manifest does not know the size of the file.

No more is taken than half of what is free on the disk, so that a source without end, or a small
answer that decodes to a large one, cannot fill it; and no more than the `limits` of the resource
allow it to unpack to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from dshub.cache.paths import blob_path
from dshub.cache.store import Store
from dshub.catalog.manifest import LOCAL, Manifest, Resource
from dshub.display import Address
from dshub.errors import TransportError
from dshub.progress import size
from dshub.progress import size as shown


def most(resource: Resource, store: Store, *, here: int) -> int:
    """Bytes that a file has at most.

    Args:
        resource: the file.
        store: where it goes.
        here: bytes of it that are on the disk already.
    """
    if resource.size is not None:
        return resource.size
    allowed, free = resource.limits.unpacked, store.free()
    return allowed if free is None else min(allowed, here + free // 2)


def too_large(url: str, told: int | None, bound: int) -> TransportError:
    """What is wrong with a source whose answer is larger than that; None where it has no end."""
    has = "sends more than" if told is None else f"has {shown(told)}, more than"
    reason = f"it {has} {shown(bound)}: half of what is free, or the resource's limit"
    return TransportError(url=url, reason=reason)


@dataclass(frozen=True)
class Job:
    """One file that a dataset needs.

    Attributes:
        dataset: the dataset's name.
        name: the resource's name in its manifest.
        resource: addresses, size and checksum.
    """

    dataset: str
    name: str
    resource: Resource

    @property
    def title(self) -> str:
        """For messages: `train-images (9.9 MB)`."""
        return f"{self.name} ({size(self.resource.size)})"


def jobs(manifest: Manifest, splits: Sequence[str] | None = None) -> list[Job]:
    """The files with checksums that some splits need, all splits where None, each once."""
    wanted = manifest.split_resources(None if splits is None else tuple(splits))
    return [
        Job(manifest.name, name, resource) for name, resource in wanted.items() if name != LOCAL
    ]


def sources(job: Job, mirrors: Sequence[str], only: str | None = None) -> list[str]:
    """The addresses of a file: each mirror's, then those of its manifest.

    A mirror keeps a file under its checksum, so its address follows from the manifest. With
    `only`, a mirror or a folder with files under their upstream names, nothing else is tried.
    """
    relative = blob_path(job.resource.digest).as_posix()
    if only is not None:
        return [Address(only).join(relative), Address(only).join(quoted(only, job.resource.name))]
    return [*(Address(mirror).join(relative) for mirror in mirrors), *job.resource.urls]


def quoted(base: str, name: str) -> str:
    """A file name as it stands in an address below `base`; as it is in a plain path."""
    return quote(name) if Address(base).is_url else name
