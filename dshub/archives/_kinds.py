"""Which kinds there are, and which of them a file is.

That is told by its first bytes where it is read, and by its name only where it is written.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, cast

from dshub import plugins

if TYPE_CHECKING:
    from dshub.archives import Container, Stream

HEAD = 512  # bytes that suffice to recognise every kind by its beginning: a header of tar
TAIL = 22 + 65_535  # bytes that hold the end of a zip with the longest comment


@cache
def streams() -> Sequence["Stream"]:
    """Every compression."""
    return [cast("Stream", kind) for kind in _all() if hasattr(kind, "write")]


@cache
def containers() -> Sequence["Container"]:
    """Every kind of archive with members."""
    return [cast("Container", kind) for kind in _all() if hasattr(kind, "write_members")]


def stream_of(head: bytes) -> "Stream | None":
    """The compression of a file that begins so."""
    return next((kind for kind in streams() if kind.matches(head)), None)


def container_of(head: bytes, tail: bytes = b"") -> "Container | None":
    """The container that begins or, where no beginning is known, ends so."""
    found = next((kind for kind in containers() if kind.matches(head, b"")), None)
    return found or next((kind for kind in containers() if kind.matches(head, tail)), None)


def stream_named(name: str) -> "Stream | None":
    """The compression that a file name tells of."""
    return next((kind for kind in streams() if name.lower().endswith(kind.suffix)), None)


def container_named(name: str) -> "tuple[Container, Stream | None] | None":
    """The container that a file name tells of, and the compression around it."""
    name = name.lower()
    for container in containers():
        if name.endswith(container.suffix):
            return container, None
        for stream in streams():
            short = stream.tar_suffixes if container.suffix == ".tar" else ()
            if name.endswith((container.suffix + stream.suffix, *short)):
                return container, stream
    return None


def _all() -> list[object]:
    return [plugins.module("archives", name).archive for name in plugins.names("archives")]
