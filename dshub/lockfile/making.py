"""Entries for a lock file, and holding a lock file against what there is now."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from dshub.dataset import split_fingerprint
from dshub.errors import LockError
from dshub.lockfile.model import Locked, LockedSplit, Lockfile, files_of, names_in, read
from dshub.manifest import Manifest
from dshub.preparation.recipes import recipe
from dshub.registry import Registry


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
