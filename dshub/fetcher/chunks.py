"""Which pieces of a large file are damaged, where its manifest knows a checksum of each."""

from collections.abc import Iterator

from dshub.digest import Digest
from dshub.manifest import CHUNK, Resource
from dshub.store import Partial


def damaged(partial: Partial, resource: Resource) -> list[int]:
    """Where damaged chunks begin and end, in turn.

    Empty where the manifest has no checksums of chunks, where bytes are missing, or where every
    chunk is damaged: then it is another file altogether.
    """
    if not resource.chunks or not partial.complete(resource.size):
        return []
    wrong = list(_wrong(partial, resource))
    return wrong if len(wrong) < 2 * len(resource.chunks) else []


def sift(partial: Partial, resource: Resource) -> None:
    """Keep the chunks that are right, of bytes of which nothing is known."""
    partial.forget(*_wrong(partial, resource))


def _wrong(partial: Partial, resource: Resource) -> Iterator[int]:
    for number, expected in enumerate(resource.chunks):
        start, stop = number * CHUNK, (number + 1) * CHUNK
        stop = min(stop, resource.size or stop)
        if Digest.of_bytes(partial.read(start, stop)).hex != expected:
            yield from (start, stop)
