"""Everything that some files and folders hold, and what each file's beginning is.

A person's files are only read. Links that lead out of a folder, and what is no file (a pipe, a
device), are left alone and told of.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from dshub import archives
from dshub.errors import DshubError, StoreError
from dshub.readers import File

HEAD = 1 << 16  # bytes of a file by which it is recognised
PICTURES = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"}
RECORDINGS = {".wav", ".flac"}
_LITTER = {"__macosx", "thumbs.db", "desktop.ini"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: loose, or in an archive.

    Attributes:
        name: below what was named, with `/`: `train/cat/1.jpg`; for a member, of the archive.
        path: of the file on disk: its own, or the archive's.
        file: to read it.
    """

    name: str
    path: Path
    file: File

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders above it, below what was named."""
        return tuple(self.name.split("/")[:-1])

    @property
    def base(self) -> str:
        """Its name without folders."""
        return self.name.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The ending of its name, in lower case: `.jpg`; empty where there is none."""
        _, dot, end = self.base.rpartition(".")
        return f".{end.lower()}" if dot else ""

    def head(self, size: int = HEAD) -> bytes:
        """Its first bytes, with compressions removed; raises ReadError."""
        with self.file.open() as stream:
            parts, left = [], size
            while left and (piece := stream.read(left)):
                parts.append(piece)
                left -= len(piece)
        return b"".join(parts)


@dataclass
class Survey:
    """What was found.

    Attributes:
        entries: every file, sorted by name; the members of an archive in its own order.
        members: every member of each archive, by its path: also those that were left out.
        notes: what was left out, for a person.
    """

    entries: list[Entry] = field(default_factory=list)
    members: dict[Path, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LooseFile:
    """A file on disk, which is open only while it is read: there may be many thousands."""

    path: Path

    @property
    def name(self) -> str:
        """For messages."""
        return str(self.path)

    @property
    def member(self) -> str:
        """Of no archive."""
        return ""

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The bytes from the beginning, with compressions removed; raises ReadError."""
        with (
            archives.open_archive(self.path, title=self.name) as archive,
            archive.files()[0].open() as stream,
        ):
            yield stream

    def check_size(self, size: int) -> None:
        """See `dshub.readers.File`."""
        archives.check_size(size, self.path.stat().st_size, self.name)


def look(paths: Sequence[Path], stack: ExitStack) -> Survey:
    """Every file at or below some paths, and every member of the archives among them.

    Args:
        paths: files and folders.
        stack: keeps the archives open.

    Raises:
        StoreError: something cannot be read.
        ReadError, UnsafeArchiveError: an archive is damaged, or must not be touched.
        DshubError: a file is named twice.
    """
    found, left = Survey(), _Left()
    for top in paths:
        _check_named_once(top, paths)
        inner = f"{top.name}/" if len(paths) > 1 and top.is_dir() else ""
        for name, path in _walk(top, left):
            shown = inner + name
            if _is_archive(path):
                folder = "" if len(paths) == 1 and path == top else f"{_without_kind(shown)}/"
                _add_members(path, folder, found, left, stack)
            else:
                found.entries.append(Entry(shown, path, LooseFile(path)))
    found.notes += left.told()
    return found


def _check_named_once(top: Path, paths: Sequence[Path]) -> None:
    places = [path.resolve() for path in paths]
    own = top.resolve()
    if places.count(own) > 1 or any(place in own.parents for place in places):
        raise DshubError(f"{top} is named twice", hint="name a folder, or the files in it")


def _is_archive(path: Path) -> bool:
    with _readable(path), path.open("rb"):
        pass
    if path.suffix.lower() in PICTURES | RECORDINGS:
        return False
    with archives.open_archive(path, title=str(path)) as opened:
        return opened.is_container


def _add_members(path: Path, folder: str, found: Survey, left: "_Left", stack: ExitStack) -> None:
    opened = stack.enter_context(archives.open_archive(path, title=str(path)))
    members = opened.files("*")
    found.members[path] = [file.member for file in members]
    for file in members:
        if any(_is_litter(part) for part in file.member.split("/")):
            left.hidden.append(f"{path.name}:{file.member}")
        else:
            found.entries.append(Entry(folder + file.member, path, file))


def _without_kind(name: str) -> str:
    """An archive's name without its ending: `data/train` for `data/train.tar.gz`."""
    lower = name.lower()
    for end in (".tar", ".zip", ".tgz", ".tbz2", ".txz", ".tzst"):
        cut = lower.rfind(end)
        if cut > 0 and len(lower) - cut <= len(end) + 4:
            return name[:cut]
    return name


@dataclass
class _Left:
    """What was left out, by reason."""

    hidden: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    def told(self) -> list[str]:
        reasons = {
            "hidden": "hidden, or a file manager's",
            "links": "a link that leads elsewhere, or nowhere",
            "strange": "neither a file nor a folder",
            "empty": "empty",
        }
        return [
            f"left out: {some(getattr(self, kind))}: {reason}"
            for kind, reason in reasons.items()
            if getattr(self, kind)
        ]


def some(names: Sequence[str], count: int = 3) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - count:,} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def _walk(top: Path, left: _Left) -> Iterator[tuple[str, Path]]:
    """Every file at or below a path that is to be looked at: its name below it, and its path."""
    if not top.is_dir():
        with _readable(top):
            regular = stat.S_ISREG(top.stat().st_mode)
        if not regular:
            raise StoreError(path=str(top), action="read", reason="it is no file", hint=_CHOOSE)
        yield top.name, top
        return
    root = top.resolve()
    for folder, folders, files in os.walk(top, onerror=_refuse):
        here = Path(folder)
        inner = "" if here == top else f"{here.relative_to(top).as_posix()}/"
        for name in [name for name in folders if (here / name).is_symlink()]:
            left.links.append(f"{inner}{name}")
        left.hidden += [f"{inner}{name}" for name in folders if _is_litter(name)]
        folders[:] = sorted(name for name in folders if not _is_litter(name))
        for name in sorted(files):
            if _is_wanted(here / name, f"{inner}{name}", root, left):
                yield f"{inner}{name}", here / name


def _is_wanted(path: Path, name: str, root: Path, left: _Left) -> bool:
    """Whether a file of a folder is to be looked at; where it is not, the reason is noted."""
    why = None
    with _readable(path):
        if _is_litter(path.name):
            why = left.hidden
        elif path.is_symlink() and not (path.exists() and path.resolve().is_relative_to(root)):
            why = left.links
        elif not stat.S_ISREG(path.stat().st_mode):
            why = left.strange
        elif not path.stat().st_size:
            why = left.empty
    if why is not None:
        why.append(name)
    return why is None


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LITTER


_CHOOSE = "name files and folders that you may read"


def _refuse(error: OSError) -> None:
    reason = error.strerror or str(error)
    raise StoreError(path=str(error.filename), action="read", reason=reason, hint=_CHOOSE)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns what the system says of a file that cannot be read into an error of ours."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(path=str(path), action="read", reason=reason, hint=_CHOOSE) from error
