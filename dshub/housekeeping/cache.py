"""`Cache`: everything that can be asked of what is kept, and everything that removes."""

import time
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from dshub.errors import DshubError
from dshub.housekeeping.eviction import Keep, Limits, evictions
from dshub.housekeeping.garbage import ALIVE, PINNED, garbage
from dshub.housekeeping.inventory import Inventory, Item
from dshub.housekeeping.removals import Removal, Removals, execute
from dshub.housekeeping.shares import Share, shares
from dshub.progress import Progress, Silent, Task
from dshub.registry import Registry
from dshub.store import Kind, Store, pin, unpin
from dshub.store.layout import blob_digest, reference_digest

if TYPE_CHECKING:
    from dshub.verification import Finding

SHARED = "another dataset needs it too"

KINDS: tuple[Kind, ...] = ("raw", "prepared", "partial", "synthetic", "imported")


class Cache:
    """What is kept in the folder that is written to.

    Names are datasets, families, or paths of manifests; datasets that the registry does not know
    any more can be named too. Methods that remove raise StoreError where the cache cannot be
    written; with `dry_run` they remove nothing, and tell the same.

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
        """How much each dataset takes, everything counted once; see `dshub.housekeeping.shares`."""
        return shares(self.inventory().items)

    def verify(self) -> "Iterator[Finding]":
        """Read every file and every table again; what is damaged is put aside."""
        from dshub.verification import verify_file, verify_table

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
        from dshub.layouts.records import imports
        from dshub.verification import verify_import, verify_reference

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
        """Remove what is of no use any more; see `dshub.housekeeping.garbage`."""
        return self._carry_out(garbage(self.inventory(), partial=partial), dry_run=dry_run)

    def prune(
        self,
        *,
        max_size: int | None = None,
        older_than: float | None = None,
        keep: Keep = "both",
        dry_run: bool = False,
    ) -> Removals:
        """Remove what was not used for long; see `dshub.housekeeping.eviction`.

        Raises:
            DshubError: what has to stay is larger than `max_size`; nothing was removed.
        """
        limits = Limits(max_size=max_size, older_than=older_than, keep=keep)
        return self._carry_out(
            evictions(self.inventory(), limits, now=time.time()), dry_run=dry_run
        )

    def rm(
        self,
        names: Sequence[str] | None,
        *,
        kinds: Collection[Kind] = KINDS,
        dry_run: bool = False,
    ) -> Removals:
        """Remove what is kept of some datasets, or of all where `names` is None.

        What another dataset that is here needs too stays, what a living process is at work on,
        and, where all is to go, what is pinned.

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
        chosen = [(item, _why_left(item)) for item in wanted if item.kind in kinds]
        left = [Removal(item, why) for item, why in chosen if why]
        left += [Removal(item, SHARED) for item in shared if item.kind in kinds]
        going = [Removal(item, "") for item, why in chosen if not why]
        return self._carry_out(Removals(tuple(going), tuple(left)), dry_run=dry_run)

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

    def _carry_out(self, removals: Removals, *, dry_run: bool) -> Removals:
        if not dry_run:
            execute(removals.removed, self.store)
        return removals


def _why_left(item: Item) -> str:
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
