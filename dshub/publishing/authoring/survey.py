"""List the files of a dataset, and derive splits, keys and classes from their names."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NoReturn

from dshub import archives
from dshub.cache.disk import disk_faults
from dshub.catalog.checks import unused
from dshub.catalog.manifest import MemberEncoding
from dshub.datasets.media import AUDIO, IMAGES
from dshub.datasets.tabular.files import LooseFile
from dshub.datasets.trees import counted, shown, split_word
from dshub.errors import DshubError, StoreError
from dshub.formats import File
from dshub.importing.walking import HIDDEN, Place, is_junk, list_files

HEAD = 1 << 16  # bytes to read when detecting the format of a file
_MAX_NAME = 200  # characters of a name to use for a key
_EMPTY = "empty files"
_LIKELY = ("gbk", "cp932", "euc_kr", "big5", "cp1251", "cp1252")  # code pages of Windows
_CHOOSE = "pass files and folders that you have permission to read"
_ARCHIVE = re.compile(r"(?<=.)\.(tar|zip|tgz|tbz2|txz|tzst)(\.\w{1,3})?\Z", re.IGNORECASE)


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

    def content(self) -> bytes:
        """Read the file, decompressed.

        Raises:
            ReadError: the file cannot be read.
        """
        with self.file.open() as stream:
            return stream.read()

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
        folders: folders on disk, also those without files.
        skipped: names of skipped files, by reason.
        links: names of the links that were followed.
        encodings: encoding of names in archives that do not state it, or None.
        doubts: notes about names in these archives.
    """

    entries: list[Entry] = field(default_factory=list)
    members: dict[Path, list[str]] = field(default_factory=dict)
    folders: set[Place] = field(default_factory=set)
    skipped: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    links: list[str] = field(default_factory=list)
    encodings: dict[Path, MemberEncoding | None] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """Notes about skipped files and links, and about names."""
        notes = [
            f"skipped {counted(names, reason)}" for reason, names in self.skipped.items() if names
        ]
        if self.links:
            notes.append(f"followed {counted(self.links, 'links')}")
        return self.doubts + notes


def survey_files(
    paths: Sequence[Path], stack: ExitStack, *, encoding: MemberEncoding | None = None
) -> Survey:
    """List the files in paths, and the members of archives.

    Args:
        paths: files and folders.
        stack: receives the open archives; close it after reading the entries.
        encoding: encoding of names in zip archives that do not state it.

    Raises:
        StoreError: a file or folder cannot be read.
        ReadError, UnsafeArchiveError: an archive is damaged or unsafe.
        DshubError: a path contains another path, or a name is not UTF-8.
    """
    survey = Survey()
    for top in paths:
        _refuse_nested(top, paths)
        inner = f"{top.name}/" if len(paths) > 1 and top.is_dir() else ""
        for name, path in _walk(top, survey, inner):
            archive = _open_container(path, stack, encoding)
            if archive is None:
                survey.entries.append(Entry(inner + name, path, LooseFile(path, str(path))))
                continue
            folder = "" if [path] == list(paths) else _ARCHIVE.sub("", inner + name) + "/"
            found = archive.files("*")
            if unknown := [file for file in found if file.raw_name]:
                survey.encodings[path] = encoding
                survey.doubts += [] if encoding else [_doubt_of_names(path, unknown)]
            members = [Entry(folder + file.member, path, file) for file in found]
            survey.members[path] = [entry.file.member for entry in members]
            survey.entries += [entry for entry in members if not _is_hidden(entry)]
            hidden = [f"{path.name}:{e.file.member}" for e in members if _is_hidden(e)]
            survey.skipped[HIDDEN] += hidden
    for entry in survey.entries:
        _refuse_unencodable(entry)
    return survey


def _doubt_of_names(path: Path, files: Sequence[archives.ArchiveFile]) -> str:
    """Return a doubt about names in a zip archive that does not state their encoding."""
    name = max(files, key=lambda file: len(file.raw_name)).raw_name
    others = []
    for encoding in _LIKELY:
        with suppress(UnicodeDecodeError):
            if all(file.raw_name.decode(encoding).isprintable() for file in files):
                others.append(f"{encoding} gives {name.decode(encoding)}")
    hint = f" ({', '.join(others[:3])})" if others else ""
    return (
        f"{path.name} does not state the encoding of {len(files):,} names; they are read as cp437, "
        f"such as {name.decode('cp437')}; use --zip-encoding to change this{hint}"
    )


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


def _open_container(
    path: Path, stack: ExitStack, encoding: MemberEncoding | None
) -> archives.Archive | None:
    """Open an archive; return None for other files."""
    with disk_faults(path, "read", hint=_CHOOSE), path.open("rb"):
        pass
    if path.suffix.lower() in IMAGES + AUDIO + DOCUMENTS:
        return None
    with ExitStack() as local_stack:
        opened = archives.open_archive(path, title=str(path), encoding=encoding)
        archive = local_stack.enter_context(opened)
        if not archive.is_container:
            return None
        stack.enter_context(local_stack.pop_all())
    return archive


some = shown  # names in doubts and errors


def _walk(top: Path, survey: Survey, inner: str) -> Iterator[tuple[str, Path]]:
    """Yield the relative name and the path of each file; add what else the folder has."""
    if not top.is_dir():
        if not top.is_file():
            reason = "not a regular file"
            raise StoreError(path=str(top), action="read", reason=reason, hint=_CHOOSE)
        yield top.name, top
        return
    try:
        listing = list_files(top)
    except OSError as error:
        _refuse(error)
    for reason, names in listing.skipped.items():
        survey.skipped[reason] += names
    survey.links += listing.links
    for place, names in listing.places.items():
        survey.folders.add((*filter(None, (inner.rstrip("/"),)), *place))
        for name in names:
            path, relative = top.joinpath(*place, name), "/".join((*place, name))
            with disk_faults(path, "read", hint=_CHOOSE):
                is_empty = not path.stat().st_size
            if is_empty:
                survey.skipped[_EMPTY].append(relative)
            else:
                yield relative, path


def _is_hidden(entry: Entry) -> bool:
    return any(map(is_junk, entry.file.member.split("/")))


def _refuse(error: OSError) -> NoReturn:
    with disk_faults(Path(error.filename), "read", hint=_CHOOSE):
        raise error
