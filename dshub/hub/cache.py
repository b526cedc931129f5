"""Inspect, verify, pin and remove cached items."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from dshub import _validate
from dshub.cache.eviction import Keep, Limits, Share, evictions, shares
from dshub.cache.paths import blob_digest, reference_digest
from dshub.cache.store import Store, pin, pinned, unpin
from dshub.cache.usage import PINNED, Item, Kind, Removal, Removals, execute
from dshub.catalog.registry import Registry
from dshub.errors import DshubError
from dshub.hub.garbage import ALIVE, garbage, is_spare
from dshub.hub.inventory import Inventory
from dshub.progress import Progress, Silent, Task

if TYPE_CHECKING:
    from dshub.hub.verification import Finding

SHARED = "another dataset needs it"
FOREIGN = "not made by dshub"

KINDS: tuple[Kind, ...] = ("raw", "prepared", "derived", "partial", "synthetic", "imported")
CONTENT: tuple[Kind, ...] = ("raw", "prepared", "derived")


class Cache:
    """The contents of the writable cache folder.

    Methods accept names of datasets and families, and paths of manifests. Cached datasets that are
    no longer in the registry can be named too. Methods that remove items raise StoreError if the
    cache cannot be written. With `dry_run`, they remove nothing and return the planned removals,
    which can be passed to `carry_out`.

    Args:
        store: the cache.
        registry: the datasets that can own cached items.
        progress: receiver of the progress of `verify`.
    """

    def __init__(
        self, store: Store, registry: Registry, *, progress: Progress | None = None
    ) -> None:
        self.store, self.registry, self.progress = store, registry, progress or Silent()

    def inventory(self, names: Sequence[str] = ()) -> Inventory:
        """Return the current contents of the cache.

        Manifest paths in `names` add their datasets as owners of cached items.
        """
        paths = [name for name in names if name.endswith(".toml")]
        return Inventory(self.store, self.registry, list(map(self.registry.manifest, paths)))

    def items(self, *names: str) -> list[Item]:
        """Return the items that the named datasets need, or all items, largest first."""
        inventory = self.inventory(names)
        items = inventory.of(inventory.expand(names)) if names else inventory.items
        return sorted(items, key=lambda item: -item.size)

    def usage(self) -> list[Share]:
        """Return the disk usage of each dataset, counting shared files once."""
        return shares(self.inventory().items)

    def verify(self) -> "Iterator[Finding]":
        """Verify every cached file and table, and set damaged ones aside."""
        from dshub.hub.verification import verify_derived, verify_file, verify_table

        inventory = self.inventory()
        items = [item for item in inventory.items if item.kind in CONTENT]
        with Task(self.progress, "verifying", sum(item.size for item in items)) as task:
            for item in items:
                digest = blob_digest(item.path)
                if item.kind == "prepared":
                    subject = f"table {item.name}"
                    yield verify_table(subject, item.path, self.store, advance=task.advance)
                elif item.kind == "derived":
                    subject = f"table {item.name}"
                    yield verify_derived(subject, item.path, self.store, advance=task.advance)
                elif digest is not None:
                    subject = f"file {item.name}"
                    yield verify_file(subject, item.path, digest, self.store, advance=task.advance)
        for item in inventory.items:
            if item.kind == "imported":
                yield from self._verify_imported(item, inventory)

    def _verify_imported(self, item: Item, inventory: Inventory) -> "Iterator[Finding]":
        from dshub.hub.verification import verify_digests, verify_import
        from dshub.importing.records import imports

        digest = reference_digest(item.path)
        if digest is not None:
            yield verify_digests(f"file {item.name}", [digest], self.store)
            return
        newest = [m for name in item.datasets for m in inventory.registered.get(name, ())[:1]]
        for manifest, record in ((m, record) for m in newest for record in imports(self.store, m)):
            if record.path and record.layout == item.path.stem:
                yield verify_import(record, manifest)

    def gc(self, *, partial: bool = False, dry_run: bool = False) -> Removals:
        """Remove leftovers; see `dshub.hub.garbage`."""
        inventory = self.inventory()
        return self._remove(garbage(inventory, partial=partial), inventory, dry_run=dry_run)

    def prune(
        self,
        *,
        max_size: int | str | None = None,
        older_than: float | str | None = None,
        keep: Keep = "both",
        dry_run: bool = False,
    ) -> Removals:
        """Remove the least recently used datasets; see `dshub.cache.eviction`.

        Args:
            max_size: bytes, or text with a unit: `50GB`.
            older_than: seconds, or text with a unit: `30d`.
            keep: content to keep of evicted datasets; see `Limits`.
            dry_run: whether to remove nothing, and return the planned removals.

        Raises:
            ArgumentError: `max_size` or `older_than` cannot be parsed.
            DshubError: the items that cannot be removed exceed `max_size`; nothing was removed.
        """
        limits = Limits(
            max_size=None if max_size is None else _validate.size("max_size", max_size),
            older_than=None if older_than is None else _validate.span("older_than", older_than),
            keep=keep,
        )
        inventory = self.inventory()
        evicted = evictions(
            inventory.items,
            limits,
            now=time.time(),
            garbage=partial(garbage, inventory),
            is_spare=partial(is_spare, inventory=inventory),
        )
        return self._remove(evicted, inventory, dry_run=dry_run)

    def rm(
        self,
        names: Sequence[str] | None,
        *,
        kinds: Collection[Kind] = KINDS,
        dry_run: bool = False,
    ) -> Removals:
        """Remove the cached items of the named datasets, or of all datasets if `names` is None.

        Items stay if another cached dataset needs them, a running process uses them, or dshub did
        not create them. If `names` is None, items of pinned datasets stay too.

        Raises:
            DshubError: a named dataset is pinned; nothing was removed.
        """
        inventory = self.inventory(names or ())
        items, remaining = inventory.items, set[str]()
        if names is not None:
            datasets = inventory.expand(names)
            _check_not_pinned(datasets & inventory.pinned)
            items, remaining = inventory.of(datasets), inventory.cached - datasets
        removals = [
            Removal(item, _reason_to_keep(item, remaining))
            for item in items
            if item.kind in {*kinds, "other"}
        ]
        removed = tuple(removal for removal in removals if not removal.reason)
        left = tuple(removal for removal in removals if removal.reason)
        return self._remove(
            Removals(removed, left), inventory if names is None else None, dry_run=dry_run
        )

    def _remove(
        self, removals: Removals, inventory: Inventory | None, *, dry_run: bool
    ) -> Removals:
        """Carry out removals, and record whether they cover all content of an inventory."""
        if inventory is not None:
            content = {item.path for item in inventory.items if item.kind in CONTENT}
            removed = {removal.item.path for removal in removals.removed}
            kept = content - removed - {removal.item.path for removal in removals.left}
            removals = replace(removals, everything=bool(content & removed) and not kept)
        return removals if dry_run else self.carry_out(removals)

    def carry_out(self, removals: Removals) -> Removals:
        """Carry out the removals of a dry run, except for datasets pinned since then."""
        pins = pinned(self.store)
        newly_pinned = [
            Removal(removal.item, PINNED)
            for removal in removals.removed
            if removal.item.kind in CONTENT and not pins.isdisjoint(removal.item.datasets)
        ]
        kept = {removal.item.path for removal in newly_pinned}
        removed = [removal for removal in removals.removed if removal.item.path not in kept]
        execute(removed, self.store.root)
        return replace(removals, removed=tuple(removed), left=(*removals.left, *newly_pinned))

    def pin(self, *names: str) -> list[str]:
        """Protect datasets from removal, and return their names.

        Raises:
            StoreError: the cache cannot be written.
        """
        return self._for_each(names, pin)

    def unpin(self, *names: str) -> list[str]:
        """Undo `pin` for datasets, and return their names."""
        return self._for_each(names, unpin)

    def _for_each(self, names: Sequence[str], action: Callable[[Store, str], None]) -> list[str]:
        datasets = sorted(self.inventory(names).expand(names))
        for name in datasets:
            action(self.store, name)
        return datasets


def _reason_to_keep(item: Item, remaining: set[str]) -> str:
    """Return why an item must stay, or an empty string if it can be removed.

    Args:
        item: the item to remove.
        remaining: the cached datasets that are not being removed.
    """
    if not remaining.isdisjoint(item.datasets):
        return SHARED
    if item.kind == "other":
        return FOREIGN
    if item.held:
        return ALIVE
    return PINNED if item.pinned else ""


def _check_not_pinned(pinned: set[str]) -> None:
    if pinned:
        names = sorted(pinned)
        verb = "is" if len(names) == 1 else "are"
        raise DshubError(
            f"{', '.join(names)} {verb} pinned; nothing was removed",
            hint=f"run `dshub cache unpin {' '.join(names)}` first",
        )
