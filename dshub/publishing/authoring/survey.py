"""Survey files: what is there, what it is called, which split its name tells of.

Names: which split a file's name tells of, and what resources, columns and classes are called.
"""

import os
import re
import stat
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from dshub import archives
from dshub.catalog.checks import unused
from dshub.errors import DshubError, StoreError
from dshub.formats import File

_SPLITS = {
    "train": {"train", "training", "tr"},
    "validation": {"validation", "valid", "val", "dev", "development"},
    "test": {"test", "testing", "tst", "t10k"},
    "extra": {"extra"},
    "unlabeled": {"unlabeled", "unlabelled"},
}
ORDER = tuple(_SPLITS)
_LONGEST = 200  # characters of a name


def split_word(text: str) -> str | None:
    """The split that a folder of that name means: `train` for `Training`; None for none."""
    word = text.lower()
    return next((name for name, words in _SPLITS.items() if word in words), None)


def split_in(text: str) -> tuple[str | None, str]:
    """The split that a file's name tells of, and what is left of the name without it.

    `train-images-idx3-ubyte.gz` is `train`, and `images-idx3-ubyte.gz`; `x_train` is `train`, and
    `x`. Where two words of it are splits, the first counts.
    """
    words = re.split(r"([-_. ]+)", text)
    for i in range(0, len(words), 2):
        found = split_word(words[i])
        if found is not None:
            rest = "".join(words[:i]).rstrip("-_. ") + "".join(words[i + 1 :])
            return found, rest.lstrip("-_ ") if i == 0 else rest
    return None, text


def ordered_splits(names: Iterable[str]) -> list[str]:
    """Splits in the usual order, others after them by name."""
    known = {name: i for i, name in enumerate(ORDER)}
    return sorted(set(names), key=lambda name: (known.get(name, len(known)), name))


def key(text: str, taken: Collection[str] = (), *, instead: str = "part") -> str:
    """A name for a table of a manifest: a-z and 0-9 with `_` or `-` between; not one that is taken.

    Args:
        text: what it is called by the person.
        taken: names that others have.
        instead: the name where nothing of the text is left, such as in Chinese.
    """
    plain = (
        unicodedata.normalize("NFKD", text[:_LONGEST]).encode("ascii", "ignore").decode().lower()
    )
    plain = re.sub(r"[^a-z0-9_-]+", "_", plain)
    plain = re.sub(r"[_-]+", lambda run: "_" if "_" in run[0] else run[0], plain)
    plain = plain.strip("_-") or instead
    return unused(plain, taken, "_")


def dataset_name(text: str) -> str:
    """The last part of a dataset's name, from that of a folder or a file."""
    return key(text.partition(".")[0] or text, instead="data").replace("_", "-")


def class_order(names: Iterable[str]) -> list[str]:
    """Classes in the order of their numbers where all are numbers, otherwise of their characters.

    Characters are compared as Python, and with it every loader of class folders, compares them.
    """
    found = sorted(set(names))
    if all(re.fullmatch(r"-?\d{1,18}", name) for name in found):
        found.sort(key=lambda name: (int(name), name))
    return found


def stem(name: str, suffixes: Sequence[str]) -> str:
    """A file's name without its endings, also of a compression: `train` for `train.csv.gz`."""
    lower = name.lower()
    for suffix in suffixes:
        if lower.endswith(suffix):
            name = name[: -len(suffix)]
            break
    head, dot, tail = name.rpartition(".")
    return head if dot and head and re.fullmatch(r"[A-Za-z0-9]{1,8}", tail) else name


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
        """See `dshub.formats.File`."""
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
