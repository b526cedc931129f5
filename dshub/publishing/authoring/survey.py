"""Find the files of a dataset, and read splits, keys and classes out of their names."""

import os
import re
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from dshub import archives
from dshub.cache.disk import disk_faults
from dshub.catalog.checks import unused
from dshub.datasets.folders import AUDIO, IMAGES
from dshub.errors import DshubError, StoreError
from dshub.formats import File

HEAD = 1 << 16  # bytes that are enough to recognize a file
_SPLIT_WORDS = {
    "train": {"train", "training", "tr"},
    "validation": {"validation", "valid", "val", "dev", "development"},
    "test": {"test", "testing", "tst", "t10k"},
    "extra": {"extra"},
    "unlabeled": {"unlabeled", "unlabelled"},
}
_LONGEST = 200  # characters of a name
_LITTER = {"__macosx", "thumbs.db", "desktop.ini"}
_HIDDEN = "hidden files"
_CHOOSE = "give files and folders that you can read"
_ARCHIVE = re.compile(r"(?<=.)\.(tar|zip|tgz|tbz2|txz|tzst)(\.\w{1,3})?\Z", re.IGNORECASE)


def split_word(text: str) -> str | None:
    """The split that a whole word means: `train` for `Training`."""
    word = text.lower()
    return next((name for name, words in _SPLIT_WORDS.items() if word in words), None)


def split_in(text: str) -> tuple[str | None, str]:
    """Find the split in a file name; returns it, and the name without it.

    `train-images-idx3-ubyte.gz` gives `train` and `images-idx3-ubyte.gz`; `x_train` gives `train`
    and `x`. The first word that names a split counts.
    """
    words = re.split(r"([-_. ]+)", text)
    for i in range(0, len(words), 2):
        if (split := split_word(words[i])) is not None:
            before, after = "".join(words[:i]), "".join(words[i + 1 :])
            return split, before.rstrip("-_. ") + after if i else after.lstrip("-_ ")
    return None, text


def ordered_splits(names: Iterable[str]) -> list[str]:
    """Splits in the usual order, then others by name."""
    left = set(names)
    return [name for name in _SPLIT_WORDS if name in left] + sorted(left - _SPLIT_WORDS.keys())


def key(text: str, taken: Collection[str] = (), *, default: str = "part") -> str:
    """Turn a name into a unique key of a manifest: a-z and 0-9, with `_` or `-` between.

    Args:
        text: the name.
        taken: keys in use.
        default: the key if no character of the text is left, such as of Chinese.
    """
    plain = unicodedata.normalize("NFKD", text[:_LONGEST]).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^a-z0-9_-]+", "_", plain.lower())
    plain = re.sub(r"[_-]+", lambda run: "_" if "_" in run[0] else run[0], plain)
    return unused(plain.strip("_-") or default, taken, "_")


def dataset_name(text: str) -> str:
    """Turn the name of a folder or file into the last part of a dataset's name."""
    return key(text.partition(".")[0] or text, default="data").replace("_", "-")


def class_order(names: Iterable[str]) -> list[str]:
    """Sort classes by number if all are numbers, else by character.

    Python's order of characters is also that of other loaders of class folders.
    """
    classes = sorted(set(names))
    if all(re.fullmatch(r"-?\d{1,18}", name) for name in classes):
        classes.sort(key=int)
    return classes


def stem(name: str) -> str:
    """A file name without its suffix and that of a compression: `train` for `train.csv.gz`."""
    lower = name.lower()
    for suffix in archives.stream_suffixes():
        if lower.endswith(suffix):
            name = name[: -len(suffix)]
            break
    return re.sub(r"(?<=.)\.[A-Za-z0-9]{1,8}\Z", "", name)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file on disk or in an archive.

    Attributes:
        name: path below the folder or archive that was given, with `/`: `train/cat/1.jpg`.
        path: the file on disk, or the archive.
        file: opens it.
    """

    name: str
    path: Path
    file: File

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders in its name."""
        return tuple(self.name.split("/")[:-1])

    @property
    def base(self) -> str:
        """Its name without folders."""
        return PurePosixPath(self.name).name

    @property
    def suffix(self) -> str:
        """The suffix of its name in lower case: `.jpg`."""
        return PurePosixPath(self.name).suffix.lower()

    def head(self) -> bytes:
        """Its first bytes, decompressed; raises ReadError."""
        with self.file.open() as stream:
            return stream.read(HEAD)


@dataclass
class Survey:
    """The files of a dataset.

    Attributes:
        entries: in the order of folders and archives.
        members: all member names of each archive.
        notes: remarks on skipped files.
    """

    entries: list[Entry] = field(default_factory=list)
    members: dict[Path, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LooseFile:
    """A file on disk, open only while it is read: there can be many thousands."""

    path: Path
    name: str
    member: str = ""

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its bytes, decompressed; raises ReadError."""
        with archives.open_files(self.path, title=self.name) as (file,), file.open() as stream:
            yield stream

    def check_size(self, size: int) -> None:
        """See `dshub.formats.File`."""
        archives.check_size(size, self.path.stat().st_size, self.name)


def look(paths: Sequence[Path], stack: ExitStack) -> Survey:
    """List the files in some paths, and the members of archives among them.

    Args:
        paths: files and folders.
        stack: keeps the archives open.

    Raises:
        StoreError: a file or folder cannot be read.
        ReadError, UnsafeArchiveError: an archive is damaged or unsafe.
        DshubError: a path is given twice, or a name is not UTF-8.
    """
    survey, skipped = Survey(), defaultdict[str, list[str]](list)
    for top in paths:
        _refuse_nested(top, paths)
        inner = f"{top.name}/" if len(paths) > 1 and top.is_dir() else ""
        for name, path in _walk(top, skipped):
            archive = _open_container(path, stack)
            if archive is None:
                survey.entries.append(Entry(inner + name, path, LooseFile(path, str(path))))
                continue
            folder = "" if [path] == list(paths) else _ARCHIVE.sub("", inner + name) + "/"
            members = [Entry(folder + file.member, path, file) for file in archive.files("*")]
            survey.members[path] = [entry.file.member for entry in members]
            survey.entries += [entry for entry in members if not _is_hidden(entry)]
            skipped[_HIDDEN] += [f"{path.name}:{e.file.member}" for e in members if _is_hidden(e)]
    for entry in survey.entries:
        _refuse_unencodable(entry)
    survey.notes = [
        f"skipped {reason}: {some(names)}" for reason, names in skipped.items() if names
    ]
    return survey


def _refuse_nested(top: Path, paths: Sequence[Path]) -> None:
    resolved, own = [path.resolve() for path in paths], top.resolve()
    if resolved.count(own) > 1 or any(path in own.parents for path in resolved):
        raise DshubError(f"{top} is given twice", hint="give a folder, or the files in it")


def _refuse_unencodable(entry: Entry) -> None:
    for name in (entry.path.name, entry.name):
        if name != name.encode("utf-8", "replace").decode():
            raise DshubError(f"{name!r} is not UTF-8, as names in a manifest are", hint="rename it")


def _open_container(path: Path, stack: ExitStack) -> archives.Archive | None:
    """Open an archive; returns None for other files."""
    with disk_faults(path, "read", hint=_CHOOSE), path.open("rb"):
        pass
    if path.suffix.lower() in IMAGES + AUDIO:
        return None
    with ExitStack() as own:
        archive = own.enter_context(archives.open_archive(path, title=str(path)))
        if not archive.is_container:
            return None
        stack.enter_context(own.pop_all())
    return archive


def some(names: Sequence[str], count: int = 3) -> str:
    """The first names, and the number of others."""
    more = f" and {len(names) - count:,} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def _walk(top: Path, skipped: dict[str, list[str]]) -> Iterator[tuple[str, Path]]:
    """Yield each file of a path with its name below it; add others to `skipped` by reason."""
    if not top.is_dir():
        if not top.is_file():
            reason = "it is not a regular file"
            raise StoreError(path=str(top), action="read", reason=reason, hint=_CHOOSE)
        yield top.name, top
        return
    root = top.resolve()
    for folder, folders, files in os.walk(top, onerror=_refuse):
        for path in [Path(folder, name) for name in sorted(folders + files)]:
            name = path.relative_to(top).as_posix()
            if reason := _reason_to_skip(path, root):
                skipped[reason].append(name)
            elif not path.is_dir():
                yield name, path
        folders[:] = sorted(name for name in folders if not _is_litter(name))


def _reason_to_skip(path: Path, root: Path) -> str:
    """A plural noun phrase for a file or folder to skip; empty for others."""
    if _is_litter(path.name):
        return _HIDDEN
    with disk_faults(path, "read", hint=_CHOOSE):
        if path.is_symlink() and not (path.is_file() and path.resolve().is_relative_to(root)):
            return "links to folders, to missing files, or out of the folder"
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            return "" if status.st_size else "empty files"
        return "" if stat.S_ISDIR(status.st_mode) else "special files"


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LITTER


def _is_hidden(entry: Entry) -> bool:
    return any(map(_is_litter, entry.file.member.split("/")))


def _refuse(error: OSError) -> None:
    with disk_faults(Path(error.filename), "read", hint=_CHOOSE):
        raise error
