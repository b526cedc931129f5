"""Read and write lock files, and compare them with the registry."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

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
from dshub.catalog.manifest import Manifest, Resource, Split
from dshub.catalog.registry import Registry
from dshub.errors import LockError, StoreError, UnknownNameError
from dshub.tables.recipe import recipe

SCHEMA = 1
_HEAD = f"""\
# Written by `dshub lock`. Commit this file; `dshub lock --check` compares it with the registry.
schema = {SCHEMA}
"""

_FIND = (
    "add its registry folder to DSHUB_REGISTRY or its mirror to DSHUB_MIRROR, lock another "
    "version, or remove its entry from the lock file"
)
_RESTORE = "restore the file, or remove it and run `dshub lock` with the names to lock"
_MERGE = (
    "keep one side of the merge, and run `dshub lock` with the datasets that the other side changed"
)


class LockedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An upstream file with its checksum and, if known, its size."""

    name: Text
    digest: Checksum
    size: Size | None = None


class LockedSplit(msgspec.Struct, frozen=True, kw_only=True):
    """A split with its number of rows and the `Dataset.fingerprint` that `load` returns."""

    rows: Count
    fingerprint: Sha256


class Locked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A locked dataset.

    Attributes:
        path: manifest path relative to the lock file, if the dataset is not in a registry.
        digest: checksum of the parts of the manifest that determine the rows.
    """

    name: Name
    version: Version
    path: PathText | None = None
    digest: Sha256
    files: dict[Key, LockedFile] = {}
    splits: dict[Key, LockedSplit] = {}

    @property
    def identifier(self) -> str:
        """The dataset as `name@version`."""
        return f"{self.name}@{self.version}"

    def changes(self, manifest: Manifest) -> list[str]:
        """Return descriptions of the changes in a manifest since it was locked."""
        if manifest.version != self.version:
            return [f"version {self.version} is now {manifest.version}"]
        old = _facts(self.files, self.splits)
        changes = list(_differences(old, _facts(manifest.resources, manifest.splits)))
        # After a merge of lock files, files can differ even though the digests are equal.
        if changes or manifest.digest == self.digest:
            return changes
        return ["its columns or split definitions changed"]


class Lockfile(msgspec.Struct, frozen=True, kw_only=True):
    """The locked datasets of a project."""

    schema: int = SCHEMA
    dataset: tuple[Locked, ...] = ()

    def find(self, name: str) -> Locked | None:
        """Return the entry of a dataset, or None if the lock does not have it."""
        return next((item for item in self.dataset if item.name == name), None)

    def with_entries(self, entries: Iterable[Locked]) -> "Lockfile":
        """Return a copy of the lock with entries added or replaced."""
        by_name = {item.name: item for item in (*self.dataset, *entries)}
        return Lockfile(dataset=tuple(by_name[name] for name in sorted(by_name)))

    def manifest(self, name: str, registry: Registry, lock: Path) -> Manifest:
        """Return the manifest of a dataset, in the locked version unless `name` has a version.

        Raises:
            LockError: a locked manifest has changed or is missing.
            UnknownNameError: the dataset does not exist and is not locked.
            ManifestError: the manifest is faulty.
        """
        locked = self.find(name)
        try:
            manifest = registry.manifest(name if locked is None else locked.identifier)
        except UnknownNameError as error:
            if locked is None:
                raise
            change = f"{locked.identifier} is no longer in the registry"
            hint = f"{_FIND}; {error.hint}"
            raise LockError(lock=str(lock), names=[name], changes=[change], hint=hint) from error
        locked = self.find(manifest.name)
        if locked is None or ("@" in name and locked.version != manifest.version):
            return manifest
        changes = [f"{locked.identifier}: {change}" for change in locked.changes(manifest)]
        if changes:
            raise LockError(lock=str(lock), names=[locked.path or locked.name], changes=changes)
        return manifest

    def text(self) -> str:
        """Return the lock as TOML."""
        return "\n".join([_HEAD, *map(_entry_text, self.dataset)])

    def write(self, path: Path) -> None:
        """Write the lock to a file, replacing it atomically.

        Raises:
            StoreError: the file cannot be written.
        """
        temporary = path.with_name(own_name(path.name.partition(".")[0]))
        try:
            replace_file(path, self.text().encode(), temporary)
        except OSError as error:
            reason, hint = error.strerror or str(error), "set DSHUB_LOCK to a writable path"
            raise StoreError(path=str(path), action="write", reason=reason, hint=hint) from error


def _facts(
    files: Mapping[str, LockedFile | Resource], splits: Mapping[str, LockedSplit | Split]
) -> dict[str, str]:
    """Return the checksum of each file and the row count of each split, as text."""
    facts = {f"file {name}": str(file.digest) for name, file in files.items()}
    return facts | {f"split {name}": f"{split.rows:,} rows" for name, split in splits.items()}


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield f"{name} was removed"
        elif name not in old:
            yield f"{name} was added"
        elif old[name] != new[name]:
            yield f"{name} was {old[name]} and is now {new[name]}"


def _entry_text(item: Locked) -> str:
    """Return the TOML lines of an entry."""
    values = msgspec.to_builtins(item)
    tables = {table: values.pop(table, {}) for table in ("files", "splits")}
    lines = ["[[dataset]]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    for table, rows in tables.items():
        lines += ["", f"[dataset.{table}]"]
        for key, row in rows.items():
            cells = ", ".join(f"{name} = {_toml(value)}" for name, value in row.items())
            lines.append(f"{key} = {{ {cells} }}")
    return "\n".join(lines) + "\n"


def _toml(value: str | int) -> str:
    """Format a value as JSON, which is valid TOML when DEL is escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def read(path: Path) -> Lockfile:
    """Read a lock file, or return an empty lock if the file does not exist.

    Raises:
        StoreError: the file cannot be read or is not a lock file.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Lockfile()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, modified: int, size: int) -> Lockfile:
    """Parse a lock file, cached until its modification time or size changes."""
    del modified, size
    import tomllib

    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
        if marker := re.search("^[<=>]{7}( |$)", text, re.MULTILINE):
            number = text.count("\n", 0, marker.start()) + 1
            raise _unreadable(path, f"line {number} is a merge conflict marker", _MERGE)
        content = tomllib.loads(text)
        if content.get("schema", SCHEMA) != SCHEMA:
            reason = f"it has schema {content['schema']}, but this dshub reads schema {SCHEMA}"
            raise _unreadable(path, reason, "upgrade dshub")
        lockfile = convert(content, Lockfile)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"byte {error.start} is not valid UTF-8") from error
    except (ValueError, RecursionError) as error:  # deep nesting raises RecursionError
        raise _unreadable(path, str(error)) from error
    for name, count in Counter(item.name for item in lockfile.dataset).items():
        if count > 1:
            raise _unreadable(path, f"{name} has {count} entries", _MERGE)
    return lockfile


def _unreadable(path: Path, reason: str, hint: str = _RESTORE) -> StoreError:
    hint = f"{hint}, or set DSHUB_LOCK=off to ignore the file"
    return StoreError(path=str(path), action="read", reason=reason, hint=hint)


def names_in(lockfile: Lockfile, lock: Path) -> list[str]:
    """Return the names of locked datasets, or manifest paths for those not in a registry."""
    return [str(lock.parent / item.path) if item.path else item.name for item in lockfile.dataset]


def entry(name: str, manifest: Manifest, lock: Path) -> Locked:
    """Return the lock entry of a dataset.

    Args:
        name: name of the dataset, or path of its manifest.
        manifest: manifest of the dataset.
        lock: path of the lock file.
    """
    path = Path(os.path.relpath(name, lock.parent)).as_posix() if name.endswith(".toml") else None
    return Locked(
        name=manifest.name,
        version=manifest.version,
        digest=manifest.digest,
        path=path,
        files={
            name: LockedFile(name=item.name, digest=str(item.digest), size=item.size)
            for name, item in manifest.resources.items()
        },
        splits={split: _split(manifest, split) for split in manifest.splits},
    )


def _split(manifest: Manifest, split: str) -> LockedSplit:
    from dshub.datasets.selection import split_fingerprint  # lazily, because it imports NumPy

    rows, content = manifest.splits[split].rows, recipe(manifest, split).content
    fingerprint = split_fingerprint(content, rows, list(manifest.split_features(split)))
    return LockedSplit(rows=rows, fingerprint=fingerprint)


def drift(names: Sequence[str], registry: Registry, lock: Path) -> list[str]:
    """Return the differences between a lock file and the registry.

    Args:
        names: datasets or manifest paths to compare; all locked ones if empty.
        registry: the current datasets.
        lock: path of the lock file.

    Raises:
        UnknownNameError: a dataset is neither in the registry nor locked.
        StoreError: the lock file cannot be read.
    """
    if not lock.exists():
        return [f"{lock} does not exist"]
    lockfile = read(lock)
    changes: list[str] = []
    for name in names or names_in(lockfile, lock):
        try:
            changes += _drift(lockfile, name, registry, lock)
        except LockError as error:
            changes += error.changes
    return changes


def _drift(lockfile: Lockfile, name: str, registry: Registry, lock: Path) -> Iterator[str]:
    is_path = name.endswith(".toml")
    locked = lockfile.find(registry.manifest(name).name if is_path else name.partition("@")[0])
    if locked is None:
        yield f"{name} is not locked"
        return
    if not is_path and "@" in name and name != locked.identifier:
        yield f"{name} is requested, but {locked.identifier} is locked"
        return
    manifest = lockfile.manifest(name, registry, lock)
    for split, facts in locked.splits.items():
        if _split(manifest, split) != facts:
            yield f"{locked.identifier}: this version of dshub reads split {split} differently"
