"""List the files of a dataset, and derive splits, keys and classes from their names."""

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

HEAD = 1 << 16  # bytes to read when detecting the format of a file
_SPLIT_WORDS = {
    "train": {"train", "training", "tr"},
    "validation": {"validation", "valid", "val", "dev", "development"},
    "test": {"test", "testing", "tst", "t10k"},
    "extra": {"extra"},
    "unlabeled": {"unlabeled", "unlabelled"},
}
_MAX_NAME = 200  # characters of a name to use for a key
_LITTER = {"__macosx", "thumbs.db", "desktop.ini"}
_HIDDEN = "hidden files"
_CHOOSE = "pass files and folders that you have permission to read"
_ARCHIVE = re.compile(r"(?<=.)\.(tar|zip|tgz|tbz2|txz|tzst)(\.\w{1,3})?\Z", re.IGNORECASE)


def split_word(text: str) -> str | None:
    """Return the split that a word names, such as `train` for `Training`; None if there is none."""
    word = text.lower()
    return next((name for name, words in _SPLIT_WORDS.items() if word in words), None)


def split_in(text: str) -> tuple[str | None, str]:
    """Split a file name into the first word that names a split, and the remaining name.

    For example, `x_train` gives `train` and `x`, and `train-images-idx3-ubyte.gz` gives `train` and
    `images-idx3-ubyte.gz`.
    """
    words = re.split(r"([-_. ]+)", text)
    for i in range(0, len(words), 2):
        if (split := split_word(words[i])) is not None:
            before, after = "".join(words[:i]), "".join(words[i + 1 :])
            return split, before.rstrip("-_. ") + after if i else after.lstrip("-_ ")
    return None, text


def ordered_splits(names: Iterable[str]) -> list[str]:
    """Sort splits in the order train, validation, test, extra, unlabeled, and then by name."""
    splits = set(names)
    return [name for name in _SPLIT_WORDS if name in splits] + sorted(splits - _SPLIT_WORDS.keys())


def key(text: str, taken: Collection[str] = (), *, default: str = "part") -> str:
    """Convert a name to a unique manifest key of the characters a-z, 0-9, `_` and `-`.

    Args:
        text: name to convert.
        taken: keys already in use.
        default: key to use if the name has no ASCII letters or digits.
    """
    plain = unicodedata.normalize("NFKD", text[:_MAX_NAME]).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^a-z0-9_-]+", "_", plain.lower())
    plain = re.sub(r"[_-]+", lambda run: "_" if "_" in run[0] else run[0], plain)
    return unused(plain.strip("_-") or default, taken, "_")


def dataset_name(text: str) -> str:
    """Convert the name of a folder or file to the last part of a dataset name."""
    return key(text.partition(".")[0] or text, default="data").replace("_", "-")


def class_order(names: Iterable[str]) -> list[str]:
    """Sort classes as numbers if all of them are integers, and as strings otherwise.

    Other loaders of class folders also sort strings in the order of Python.
    """
    classes = sorted(set(names))
    if all(re.fullmatch(r"-?\d{1,18}", name) for name in classes):
        classes.sort(key=int)
    return classes


def stem(name: str) -> str:
    """Return a file name without format and compression suffixes: `train` for `train.csv.gz`."""
    lower = name.lower()
    for suffix in archives.stream_suffixes():
        if lower.endswith(suffix):
            name = name[: -len(suffix)]
            break
    return re.sub(r"(?<=.)\.[A-Za-z0-9]{1,8}\Z", "", name)


@dataclass(frozen=True, slots=True)
class Entry:
    """File on disk or in an archive.

    Attributes:
        name: path relative to the folder or archive on the command line, such as
            `train/cat/1.jpg`.
        path: path of the file on disk, or of the archive.
        file: object that opens the file.
    """

    name: str
    path: Path
    file: File

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders in `name`."""
        return tuple(self.name.split("/")[:-1])

    @property
    def base(self) -> str:
        """Last part of `name`."""
        return PurePosixPath(self.name).name

    @property
    def suffix(self) -> str:
        """Suffix of `name` in lowercase, such as `.jpg`."""
        return PurePosixPath(self.name).suffix.lower()

    def head(self) -> bytes:
        """Read the first `HEAD` bytes, decompressed.

        Raises:
            ReadError: the file cannot be read.
        """
        with self.file.open() as stream:
            return stream.read(HEAD)


# files that are zips of their own parts, which are not data of the user
DOCUMENTS = (".xlsx", ".xlsm", ".ods", ".docx", ".odt", ".pptx", ".epub", ".pt", ".pth")


@dataclass
class Survey:
    """Files of a dataset.

    Attributes:
        entries: files, in the order of folders and archives.
        members: names of all members of each archive.
        notes: notes about skipped files.
    """

    entries: list[Entry] = field(default_factory=list)
    members: dict[Path, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LooseFile:
    """File on disk that is open only while it is read, because a dataset can have many files."""

    path: Path
    name: str
    member: str = ""

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file for reading, decompressed.

        Raises:
            ReadError: the file cannot be read.
        """
        with archives.open_files(self.path, title=self.name) as (file,), file.open() as stream:
            yield stream

    def check_size(self, size: int) -> None:
        """Check an uncompressed size against the limits; see `dshub.formats.File`."""
        archives.check_size(size, self.path.stat().st_size, self.name)


def survey_files(paths: Sequence[Path], stack: ExitStack) -> Survey:
    """List the files in paths, and the members of archives.

    Args:
        paths: files and folders.
        stack: receives the open archives; close it after reading the entries.

    Raises:
        StoreError: a file or folder cannot be read.
        ReadError, UnsafeArchiveError: an archive is damaged or unsafe.
        DshubError: a path contains another path, or a name is not UTF-8.
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
    resolved, resolved_top = [path.resolve() for path in paths], top.resolve()
    if resolved.count(resolved_top) > 1 or any(path in resolved_top.parents for path in resolved):
        raise DshubError(
            f"{top} was passed more than once", hint="pass either a folder or the files in it"
        )


def _refuse_unencodable(entry: Entry) -> None:
    for name in (entry.path.name, entry.name):
        if name != name.encode("utf-8", "replace").decode():
            raise DshubError(f"the file name {name!r} is not UTF-8", hint="rename the file")


def _open_container(path: Path, stack: ExitStack) -> archives.Archive | None:
    """Open an archive; return None for other files."""
    with disk_faults(path, "read", hint=_CHOOSE), path.open("rb"):
        pass
    if path.suffix.lower() in IMAGES + AUDIO + DOCUMENTS:
        return None
    with ExitStack() as local_stack:
        archive = local_stack.enter_context(archives.open_archive(path, title=str(path)))
        if not archive.is_container:
            return None
        stack.enter_context(local_stack.pop_all())
    return archive


def some(names: Sequence[str], count: int = 3) -> str:
    """Join the first names, and add the number of omitted ones."""
    more = f" and {len(names) - count:,} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def _walk(top: Path, skipped: dict[str, list[str]]) -> Iterator[tuple[str, Path]]:
    """Yield the relative name and the path of each file; add skipped names by reason."""
    if not top.is_dir():
        if not top.is_file():
            reason = "not a regular file"
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
    """Return why to skip a file or folder, as a plural noun phrase; empty to keep it."""
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
