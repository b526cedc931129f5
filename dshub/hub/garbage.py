"""Find cached items that are no longer needed."""

import time
from collections.abc import Set as AbstractSet

from dshub.cache.paths import TABLE_FILE
from dshub.cache.usage import IRREPLACEABLE, PINNED, Item, Leftover, Removal, Removals
from dshub.catalog.manifest import Manifest
from dshub.checksums import Digest
from dshub.errors import DshubError
from dshub.hub.inventory import Inventory
from dshub.tables.recipe import find, keys

ALIVE = "a running process is using it"
UNKNOWN = "a process on another machine may be using it"
RESUMABLE = "the next fetch resumes it; --partial removes it"

ABANDONED_AFTER = 30 * 86400.0  # seconds until unused leftovers of other machines are removed


def garbage(inventory: Inventory, *, partial: bool = False) -> Removals:
    """Return the unneeded items of a cache, divided into items to remove and items to keep.

    Items are left if a running process uses them, their dataset is pinned, or they cannot be
    downloaded again. Leftovers of other machines are left until `ABANDONED_AFTER` seconds after
    their last use.

    Args:
        inventory: the contents of the cache.
        partial: whether to remove resumable downloads, too.
    """
    removed: list[Removal] = []
    left: list[Removal] = []
    current = {
        name: _current_keys(name, inventory)
        for name in {item.datasets[0] for item in inventory.items if item.kind == "prepared"}
    }
    for item in inventory.items:
        if item.leftover is not None:
            reason, remove = _judge_leftover(item, item.leftover, inventory, partial=partial)
        else:
            reason, remove = _why_unneeded(item, inventory, current), True
            if reason and (item.pinned or item.irreplaceable):
                reason, remove = PINNED if item.pinned else IRREPLACEABLE, False
        if reason:
            (removed if remove else left).append(Removal(item, reason))
    return Removals(tuple(removed), tuple(left))


def _judge_leftover(
    item: Item, leftover: Leftover, inventory: Inventory, *, partial: bool
) -> tuple[str, bool]:
    """Return the reason for removing or keeping a leftover, and True if it is removed."""
    if leftover.holder == "alive":
        return ALIVE, False
    if leftover.holder == "unknown":
        is_old = time.time() - item.used > ABANDONED_AFTER
        return ("from another machine, unused for 30 days", True) if is_old else (UNKNOWN, False)
    if leftover.sort != "download":
        reasons = {"rejected": "wrong bytes from a source", "damaged": "damaged and set aside"}
        return reasons.get(leftover.sort, "left over from a dead process"), True
    if _is_complete(leftover.of, inventory):
        return "a complete copy is in the cache", True
    if item.pinned:
        return PINNED, False
    return ("an unfinished download", True) if partial else (RESUMABLE, False)


def _is_complete(checksum: str, inventory: Inventory) -> bool:
    """Return True if the store has the file with a checksum, packed or unpacked."""
    digest = Digest("sha256" if len(checksum) == 64 else "md5", checksum)
    owners = inventory.owners.get(checksum, ())
    store = inventory.store
    return store.blob(digest) is not None or any(store.file(owner.file) for owner in owners)


def _why_unneeded(
    item: Item, inventory: Inventory, current: dict[str, AbstractSet[str] | None]
) -> str:
    """Return why a table or synthetic manifest is not needed, or an empty string if it is."""
    if item.kind == "synthetic":
        manifest = inventory.synthetic.get(item.path)
        if manifest is None:
            return "an unreadable manifest"
        return "" if _has_files(manifest, inventory) else "the files of the synthetic data are gone"
    if item.kind != "prepared":
        return ""
    if not (item.path / TABLE_FILE).is_file():
        return "not a table: it has no table.json"
    usable = current[item.datasets[0]]
    return "" if usable is None or item.path.name in usable else "no manifest uses this table"


def _current_keys(name: str, inventory: Inventory) -> AbstractSet[str] | None:
    """Return the keys of the tables that the manifests of a dataset use.

    Return None if the keys are unknown, because the dataset is not in the registry, a manifest is
    faulty, or a reader is not installed.
    """
    if not inventory.registered.get(name) or name in inventory.faulty:
        return None
    synthetic = [item for item in inventory.synthetic.values() if item.name == name]
    usable = [item for item in synthetic if _has_files(item, inventory)]
    try:
        return {
            key
            for manifest in [*inventory.registered[name], *usable]
            for split in manifest.splits
            for key in keys(manifest, split, inventory.store)
        }
    except DshubError:
        return None


def _has_files(manifest: Manifest, inventory: Inventory) -> bool:
    """Return True if all files of a synthetic dataset are cached."""
    files = manifest.resources.values()
    return all(map(inventory.store.file, files))


def is_spare(item: Item, inventory: Inventory) -> bool:
    """Return True if every dataset that needs a raw file has all of its tables."""
    owners = inventory.owners.get(item.path.name, ())
    newest = {owner.manifest.name: owner.manifest for owner in reversed(owners)}
    needed = [newest[name] for name in item.datasets]
    return bool(needed) and all(_is_prepared(manifest, inventory) for manifest in needed)


def _is_prepared(manifest: Manifest, inventory: Inventory) -> bool:
    try:
        return all(find(manifest, split, inventory.store) for split in manifest.splits)
    except DshubError:  # raised if a reader is not installed
        return False
