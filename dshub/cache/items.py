"""Items of a cache and their removal."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dshub.cache.disk import remove
from dshub.cache.store import Store
from dshub.cache.usage import Kind, Leftover

PINNED = "pinned"
IRREPLACEABLE = "it is the last copy and cannot be downloaded again; `dshub cache rm` removes it"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing in the cache.

    Attributes:
        kind: `raw` upstream file, `prepared` table, `partial` download or leftover, `synthetic`
            stand-in manifest, note of what was `imported` and lies elsewhere, or something
            `other` that dshub did not make.
        name: what it is, in words: `fashion-mnist: train-images`.
        datasets: those that need it; empty where nobody is known to. Of the datasets that share
            a file only those that are here count, where there are any.
        path: where it lies.
        size: bytes on the disk.
        used: seconds since the epoch at which it was last used.
        pinned: whether a pin keeps it.
        irreplaceable: whether it is the last copy of data that cannot be downloaded again.
        leftover: what sort of partial thing it is, and what became of its process.
    """

    kind: Kind
    name: str
    datasets: tuple[str, ...]
    path: Path
    size: int
    used: float
    pinned: bool = False
    irreplaceable: bool = False
    leftover: Leftover | None = None

    @property
    def held(self) -> bool:
        """Whether a living process of this machine is at work on it."""
        return self.leftover is not None and self.leftover.holder == "alive"


@dataclass(frozen=True)
class Removal:
    """One thing, and why it goes or stays; no reason where somebody asked for it."""

    item: Item
    reason: str


@dataclass(frozen=True)
class Removals:
    """What goes, and what stays although one may have expected it to go.

    Attributes:
        everything: whether no file and no table stays but those in `left`, although nobody named
            the datasets.
    """

    removed: tuple[Removal, ...] = ()
    left: tuple[Removal, ...] = ()
    everything: bool = False

    @property
    def size(self) -> int:
        """Bytes of what goes."""
        return sum(removal.item.size for removal in self.removed)


def execute(removals: Iterable[Removal], store: Store) -> None:
    """Remove things. What is gone meanwhile is as it should be.

    Raises:
        StoreError: the cache cannot be written; what was removed before stays removed.
    """
    for removal in removals:
        remove(store.root, removal.item.path)
