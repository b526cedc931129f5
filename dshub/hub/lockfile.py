"""The lock file: what it pins, making it, and comparing it with the registry.

What a lock file says, and what it is compared with.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from dshub._validate import (
    Checksum,
    Count,
    Key,
    Name,
    PathText,
    Sha256,
    Size,
    Text,
    Version,
    convert,
)
from dshub.cache.files import replace_file
from dshub.cache.owners import own_name
from dshub.catalog.manifest import Manifest
from dshub.catalog.registry import Registry
from dshub.errors import LockError, StoreError, UnknownNameError
from dshub.tables.recipe import recipe

NAME = "dshub.lock"
SCHEMA = 1
_HEAD = f"""\
# Written by `dshub lock`, to be committed. `dshub lock --check` tells whether it still holds.
schema = {SCHEMA}
"""

_GONE = (
    "name the folder or the mirror that has it (DSHUB_REGISTRY, DSHUB_MIRROR), lock another "
    "version, or take its lines out of the lock"
)
_ANEW = "put it back as it was, or remove it and name to `dshub lock` what it is to pin"
_MERGED = "keep one side of the merge, and name to `dshub lock` what the other side had changed"


class LockedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of upstream: its name, checksum (`sha256:…`), and bytes where they are known."""

    name: Text
    digest: Checksum
    size: Size | None = None


class LockedSplit(msgspec.Struct, frozen=True, kw_only=True):
    """A split: its rows, and the `fingerprint` that `load` gives it."""

    rows: Count
    fingerprint: Sha256


class Locked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A dataset that is pinned.

    Attributes:
        digest: of the manifest, of what decides rows.
        path: of the manifest's file from the folder of the lock, where it is named by its path.
    """

    name: Name
    version: Version
    digest: Sha256
    path: PathText | None = None
    files: dict[Key, LockedFile] = {}
    splits: dict[Key, LockedSplit] = {}

    @property
    def identifier(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    def changes(self, manifest: Manifest) -> list[str]:
        """What has changed in a manifest since it was locked; empty where nothing has."""
        if manifest.version != self.version:
            return [f"version {self.version} is now {manifest.version}"]
        rows = {name: f"{item.rows:,} rows" for name, item in self.splits.items()}
        now = {name: f"{item.rows:,} rows" for name, item in manifest.splits.items()}
        told = [*_differences("file", _digests(self.files), _digests(files_of(manifest)))]
        told += _differences("split", rows, now)
        if told or manifest.digest == self.digest:  # of a lock that a merge mixed, not all agrees
            return told
        return ["its columns, or how rows are made of its files"]


class Lockfile(msgspec.Struct, frozen=True, kw_only=True):
    """The datasets that a project has pinned, by name."""

    schema: int = SCHEMA
    dataset: tuple[Locked, ...] = ()

    def find(self, name: str) -> Locked | None:
        """The entry of a dataset, or None."""
        return next((item for item in self.dataset if item.name == name), None)

    def with_entries(self, entries: Iterable[Locked]) -> "Lockfile":
        """The same with some entries new or replaced."""
        found = {item.name: item for item in (*self.dataset, *entries)}
        return Lockfile(dataset=tuple(found[name] for name in sorted(found)))

    def manifest(self, name: str, registry: Registry, lock: Path) -> Manifest:
        """The manifest of a name: in the version that is pinned, unless the name has one.

        Raises:
            LockError: what is pinned has changed, or is there no longer.
            UnknownNameError: there is no such dataset, and none is pinned.
            ManifestError: as the registry raises it.
        """
        entry = self.find(name)
        try:
            manifest = registry.manifest(name if entry is None else entry.identifier)
        except UnknownNameError as error:
            if entry is None:
                raise
            told = f"{entry.identifier} is in no registry any more"
            hint = f"{_GONE}; {error.hint}"
            raise LockError(lock=str(lock), names=[name], changes=[told], hint=hint) from error
        entry = self.find(manifest.name)
        if entry is None or ("@" in name and entry.version != manifest.version):
            return manifest
        changes = [f"{entry.identifier}: {told}" for told in entry.changes(manifest)]
        if changes:
            raise LockError(lock=str(lock), names=[entry.path or entry.name], changes=changes)
        return manifest

    def text(self) -> str:
        """The file's content."""
        return "\n".join([_HEAD, *map(_entry, self.dataset)])

    def write(self, path: Path) -> None:
        """Put it in its place in one step.

        Raises:
            StoreError: the folder cannot be written.
        """
        temporary = path.with_name(own_name(path.name.partition(".")[0]))
        try:
            replace_file(path, self.text().encode(), temporary)
        except OSError as error:
            reason, hint = error.strerror or str(error), "name another file with DSHUB_LOCK"
            raise StoreError(path=str(path), action="write", reason=reason, hint=hint) from error


def files_of(manifest: Manifest) -> dict[str, LockedFile]:
    """The files of a manifest, as a lock has them."""
    return {
        name: LockedFile(name=item.name, digest=str(item.digest), size=item.size)
        for name, item in manifest.resources.items()
    }


def read(path: Path) -> Lockfile:
    """The lock in a file; one that pins nothing where there is no such file.

    Raises:
        StoreError: it cannot be read, or is no lock.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Lockfile()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    return _read(path, status.st_mtime_ns, status.st_size)


def names_in(lockfile: Lockfile, lock: Path) -> list[str]:
    """What is pinned, as it is looked up: names, and paths of manifests."""
    return [str(lock.parent / item.path) if item.path else item.name for item in lockfile.dataset]


@lru_cache(maxsize=8)
def _read(path: Path, changed: int, size: int) -> Lockfile:
    """Read it once, until it changes."""
    del changed, size
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin with a mark
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"it is not UTF-8: byte {error.start} cannot be read") from error
    lines = enumerate(text.splitlines(), start=1)
    marker = next((number for number, line in lines if re.match("[<=>]{7}( |$)", line)), None)
    if marker is not None:
        reason = f"line {marker} is a conflict marker of a merge"
        raise _unreadable(path, reason, _MERGED)
    return _parsed(path, text)


def _parsed(path: Path, text: str) -> Lockfile:
    import tomllib

    try:
        content = tomllib.loads(text)
        if content.get("schema", SCHEMA) != SCHEMA:
            reason = f"it has schema {content['schema']}, and this dshub reads {SCHEMA}"
            raise _unreadable(path, reason, "use a newer dshub")
        found = convert(content, Lockfile)
    except (ValueError, RecursionError) as error:  # RecursionError: of deep nesting
        raise _unreadable(path, str(error)) from error
    counts = Counter(item.name for item in found.dataset)
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        raise _unreadable(path, f"it pins {twice} twice", _MERGED)
    return found


def _unreadable(path: Path, reason: str, hint: str = _ANEW) -> StoreError:
    hint = f"{hint}; DSHUB_LOCK=off ignores it"
    return StoreError(path=str(path), action="read", reason=reason, hint=hint)


def _entry(item: Locked) -> str:
    """The lines of a dataset."""
    lines = ["[[dataset]]"]
    for key in ("name", "version", "path", "digest"):
        value = getattr(item, key)
        lines += [] if value is None else [f"{key} = {_text(value)}"]
    tables: dict[str, Mapping[str, msgspec.Struct]] = {"files": item.files, "splits": item.splits}
    for table, rows in tables.items():
        lines += ["", f"[dataset.{table}]"]
        lines += [f"{key} = {_inline(msgspec.to_builtins(row))}" for key, row in rows.items()]
    return "\n".join(lines) + "\n"


def _inline(row: dict[str, Any]) -> str:
    cells = (
        f"{key} = {_text(value) if isinstance(value, str) else value}" for key, value in row.items()
    )
    return f"{{ {', '.join(cells)} }}"


def _text(value: str) -> str:
    """A string of TOML: what JSON writes, and no DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _digests(files: Mapping[str, LockedFile]) -> dict[str, str]:
    return {name: item.digest for name, item in files.items()}


def _differences(kind: str, was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """What came, went and changed, in words."""
    for name in dict.fromkeys([*was, *now]):
        if name not in now:
            yield f"{kind} {name} is gone"
        elif name not in was:
            yield f"{kind} {name} is new"
        elif was[name] != now[name]:
            yield f"{kind} {name} was {was[name]}, and is {now[name]}"


def entry(name: str, manifest: Manifest, lock: Path) -> Locked:
    """What is to be pinned of a dataset.

    Args:
        name: as the project names it.
        manifest: what the name means.
        lock: the file that it will stand in.
    """
    path = Path(os.path.relpath(name, lock.parent)).as_posix() if name.endswith(".toml") else None
    return Locked(
        name=manifest.name,
        version=manifest.version,
        digest=manifest.digest,
        path=path,
        files=files_of(manifest),
        splits={split: _split(manifest, split) for split in manifest.splits},
    )


def _split(manifest: Manifest, split: str) -> LockedSplit:
    from dshub.datasets.selection import split_fingerprint  # with NumPy, which readers do without

    rows, content = manifest.splits[split].rows, recipe(manifest, split).content
    fingerprint = split_fingerprint(content, rows, list(manifest.split_features(split)))
    return LockedSplit(rows=rows, fingerprint=fingerprint)


def drift(names: Sequence[str], registry: Registry, lock: Path) -> list[str]:
    """What differs between a lock and datasets; a line for each.

    Args:
        names: datasets as a project names them; all that are pinned where empty.
        registry: where they are found.
        lock: the file of the lock.

    Raises:
        UnknownNameError: a name is unknown that is not pinned either.
        StoreError: the lock cannot be read.
    """
    if not lock.exists():
        return [f"there is no {lock}"]
    lockfile = read(lock)
    found: list[str] = []
    for name in names or names_in(lockfile, lock):
        try:
            found += _drift(lockfile, name, registry, lock)
        except LockError as error:
            found += error.changes
    return found


def _drift(lockfile: Lockfile, name: str, registry: Registry, lock: Path) -> Iterator[str]:
    is_path = name.endswith(".toml")
    plain = registry.manifest(name).name if is_path else name.partition("@")[0]
    item = lockfile.find(plain)
    if item is None:
        yield f"{name} is not locked"
        return
    if not is_path and "@" in name and name != item.identifier:
        yield f"{name} is asked for, and {item.identifier} is locked"
        return
    manifest = lockfile.manifest(name, registry, lock)
    for split, facts in item.splits.items():
        if _split(manifest, split) != facts:
            yield f"{item.identifier}: this dshub makes other rows of split {split}"
