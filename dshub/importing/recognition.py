"""Recognize the layouts of a manifest in local folders and archives by their file names."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from dshub.catalog.manifest import Layout, Manifest
from dshub.errors import ReadError, StoreError
from dshub.importing.holding import Holding, LocalFiles
from dshub.importing.places import Folder, Listed, Place, is_archive, open_place
from dshub.importing.records import ImportRecord
from dshub.progress import size

_WILD = re.compile(r"[*?[]")


def recognize(manifest: Manifest, paths: Sequence[Path]) -> list[Holding]:
    """Find layouts in `paths`, each at the location with the most matching files.

    A layout can begin at any depth below a path, and a path can be one of the layout's folders.
    Every name and pattern of the layout must match a file. `assess` finds other faults.

    Args:
        manifest: manifest with layouts.
        paths: folders, archives and files to search.

    Raises:
        StoreError: a folder cannot be read.
    """
    layouts = {name: item for name, item in manifest.layouts.items() if item.local_members}
    if not layouts:
        return []
    best: dict[str, Holding] = {}
    holdings = (
        holding
        for path, listed in _listings(paths)
        for name, layout in layouts.items()
        for holding in _holdings(name, layout, path, listed)
    )
    for holding in holdings:
        name = holding.layout
        if name not in best or len(holding.files) > len(best[name].files):
            best[name] = holding
    return [best[name] for name in layouts if name in best]


@contextmanager
def open_import(record: ImportRecord, manifest: Manifest) -> Iterator[LocalFiles]:
    """Open the files of an imported layout.

    Raises:
        StoreError: the files are missing, or have changed since they were imported.
        ReadError, UnsafeArchiveError: an archive can no longer be read.
    """
    with open_place(Path(record.path)) as place:
        holding = _hold(record.layout, manifest.layouts[record.layout], place, record.prefix)
        if holding.identity != record.identity:
            now = f"{len(holding.files):,} files, {size(holding.size)}"
            before = f"{record.files:,} files, {size(record.size)}"
            change = "file names or sizes differ" if now == before else f"{now} instead of {before}"
            raise StoreError(
                path=record.path,
                action="use",
                reason=f"it has changed since it was imported: {change}",
                hint="run `dshub import` again",
            )
        yield LocalFiles(holding, place)


def check_import(record: ImportRecord, manifest: Manifest) -> None:
    """Check that the files of an imported layout are unchanged.

    Raises:
        StoreError: the files are missing, or have changed since they were imported.
        ReadError, UnsafeArchiveError: an archive can no longer be read.
    """
    with open_import(record, manifest):
        pass


def _hold(name: str, layout: Layout, place: Place, prefix: str) -> Holding:
    """List the files of a layout, searching only in folders that can contain them."""
    files = {}
    for member in layout.local_members:
        wild = _WILD.search(member)
        fixed = member[: wild.start()] if wild else member
        inside = (
            item._replace(name=item.name.removeprefix(prefix))
            for item in place.list(prefix + fixed[: fixed.rfind("/") + 1])
            if item.name.startswith(prefix)
        )
        files[member] = _ordered(
            layout, (item for item in inside if _match(item.name, member) == "")
        )
    return Holding(name, place.path, prefix, files)


def _listings(paths: Sequence[Path]) -> Iterator[tuple[Path, list[Listed]]]:
    """Yield the files in each archive, and in the parent folder of the other paths."""
    folders: dict[Path, dict[str, Listed]] = {}
    for path in (path.absolute() for path in paths):
        if is_archive(path):
            # an unreadable archive is not a layout
            with suppress(ReadError, StoreError), open_place(path) as place:
                yield path, list(place.list())
            continue
        own = f"{path.name}/" if path.name else ""  # the root of a disk has no name
        files = folders.setdefault(path.parent if own else path, {})
        if path.is_dir():
            listed = (item._replace(name=own + item.name) for item in Folder(path).list())
            files.update({item.name: item for item in listed})
        else:
            status = path.stat()
            files[path.name] = Listed(path.name, status.st_size, status.st_mtime_ns)
    yield from ((path, list(files.values())) for path, files in folders.items())


def _holdings(name: str, layout: Layout, path: Path, listed: Sequence[Listed]) -> Iterator[Holding]:
    """Yield a holding for every prefix with files for all names and patterns of a layout."""
    by_prefix: dict[str, dict[str, list[Listed]]] = {}
    for member in layout.local_members:
        for item in listed:
            prefix = _match(item.name, member)
            if prefix is not None:
                inside = item._replace(name=item.name[len(prefix) :])
                by_prefix.setdefault(prefix, {}).setdefault(member, []).append(inside)
    in_folder = path.is_dir()
    for prefix, matches in by_prefix.items():
        if matches.keys() == set(layout.local_members):
            files = {member: _ordered(layout, matches[member]) for member in layout.local_members}
            place = (path / prefix, "") if in_folder else (path, prefix)
            yield Holding(name, *place, files)


def _ordered(layout: Layout, files: Iterable[Listed]) -> tuple[Listed, ...]:
    """Sort files in the order of the layout."""
    if layout.order == "path":
        return tuple(sorted(files))
    return tuple(sorted(files, key=lambda item: (item.name.rpartition("/")[2], item.name)))


def _match(name: str, member: str) -> str | None:
    """Return the prefix of a file name before the pattern `member`, or None without a match.

    `*` does not match `/`.
    """
    folder, _, file = name.rpartition("/")
    folders, _, pattern = member.rpartition("/")
    return _match_folder(folder, folders) if fnmatchcase(file, pattern) else None


@lru_cache(1 << 14)  # many files share a folder
def _match_folder(folder: str, pattern: str) -> str | None:
    patterns = pattern.split("/") if pattern else []
    parts = folder.split("/") if folder else []
    at = len(parts) - len(patterns)
    if at < 0 or not all(map(fnmatchcase, parts[at:], patterns)):
        return None
    return "".join(f"{part}/" for part in parts[:at])
