"""Choose the least recently used cache items to evict, and sum up the sizes of datasets."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dshub.cache.usage import IRREPLACEABLE, PINNED, Item, Removal, Removals
from dshub.errors import DshubError
from dshub.progress import size

Keep = Literal["raw", "prepared", "both"]

DAY = 86400.0

_EVICTED = {  # kinds of items that each `Keep` evicts
    "raw": {"prepared", "derived"},
    "prepared": {"raw"},
    "both": {"raw", "prepared", "derived", "synthetic"},
}


@dataclass(frozen=True, kw_only=True)
class Share:
    """Disk usage of a dataset, of files shared by several datasets, or of unowned files.

    Attributes:
        datasets: name of the dataset, names of the datasets that share the files, or empty.
        sizes: bytes per kind of item; records of synthetic data and imports count as `raw`.
        used: time of the last use of any item, in seconds since the epoch.
        pinned: True if an item is pinned.
    """

    datasets: tuple[str, ...]
    sizes: Counter[str]
    used: float
    pinned: bool

    @property
    def total(self) -> int:
        """Size of all items in bytes."""
        return self.sizes.total()


def shares(items: Iterable[Item]) -> list[Share]:
    """Group items into single datasets, files shared by several datasets, and unowned files.

    The groups are in this order, each sorted by size, largest first.
    """
    groups: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        groups.setdefault(tuple(sorted(item.datasets)), []).append(item)
    return sorted((_share(datasets, group) for datasets, group in groups.items()), key=_rank)


def _share(datasets: tuple[str, ...], group: list[Item]) -> Share:
    sizes: Counter[str] = Counter()
    for item in group:
        sizes["raw" if item.kind in {"synthetic", "imported"} else item.kind] += item.size
    used, pinned = max(item.used for item in group), any(item.pinned for item in group)
    return Share(datasets=datasets, sizes=sizes, used=used, pinned=pinned)


def _rank(share: Share) -> tuple[int, int, tuple[str, ...]]:
    return min(len(share.datasets), 2) or 3, -share.total, share.datasets


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a cache, enforced together.

    Attributes:
        max_size: maximum size of the cache in bytes, or None.
        older_than: seconds without use after which a dataset is evicted, or None.
        keep: `raw` to evict tables only; `prepared` to evict only raw files of datasets with every
            split prepared; `both` to evict whole datasets. If the other two limits are None, all
            of these items are evicted.
    """

    max_size: int | None = None
    older_than: float | None = None
    keep: Keep = "both"


def evictions(
    items: Sequence[Item],
    limits: Limits,
    *,
    now: float,
    garbage: Callable[[], Removals],
    is_spare: Callable[[Item], bool],
) -> Removals:
    """Choose the items to evict. Pinned items and last copies are listed in `left`.

    Args:
        items: every item in the cache.
        limits: limits of the cache.
        now: current time, in seconds since the epoch.
        garbage: function that returns leftovers, which are removed before datasets.
        is_spare: function that returns True for a raw file of datasets that are already prepared.

    Raises:
        DshubError: the items that cannot be evicted are larger than `max_size`. The caller should
            remove nothing.
    """
    eviction = _Eviction(items, limits, is_spare)
    for used, name in eviction.order:
        if limits.older_than is not None:
            if used < now - limits.older_than:
                eviction.evict(name, f"not used for {_span(now - used)}")
        elif limits.max_size is None:
            eviction.evict(name, f"only {limits.keep} content is kept")
    if limits.max_size is not None:
        eviction.shrink(limits.max_size, garbage)
    retained = [item for item in items if _must_stay(item) and item.kind in _EVICTED[limits.keep]]
    left = tuple(Removal(item, PINNED if item.pinned else IRREPLACEABLE) for item in retained)
    return Removals(tuple(eviction.removals.values()), left)


class _Eviction:
    """Eviction of one dataset at a time. A shared item is evicted with the last dataset using it.

    Each derived dataset is evicted on its own, before all others, because it can be recomputed.

    Attributes:
        order: time of last use and name of each dataset, derived ones first, the least
            recently used before others.
        removals: evicted items by path.
    """

    def __init__(
        self, items: Sequence[Item], limits: Limits, is_spare: Callable[[Item], bool]
    ) -> None:
        self._items = items
        self._by_name: dict[str, list[Item]] = {}
        for item in items:
            if _can_go(item, limits.keep, is_spare):
                for name in _names(item):
                    self._by_name.setdefault(name, []).append(item)
        used = _last_uses(items)
        derived = {name for item in items if item.kind == "derived" for name in _names(item)}
        self.order = sorted(
            ((used[name], name) for name in self._by_name),
            key=lambda entry: (entry[1] not in derived, *entry),
        )
        self.removals: dict[Path, Removal] = {}
        self._evicted: set[str] = set()
        self._size = sum(item.size for item in items)  # bytes remaining in the cache

    def evict(self, name: str, reason: str) -> None:
        self._evicted.add(name)
        for item in self._by_name[name]:
            if self._evicted.issuperset(_names(item)):
                self._remove(Removal(item, reason))

    def _remove(self, removal: Removal) -> None:
        if removal.item.path not in self.removals:
            self.removals[removal.item.path] = removal
            self._size -= removal.item.size

    def shrink(self, limit: int, garbage: Callable[[], Removals]) -> None:
        if self._size > limit:
            for removal in garbage().removed:
                self._remove(removal)
        for _, name in self.order:
            if self._size > limit:
                self.evict(name, "least recently used")
        if self._size > limit:
            raise _too_large(limit, [i for i in self._items if i.path not in self.removals])


def _must_stay(item: Item) -> bool:
    return item.pinned or item.irreplaceable


def _can_go(item: Item, keep: Keep, is_spare: Callable[[Item], bool]) -> bool:
    if _must_stay(item) or item.kind not in _EVICTED[keep]:
        return False
    return keep != "prepared" or is_spare(item)


def _names(item: Item) -> tuple[str, ...]:
    """Return the names of an item's datasets, or its path if it has none or is derived."""
    return (item.kind != "derived" and item.datasets) or (str(item.path),)


def _last_uses(items: Iterable[Item]) -> dict[str, float]:
    """Return when each dataset was last used, from its unshared items if it has any."""
    unshared: dict[str, float] = {}
    shared: dict[str, float] = {}
    for item in items:
        names = _names(item)
        uses = unshared if len(names) == 1 else shared
        if item.kind != "partial":
            uses.update({name: max(item.used, uses.get(name, 0.0)) for name in names})
    return shared | unshared


def _span(seconds: float) -> str:
    days = seconds / DAY
    return f"{days:,.0f} days" if days >= 2 else f"{days * 24:,.0f} hours"


def _too_large(limit: int, staying: Sequence[Item]) -> DshubError:
    sums: Counter[str] = Counter()
    for item in staying:
        sums[_why_stays(item)] += item.size
    parts = ", ".join(f"{size(count)} {reason}" for reason, count in sums.items())
    return DshubError(
        f"cannot shrink the cache to {size(limit)}: {size(sums.total())} cannot be evicted "
        f"({parts}); nothing was removed",
        hint="run `dshub cache ls`, then `dshub cache unpin NAME` or `dshub cache gc --partial`",
    )


def _why_stays(item: Item) -> str:
    if item.pinned:
        return "pinned"
    if item.irreplaceable:
        return "impossible to download again"
    kinds = {"partial": "unfinished or in progress", "other": "not made by dshub"}
    return kinds.get(item.kind, "kept as requested")
