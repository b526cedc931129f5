"""Evict what was not used for longest, by share of the cache.

How much of a cache each dataset takes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dshub.cache.items import IRREPLACEABLE, PINNED, Item, Removal, Removals
from dshub.errors import DshubError
from dshub.progress import size


@dataclass(frozen=True, kw_only=True)
class Share:
    """What belongs to one dataset alone, to several together, or to nobody.

    Attributes:
        datasets: one; several for the files that they share; empty for what is nobody's.
        raw: bytes of upstream files (and of small notes: manifests of stand-ins, imports).
        prepared: bytes of tables.
        partial: bytes of unfinished downloads and leftovers.
        other: bytes that dshub did not write.
        used: seconds since the epoch at which some of it was last used.
        pinned: whether a pin keeps it.
    """

    datasets: tuple[str, ...]
    raw: int
    prepared: int
    partial: int
    other: int
    used: float
    pinned: bool

    @property
    def total(self) -> int:
        """Bytes of all of it."""
        return self.raw + self.prepared + self.partial + self.other


def shares(items: Iterable[Item]) -> list[Share]:
    """Everything, counted once: datasets, then what they share, then nobody's; largest first."""
    groups: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        groups.setdefault(tuple(sorted(item.datasets)), []).append(item)
    found = [_share(datasets, group) for datasets, group in groups.items()]
    return sorted(found, key=_place)


def _share(datasets: tuple[str, ...], group: list[Item]) -> Share:
    sizes = {"raw": 0, "prepared": 0, "partial": 0, "other": 0}
    for item in group:
        sizes["raw" if item.kind in {"synthetic", "imported"} else item.kind] += item.size
    return Share(
        datasets=datasets,
        raw=sizes["raw"],
        prepared=sizes["prepared"],
        partial=sizes["partial"],
        other=sizes["other"],
        used=max(item.used for item in group),
        pinned=any(item.pinned for item in group),
    )


def _place(share: Share) -> tuple[int, int, tuple[str, ...]]:
    return min(len(share.datasets), 2) or 3, -share.total, share.datasets


Keep = Literal["raw", "prepared", "both"]

DAY = 86400.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a cache has to keep within; each limit is enforced.

    Attributes:
        max_size: bytes of everything together, or None.
        older_than: seconds without use after which a dataset goes, or None.
        keep: `raw` where only tables may go; `prepared` where only raw files may go, of datasets
            whose every split is prepared; `both` where whole datasets go. Without another limit,
            all that may go goes.
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
    """What has to go; what stays for its pin, or as the last copy, is told as left.

    Where the size asks for something to go, `garbage` goes first.

    Args:
        items: everything in the cache.
        limits: what to keep within.
        now: seconds since the epoch.
        garbage: finds what goes before any dataset.
        is_spare: whether a raw file is no longer needed, because its datasets are prepared.

    Raises:
        DshubError: what has to stay is larger than `max_size`; nothing is to be removed then.
    """
    eviction = _Eviction(items, limits, is_spare)
    if limits.max_size is None and limits.older_than is None:
        eviction.take_all(f"only {limits.keep} content is kept")
    if limits.older_than is not None:
        eviction.take_older(now - limits.older_than, now)
    if limits.max_size is not None:
        eviction.shrink(limits.max_size, garbage)
    kept = [item for item in items if _stays(item) and item.kind in _kinds(limits.keep)]
    left = tuple(Removal(item, PINNED if item.pinned else IRREPLACEABLE) for item in kept)
    return Removals(tuple(eviction.going.values()), left)


def _kinds(keep: Keep) -> set[str]:
    return {"raw": {"prepared"}, "prepared": {"raw"}, "both": {"raw", "prepared", "synthetic"}}[
        keep
    ]


class _Eviction:
    """Datasets that go one after the other, and the things that go with them."""

    def __init__(
        self, items: Sequence[Item], limits: Limits, is_spare: Callable[[Item], bool]
    ) -> None:
        self._items = items
        self._by_name: dict[str, list[Item]] = {}
        for item in items:
            if _may_go(item, limits.keep, is_spare):
                for name in _names(item):
                    self._by_name.setdefault(name, []).append(item)
        used = _last_uses(items)
        self._order = sorted((used[name], name) for name in self._by_name)
        self._gone: set[str] = set()
        self._size = sum(item.size for item in items)  # bytes that would stay
        self.going: dict[Path, Removal] = {}

    def take_all(self, reason: str) -> None:
        for _, name in self._order:
            self._take(name, reason)

    def take_older(self, moment: float, now: float) -> None:
        for used, name in self._order:
            if used < moment:
                self._take(name, f"not used for {_span(now - used)}")

    def shrink(self, limit: int, garbage: Callable[[], Removals]) -> None:
        if self._size > limit:
            for removal in garbage().removed:
                self._add(removal)
        for _, name in self._order:
            if self._size > limit:
                self._take(name, "least recently used")
        if self._size > limit:
            raise _too_large(limit, self._staying())

    def _staying(self) -> dict[str, int]:
        """Bytes of what has to stay, by the reason."""
        sums = {"pinned": 0}
        for item in self._items:
            if item.path not in self.going:
                reason = _why_stays(item)
                sums[reason] = sums.get(reason, 0) + item.size
        return sums

    def _take(self, name: str, reason: str) -> None:
        self._gone.add(name)
        for item in self._by_name[name]:
            if self._gone.issuperset(_names(item)):
                self._add(Removal(item, reason))

    def _add(self, removal: Removal) -> None:
        if removal.item.path not in self.going:
            self.going[removal.item.path] = removal
            self._size -= removal.item.size


def _stays(item: Item) -> bool:
    return item.pinned or item.irreplaceable


def _why_stays(item: Item) -> str:
    if item.pinned:
        return "pinned"
    if item.irreplaceable:
        return "not to be downloaded again"
    kinds = {"partial": "unfinished or under way", "other": "not made by dshub"}
    return kinds.get(item.kind, "kept as asked for")


def _may_go(item: Item, keep: Keep, is_spare: Callable[[Item], bool]) -> bool:
    if _stays(item) or item.kind not in _kinds(keep):
        return False
    return keep != "prepared" or is_spare(item)


def _names(item: Item) -> tuple[str, ...]:
    """The datasets with which a thing goes; what is nobody's goes by itself."""
    return item.datasets or (str(item.path),)


def _last_uses(items: Iterable[Item]) -> dict[str, float]:
    """When each dataset was last used: by what is its own, or by what it shares if that is all."""
    own: dict[str, float] = {}
    shared: dict[str, float] = {}
    for item in items:
        names = _names(item)
        found = own if len(names) == 1 else shared
        if item.kind != "partial":
            found.update({name: max(item.used, found.get(name, 0.0)) for name in names})
    return shared | own


def _span(seconds: float) -> str:
    days = seconds / DAY
    return f"{days:,.0f} days" if days >= 2 else f"{days * 24:,.0f} hours"


def _too_large(limit: int, staying: dict[str, int]) -> DshubError:
    """What is said where nothing that may go suffices."""
    if staying["pinned"] > limit:
        return DshubError(
            f"pinned content alone takes {size(staying['pinned'])}, more than {size(limit)}; "
            "nothing was removed",
            hint="`dshub cache du` shows what is large; `dshub cache unpin NAME` lets it go",
        )
    parts = ", ".join(f"{size(count)} {reason}" for reason, count in staying.items() if count)
    return DshubError(
        f"{size(sum(staying.values()))} have to stay ({parts}), more than {size(limit)}; "
        "nothing was removed",
        hint="`dshub cache ls` shows what it is; `dshub cache gc --partial` removes downloads",
    )
