"""`Cache`: everything that can be asked of what is kept, and everything that removes."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from dshub import _validate as arguments
from dshub.cache.eviction import Keep, Limits, Share, evictions, shares
from dshub.cache.items import PINNED, Item, Removal, Removals, execute
from dshub.cache.paths import blob_digest, reference_digest
from dshub.cache.store import Store, pin, pinned, unpin
from dshub.cache.usage import Kind
from dshub.catalog.registry import Registry
from dshub.errors import DshubError
from dshub.hub.upkeep.garbage import ALIVE, garbage, is_spare
from dshub.hub.upkeep.inventory import Inventory
from dshub.progress import Progress, Silent, Task

if TYPE_CHECKING:
    from dshub.hub.verification import Finding

SHARED = "another dataset needs it too"
FOREIGN = "not made by dshub"

KINDS: tuple[Kind, ...] = ("raw", "prepared", "partial", "synthetic", "imported")
CONTENT: tuple[Kind, ...] = ("raw", "prepared")


class Cache:
    """What is kept in the folder that is written to.

    Names are datasets, families, or paths of manifests; datasets that the registry does not know
    any more can be named too. Methods that remove raise StoreError where the cache cannot be
    written; with `dry_run` they remove nothing, and tell the same, for `carry_out` to remove.

    Args:
        store: the cache.
        registry: names what is kept.
        progress: what is told how far long work has come.
    """

    def __init__(
        self, store: Store, registry: Registry, *, progress: Progress | None = None
    ) -> None:
        self.store, self.registry, self.progress = store, registry, progress or Silent()

    def inventory(self, names: Sequence[str] = ()) -> Inventory:
        """What there is now; manifest files among `names` help to tell whose it is."""
        files = [name for name in names if name.endswith(".toml")]
        return Inventory(self.store, self.registry, [self.registry.manifest(f) for f in files])

    def items(self, *names: str) -> list[Item]:
        """Everything, or what some datasets need; largest first."""
        inventory = self.inventory(names)
        found = inventory.of(inventory.expand(names)) if names else inventory.items
        return sorted(found, key=lambda item: -item.size)

    def usage(self) -> list[Share]:
        """How much each dataset takes, everything counted once; see `dshub.cache.eviction`."""
        return shares(self.inventory().items)

    def verify(self) -> "Iterator[Finding]":
        """Read every file and every table again; what is damaged is put aside."""
        from dshub.hub.verification import verify_file, verify_table

        inventory = self.inventory()
        items = [item for item in inventory.items if item.kind in {"raw", "prepared"}]
        with Task(self.progress, "verifying", sum(item.size for item in items)) as task:
            for item in items:
                digest = blob_digest(item.path)
                if item.kind == "prepared":
                    thing = f"table {item.name}"
                    yield verify_table(thing, item.path, self.store, advance=task.advance)
                elif digest is not None:
                    thing = f"file {item.name}"
                    yield verify_file(thing, item.path, digest, self.store, advance=task.advance)
        for item in inventory.items:
            if item.kind == "imported":
                yield from self._verify_imported(item, inventory)

    def _verify_imported(self, item: Item, inventory: Inventory) -> "Iterator[Finding]":
        """Look again at what lies elsewhere."""
        from dshub.hub.verification import verify_import, verify_reference
        from dshub.importing.records import imports

        digest = reference_digest(item.path)
        if digest is not None:
            yield verify_reference(f"file {item.name}", digest, self.store)
            return
        known = inventory.known.registered
        newest = [known[name][0] for name in item.datasets if known.get(name)]
        for manifest, record in ((m, record) for m in newest for record in imports(self.store, m)):
            if record.path and record.layout == item.path.stem:
                yield verify_import(record, manifest)

    def gc(self, *, partial: bool = False, dry_run: bool = False) -> Removals:
        """Remove what is of no use any more; see `dshub.hub.upkeep.garbage`."""
        inventory = self.inventory()
        removals = _told(garbage(inventory, partial=partial), inventory)
        return removals if dry_run else self.carry_out(removals)

    def prune(
        self,
        *,
        max_size: int | str | None = None,
        older_than: float | str | None = None,
        keep: Keep = "both",
        dry_run: bool = False,
    ) -> Removals:
        """Remove what was not used for long; see `dshub.cache.eviction`.

        Args:
            max_size: bytes, or a text with a unit: `50GB`.
            older_than: seconds, or a text with a unit: `30d`.
            keep: see `Limits`.
            dry_run: remove nothing.

        Raises:
            ArgumentError: an argument has another form.
            DshubError: what has to stay is larger than `max_size`; nothing was removed.
        """
        limits = Limits(
            max_size=None if max_size is None else arguments.size("max_size", max_size),
            older_than=None if older_than is None else arguments.span("older_than", older_than),
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
        removals = _told(evicted, inventory)
        return removals if dry_run else self.carry_out(removals)

    def rm(
        self,
        names: Sequence[str] | None,
        *,
        kinds: Collection[Kind] = KINDS,
        dry_run: bool = False,
    ) -> Removals:
        """Remove what is kept of some datasets, or of all where `names` is None.

        What another dataset that is here needs too stays, what a living process is at work on,
        what dshub did not make, and, where all is to go, what is pinned.

        Raises:
            DshubError: a dataset that is named is pinned; nothing was removed.
        """
        inventory = self.inventory(names or ())
        if names is None:
            wanted, shared = inventory.items, []
        else:
            datasets = inventory.expand(names)
            _check_unpinned(datasets & inventory.pinned)
            wanted = inventory.only_of(datasets)
            own = {item.path for item in wanted}
            shared = [item for item in inventory.of(datasets) if item.path not in own]
        chosen = [(item, _why_left(item)) for item in wanted if item.kind in {*kinds, "other"}]
        left = [Removal(item, why) for item, why in chosen if why]
        left += [Removal(item, SHARED) for item in shared if item.kind in kinds]
        going = [Removal(item, "") for item, why in chosen if not why]
        removals = Removals(tuple(going), tuple(left))
        if names is None:
            removals = _told(removals, inventory)
        return removals if dry_run else self.carry_out(removals)

    def carry_out(self, removals: Removals) -> Removals:
        """Remove what a dry run told, but for what was pinned since; returns what happened."""
        pins = pinned(self.store)
        late = [item for item in removals.removed if not pins.isdisjoint(item.item.datasets)]
        left = [Removal(item.item, PINNED) for item in late if item.item.kind in CONTENT]
        staying = {removal.item.path for removal in left}
        going = [item for item in removals.removed if item.item.path not in staying]
        execute(going, self.store)
        return replace(removals, removed=tuple(going), left=(*removals.left, *left))

    def pin(self, *names: str) -> list[str]:
        """Keep some datasets from being removed; returns the members where a family is named.

        Raises:
            StoreError: the cache cannot be written.
        """
        datasets = sorted(self.inventory(names).expand(names))
        for name in datasets:
            pin(self.store, name)
        return datasets

    def unpin(self, *names: str) -> list[str]:
        """Let some datasets go again; see `pin`."""
        datasets = sorted(self.inventory(names).expand(names))
        for name in datasets:
            unpin(self.store, name)
        return datasets


def _told(removals: Removals, inventory: Inventory) -> Removals:
    """The same, with whether it is everything."""
    content = {item.path for item in inventory.items if item.kind in CONTENT}
    going = {removal.item.path for removal in removals.removed}
    staying = content - going - {removal.item.path for removal in removals.left}
    return replace(removals, everything=bool(content & going) and not staying)


def _why_left(item: Item) -> str:
    if item.kind == "other":
        return FOREIGN
    if item.held:
        return ALIVE
    return PINNED if item.pinned else ""


def _check_unpinned(pinned: set[str]) -> None:
    if pinned:
        names = " ".join(sorted(pinned))
        raise DshubError(
            f"{', '.join(sorted(pinned))} {'is' if len(pinned) == 1 else 'are'} pinned; "
            "nothing was removed",
            hint=f"`dshub cache unpin {names}` first",
        )
