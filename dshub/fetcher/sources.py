"""Which addresses a file can come from, in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from dshub.manifest import LOCAL, Manifest, Resource
from dshub.progress import size
from dshub.store import blob_path


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
        return [_join(only, relative), _join(only, quoted(only, job.resource.name))]
    return [*(_join(mirror, relative) for mirror in mirrors), *job.resource.urls]


def quoted(base: str, name: str) -> str:
    """A file name as it stands in an address below `base`; as it is in a plain path."""
    return quote(name) if "://" in base else name


def _join(base: str, relative: str) -> str:
    return f"{base.rstrip('/')}/{relative}"
