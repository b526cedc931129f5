"""How much of a cache each dataset takes."""

from collections.abc import Iterable
from dataclasses import dataclass

from dshub.housekeeping.inventory import Item


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
