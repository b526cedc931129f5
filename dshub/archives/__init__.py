"""Files inside files, read in place: nothing is ever unpacked to a loose file.

Two kinds, one module each:

* a *stream* holds one thing, compressed (`gz`, `xz`);
* a *container* holds members under names (`zip`).

What a file is, is told by its first bytes, not by its name: many a `.tar.gz` of the field is a
plain tar. Streams may be nested in containers (EMNIST is gz in zip); `open_files` peels off every
layer. Damaged content becomes a `ReadError` with the file's name; a member that must not be
touched an `UnsafeArchiveError`.
"""

import fnmatch
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO, ClassVar, Protocol, cast

from dshub import plugins
from dshub.archives import _checked
from dshub.errors import ReadError, UnsafeArchiveError

HEAD = 16  # bytes that suffice to recognise every kind
LAYERS = 4  # compressions one inside the other; a file may hold itself without end


class Stream(Protocol):
    """A compression: what a module here offers as `archive`."""

    suffix: ClassVar[str]
    errors: ClassVar[tuple[type[Exception], ...]]

    def matches(self, head: bytes) -> bool:
        """Whether the first `HEAD` bytes of a file are of this kind."""

    def open(self, raw: BinaryIO) -> BinaryIO:
        """The bytes inside."""

    def write(self, raw: BinaryIO) -> BinaryIO:
        """Something to write to; what is written lands in `raw`, compressed, when closed."""


class Container(Protocol):
    """An archive with members: what a module here offers as `archive`."""

    suffix: ClassVar[str]
    errors: ClassVar[tuple[type[Exception], ...]]

    def matches(self, head: bytes) -> bool:
        """Whether the first `HEAD` bytes of a file are of this kind."""

    def members(self, path: Path) -> Sequence[str]:
        """Names of the files inside, in archive order."""

    def open_member(self, path: Path, member: str) -> BinaryIO:
        """The bytes of one member."""

    def write_members(self, path: Path, members: Iterable[tuple[str, Path]]) -> None:
        """Make an archive of named files."""


class ArchiveFile:
    """One file for a reader: what it is called, and its bytes with every wrapping removed."""

    def __init__(self, path: Path, title: str, member: str = "") -> None:
        self.path, self.member = path, member
        self.name = f"{title}:{member}" if member else title

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The plain bytes, to be read once from the beginning.

        Raises:
            ReadError: the file is damaged; raised by the read that meets the damage.
        """
        with _guarded(self.name, self.path, self.member) as stream:
            yield stream


def open_files(path: Path, *, title: str, member: str = "") -> list[ArchiveFile]:
    """The files that `resource:member` means.

    Args:
        path: the resource on disk.
        title: what to call it in errors.
        member: name or pattern (`*`, `?`) of members, where it is a container.

    Returns:
        One file without `member`; otherwise every member that fits, sorted by name.

    Raises:
        ReadError: it is no container, is damaged, or holds no such member.
        UnsafeArchiveError: a member's name leads elsewhere, is there twice, or is encrypted.
    """
    if not member:
        return [ArchiveFile(path, title)]
    with _checked.translated(title, (OSError,)):
        container = _container(path)
    if container is None:
        raise ReadError(file=title, reason=f"it is no archive that could hold {member!r}")
    try:
        with _checked.translated(title, (*container.errors, OSError)):
            names = container.members(path)
    except UnsafeArchiveError as error:  # it knows the path only, which is a checksum
        raise UnsafeArchiveError(archive=title, member=error.member, reason=error.reason) from error
    found = sorted(name for name in names if name == member or fnmatch.fnmatchcase(name, member))
    if not found:
        raise ReadError(file=title, reason=f"it holds no member {member!r}")
    return [ArchiveFile(path, title, name) for name in found]


@contextmanager
def open_stream(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, or those inside it where it is a compressed stream."""
    with _guarded(path.name, path, "") as stream:
        yield stream


def stream_suffixes() -> list[str]:
    """File name endings of the compressions: `[".gz", ".xz"]`."""
    return [kind.suffix for kind in _streams()]


def stream_for(name: str) -> Stream | None:
    """The compression that a file name tells of, for writing."""
    return next((kind for kind in _streams() if name.endswith(kind.suffix)), None)


def container_for(name: str) -> Container | None:
    """The container that a file name tells of, for writing."""
    return next((kind for kind in _containers() if name.endswith(kind.suffix)), None)


@contextmanager
def _guarded(name: str, path: Path, member: str) -> Iterator[BinaryIO]:
    """Open a file or member, peel off its compressions, and translate their errors."""
    kinds: list[Stream | Container] = [*_streams(), *_containers()]
    errors = tuple(error for kind in kinds for error in kind.errors)
    with ExitStack() as layers:
        with _checked.translated(name, (*errors, OSError)):
            stream = layers.enter_context(_raw(path, member))
            stream = _peeled(stream, name, layers)
        yield _checked.CheckedStream(stream, name, (*errors, OSError))


def _peeled(stream: BinaryIO, name: str, layers: ExitStack) -> BinaryIO:
    for _ in range(LAYERS + 1):
        kind = _stream_of(stream)
        if kind is None:
            return stream
        stream = layers.enter_context(kind.open(stream))
    raise ReadError(file=name, reason=f"it is compressed more than {LAYERS} times")


def _raw(path: Path, member: str) -> BinaryIO:
    if not member:
        return path.open("rb")
    container = _container(path)
    if container is None:
        raise ReadError(file=path.name, reason="it is no archive")
    return container.open_member(path, member)


def _stream_of(stream: BinaryIO) -> Stream | None:
    head = cast("io.BufferedReader", stream).peek(HEAD)[:HEAD]
    return next((kind for kind in _streams() if kind.matches(head)), None)


def _container(path: Path) -> Container | None:
    with path.open("rb") as file:
        head = file.read(HEAD)
    return next((kind for kind in _containers() if kind.matches(head)), None)


@cache
def _streams() -> list[Stream]:
    return [cast("Stream", kind) for kind in _kinds() if hasattr(kind, "write")]


@cache
def _containers() -> list[Container]:
    return [cast("Container", kind) for kind in _kinds() if hasattr(kind, "write_members")]


def _kinds() -> list[object]:
    return [plugins.module("archives", name).archive for name in plugins.names("archives")]
