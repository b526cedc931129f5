"""Which pieces of a large file are damaged, where its manifest knows a checksum of each."""

from dshub.digest import Digest
from dshub.manifest import CHUNK, Resource
from dshub.store import Partial


def damaged(partial: Partial, resource: Resource) -> list[int]:
    """Where damaged chunks begin and end, in turn.

    Empty where the manifest has no checksums of chunks, where bytes are missing, or where every
    chunk is damaged: then it is another file altogether.
    """
    size = resource.size
    if not resource.chunks or size is None or not partial.complete(size):
        return []
    wrong: list[int] = []
    for number, expected in enumerate(resource.chunks):
        start, stop = number * CHUNK, min((number + 1) * CHUNK, size)
        if Digest.of_bytes(partial.read(start, stop)).hex != expected:
            wrong += [start, stop]
    return wrong if len(wrong) < 2 * len(resource.chunks) else []
