"""Which layouts of a manifest lie below some paths, told by the names of files."""

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from dshub.catalog.manifest import Layout, Manifest
from dshub.errors import ReadError, StoreError
from dshub.importing.holding import Holding, LocalFiles
from dshub.importing.places import Folder, Listed, Place, is_archive, open_place
from dshub.importing.records import ImportRecord
from dshub.progress import size

_WILD = re.compile(r"[*?[]")
_AGAIN = "`dshub import` it again, so that it is looked at anew"


def recognise(manifest: Manifest, paths: Sequence[Path]) -> list[Holding]:
    """For each layout that has files in some folder or archive, where it has most.

    A layout is found however deep below a path its files lie, and where the path is itself one
    of its folders. All of its names and patterns have to have a file; what is missing besides is
    told by `assess`.

    Args:
        manifest: with layouts.
        paths: folders, archives and files.

    Raises:
        StoreError: a folder cannot be read.
    """
    wanted = {name: item for name, item in manifest.layouts.items() if item.local_members}
    if not wanted:
        return []
    best: dict[str, Holding] = {}
    found = (
        holding
        for path, listed in _listings(paths)
        for name, layout in wanted.items()
        for holding in _holdings(name, layout, path, listed)
    )
    for holding in found:
        name = holding.layout
        if name not in best or len(holding.files) > len(best[name].files):
            best[name] = holding
    return [best[name] for name in wanted if name in best]


def hold(name: str, layout: Layout, place: Place, prefix: str) -> Holding:
    """What a layout has in a place, looking only where its names can lead."""
    found = {}
    for member in layout.local_members:
        listed = place.list(prefix + _fixed(member))
        inside = (
            item._replace(name=item.name.removeprefix(prefix))
            for item in listed
            if item.name.startswith(prefix)
        )
        fits = _Fits(member)
        chosen = [item for item in inside if fits.prefix(item.name) == ""]
        found[member] = _ordered(layout, chosen)
    return Holding(name, place.path, prefix, found)


def _listings(paths: Sequence[Path]) -> Iterator[tuple[Path, list[Listed]]]:
    """What lies at each path: names from the folder on in which the path lies, or an archive."""
    folders: dict[Path, dict[str, Listed]] = {}
    for path in (path.absolute() for path in paths):
        if is_archive(path):
            yield from _members(path)
            continue
        own = f"{path.name}/" if path.name else ""  # the root of a disk has no name
        base = folders.setdefault(path.parent if own else path, {})
        if path.is_dir():
            listed = (item._replace(name=own + item.name) for item in Folder(path).list())
            base.update({item.name: item for item in listed})
        else:
            status = path.stat()
            base[path.name] = Listed(path.name, status.st_size, status.st_mtime_ns)
    yield from ((path, list(found.values())) for path, found in folders.items())


def _members(path: Path) -> Iterator[tuple[Path, list[Listed]]]:
    """The members of an archive; none of one that cannot be read, which is no layout then."""
    try:
        with open_place(path) as place:
            yield path, list(place.list())
    except (ReadError, StoreError):
        return


def _holdings(name: str, layout: Layout, path: Path, listed: Iterable[Listed]) -> Iterator[Holding]:
    """Every prefix under which all names and patterns of a layout have files."""
    listed = list(listed)
    by_prefix: dict[str, dict[str, list[Listed]]] = {}
    for member in layout.local_members:
        fits = _Fits(member)
        for item in listed:
            prefix = fits.prefix(item.name)
            if prefix is not None:
                inside = item._replace(name=item.name[len(prefix) :])
                by_prefix.setdefault(prefix, {}).setdefault(member, []).append(inside)
    for prefix, found in by_prefix.items():
        if found.keys() == set(layout.local_members):
            yield _holding(name, layout, path, prefix, found)


def _holding(
    name: str, layout: Layout, path: Path, prefix: str, found: Mapping[str, list[Listed]]
) -> Holding:
    ordered = {member: _ordered(layout, found[member]) for member in layout.local_members}
    if path.is_dir():
        return Holding(name, path / prefix, "", ordered)
    return Holding(name, path, prefix, ordered)


def _ordered(layout: Layout, files: Iterable[Listed]) -> tuple[Listed, ...]:
    """In the order of the layout."""
    if layout.order == "path":
        return tuple(sorted(files))
    return tuple(sorted(files, key=lambda item: (item.name.rpartition("/")[2], item.name)))


def _fixed(member: str) -> str:
    """The folder in which every file of a pattern lies."""
    wild = _WILD.search(member)
    begin = member[: wild.start()] if wild else member
    return begin[: begin.rfind("/") + 1]


class _Fits:
    """Whether a file's name ends as a pattern says; `*` stands for no `/`."""

    def __init__(self, member: str) -> None:
        *folders, file = member.split("/")
        self._folders = [re.compile(fnmatch.translate(item)).match for item in folders]
        self._file = re.compile(fnmatch.translate(file)).match
        self._before = lru_cache(1 << 14)(self._prefix)

    def prefix(self, name: str) -> str | None:
        """What stands before the part that fits; None where the name does not."""
        folder, _, file = name.rpartition("/")
        return self._before(folder) if self._file(file) else None

    def _prefix(self, folder: str) -> str | None:
        parts, count = (folder.split("/") if folder else []), len(self._folders)
        if len(parts) < count:
            return None
        tail = parts[len(parts) - count :]
        if not all(fits(part) for fits, part in zip(self._folders, tail, strict=True)):
            return None
        return "".join(f"{part}/" for part in parts[: len(parts) - count])


@contextmanager
def opened(record: ImportRecord, manifest: Manifest) -> Iterator[LocalFiles]:
    """The files that a record speaks of, for as long as the context is entered.

    Raises:
        StoreError: they are gone, or are not those that were imported.
        ReadError, UnsafeArchiveError: an archive cannot be read any more.
    """
    with open_place(Path(record.path)) as place:
        holding = hold(record.layout, manifest.layouts[record.layout], place, record.prefix)
        if holding.identity != record.identity:
            told = f"{len(holding.files):,} files, {size(holding.size)}"
            before = f"{record.files:,} files, {size(record.size)}"
            reason = f"it has changed since it was imported: {told}, where there were {before}"
            if told == before:
                reason = "it has changed since it was imported: other names or sizes of files"
            raise StoreError(path=record.path, action="use", reason=reason, hint=_AGAIN)
        yield LocalFiles(holding, place)


def check(record: ImportRecord, manifest: Manifest) -> None:
    """Whether the files are still there, by names and sizes; raises as `opened`."""
    with opened(record, manifest):
        pass
