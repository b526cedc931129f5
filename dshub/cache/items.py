"""Items of a cache and their removal."""

from collections.abc import Iterable
from dataclasses import dataclass

from dshub.cache.disk import remove
from dshub.cache.store import Store
from dshub.cache.usage import Leftover, Usage

PINNED = "pinned"
IRREPLACEABLE = "it is the last copy and cannot be downloaded again; `dshub cache rm` removes it"


@dataclass(frozen=True, kw_only=True)
class Item(Usage):
    """An item of the cache, and the datasets that need it.

    Attributes:
        name: a description: `fashion-mnist: train-images`.
        datasets: the datasets that need it; empty if none is known. Of the datasets that share a
            file, only those in the cache count, if there are any.
        pinned: whether it is pinned.
        irreplaceable: whether it is the last copy of data that cannot be downloaded again.
        leftover: for something partial, its sort and the state of its process.
    """

    datasets: tuple[str, ...]
    pinned: bool = False
    irreplaceable: bool = False
    leftover: Leftover | None = None

    @property
    def held(self) -> bool:
        """Whether a process of this machine is working on it."""
        return self.leftover is not None and self.leftover.holder == "alive"


@dataclass(frozen=True)
class Removal:
    """An item, and why it is removed or stays; no reason if the user named it."""

    item: Item
    reason: str


@dataclass(frozen=True)
class Removals:
    """Items to remove, and items that stay although the user may expect otherwise.

    Attributes:
        everything: whether every file and table is removed but those in `left`, although the
            user did not name the datasets.
    """

    removed: tuple[Removal, ...] = ()
    left: tuple[Removal, ...] = ()
    everything: bool = False

    @property
    def size(self) -> int:
        """Bytes of the items to remove."""
        return sum(removal.item.size for removal in self.removed)


def execute(removals: Iterable[Removal], store: Store) -> None:
    """Remove items; those that are gone already are skipped.

    Raises:
        StoreError: the cache cannot be written; what was removed before stays removed.
    """
    for removal in removals:
        remove(store.root, removal.item.path)
