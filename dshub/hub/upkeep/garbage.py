"""Find and remove what nothing needs any more.

What is to be removed and what stays, each thing with its reason; and removing it.
"""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from dshub.cache.items import IRREPLACEABLE, PINNED, Item, Removal, Removals
from dshub.cache.paths import TABLE_FILE
from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest
from dshub.checksums import HEX_DIGITS, Digest
from dshub.errors import DshubError
from dshub.hub.upkeep.inventory import Inventory, Known
from dshub.tables.recipe import find, keys


def superseded(known: Known, tables: Iterable[tuple[str, Path]], store: Store) -> set[Path]:
    """Those of some tables that no manifest gives any more, so that no `load` finds them.

    A dataset that the registry does not know, or not whole, is not judged: its manifest may be
    used by its path, or be mended.

    Args:
        known: the manifests.
        tables: dataset and folder of each.
        store: where the files of stand-ins are.
    """
    found: dict[str, set[Path]] = {}
    for name, folder in tables:
        if known.registered.get(name) and name not in known.faulty:
            found.setdefault(name, set()).add(folder)
    gone = set()
    for name, folders in found.items():
        kept = [item for item in known.stand_ins.values() if item.name == name]
        usable = [item for item in kept if has_files(item, store)]
        keys = _keys([*known.registered[name], *usable], store)
        gone |= {folder for folder in folders if keys is not None and folder.name not in keys}
    return gone


def has_files(manifest: Manifest, store: Store) -> bool:
    """Whether all files of a stand-in are kept, so that it is found again."""
    files = manifest.resources.values()
    return all(store.blob(item.digest, item.size) is not None for item in files)


def is_prepared(manifest: Manifest, store: Store) -> bool:
    """Whether every split has its table."""
    try:
        return all(find(manifest, split, store) is not None for split in manifest.splits)
    except DshubError:  # a reader is not at hand
        return False


def is_spare(item: Item, inventory: Inventory) -> bool:
    """Whether every dataset that needs a raw file has all its tables."""
    owners = inventory.known.owners.get(item.path.name, ())
    newest = {owner.manifest.name: owner.manifest for owner in reversed(owners)}
    needed = [newest[name] for name in item.datasets]
    return bool(needed) and all(is_prepared(manifest, inventory.store) for manifest in needed)


def _keys(manifests: Iterable[Manifest], store: Store) -> set[str] | None:
    """The keys of all their tables; None where one has a reader that is not at hand."""
    try:
        return {
            key for item in manifests for split in item.splits for key in keys(item, split, store)
        }
    except DshubError:
        return None


GONE = "left by a process that is no more"
REJECTED = "a source sent it in place of the file"
DAMAGED = "it was found damaged, and put aside"
COMPLETE = "the file is here whole by now"
FORGOTTEN = "of another machine, and untouched for 30 days"
UNFINISHED = "an unfinished download"
NO_FILES = "the files of the stand-in are gone"
UNREADABLE = "no manifest: it cannot be read"
NO_RECORD = "no table: it has no table.json"
SUPERSEDED = "no manifest gives this table any more"

ALIVE = "a living process is at work on it"
UNKNOWN = "of a process that cannot be asked from here"
RESUMABLE = "the next fetch goes on with it; --partial removes it"

LONG = 30 * 86400.0  # seconds after which what another machine began is not gone on with there


def garbage(inventory: Inventory, *, partial: bool = False) -> Removals:
    """What is of no use; `partial` counts downloads that could be resumed among it.

    Nothing goes that a living process is at work on, or one of another machine may be (unless it
    has not been written to for `LONG`), no content of a pinned dataset, and no last copy of data
    that cannot be downloaded again. What would go otherwise is said to be left.
    """
    removed: list[Removal] = []
    left: list[Removal] = []
    for item in inventory.items:
        if item.leftover is not None:
            reason, goes = _judge(item, inventory, partial=partial)
            if reason:
                (removed if goes else left).append(Removal(item, reason))
    for removal in _derived(inventory):
        if removal.item.pinned:
            left.append(Removal(removal.item, PINNED))
        elif removal.item.irreplaceable:
            left.append(Removal(removal.item, IRREPLACEABLE))
        else:
            removed.append(removal)
    return Removals(tuple(removed), tuple(left))


def _judge(item: Item, inventory: Inventory, *, partial: bool) -> tuple[str, bool]:
    """Why a leftover goes, or stays."""
    left = item.leftover
    if left is None:
        return "", False
    if left.holder == "alive":
        return ALIVE, False
    if left.holder == "unknown":
        old = time.time() - item.used > LONG
        return (FORGOTTEN, True) if old else (UNKNOWN, False)
    if left.sort == "download":
        return _judge_download(item, left.of, inventory, partial=partial)
    return {"rejected": REJECTED, "damaged": DAMAGED}.get(left.sort, GONE), True


def _judge_download(
    item: Item, checksum: str, inventory: Inventory, *, partial: bool
) -> tuple[str, bool]:
    if _is_complete(checksum, inventory):
        return COMPLETE, True
    if item.pinned:
        return PINNED, False
    return (UNFINISHED, True) if partial else (RESUMABLE, False)


def _is_complete(checksum: str, inventory: Inventory) -> bool:
    """Whether the store has the file, or the bytes inside it."""
    digests = {Digest("sha256" if len(checksum) == HEX_DIGITS["sha256"] else "md5", checksum)}
    for owner in inventory.known.owners.get(checksum, ()):
        resource = owner.manifest.resources[owner.resource]
        digests |= {digest for digest in (resource.digest, resource.content_digest) if digest}
    return any(inventory.store.blob(digest) is not None for digest in digests)


def _derived(inventory: Inventory) -> Iterator[Removal]:
    """Manifests of stand-ins and tables that nothing leads to."""
    known, store = inventory.known, inventory.store
    tables = []
    for item in inventory.items:
        if item.kind == "synthetic":
            manifest = known.stand_ins.get(item.path)
            if manifest is None:
                yield Removal(item, UNREADABLE)
            elif not has_files(manifest, store):
                yield Removal(item, NO_FILES)
        elif item.kind == "prepared" and not (item.path / TABLE_FILE).is_file():
            yield Removal(item, NO_RECORD)
        elif item.kind == "prepared":
            tables.append(item)
    old = superseded(known, [(item.datasets[0], item.path) for item in tables], store)
    yield from (Removal(item, SUPERSEDED) for item in tables if item.path in old)
