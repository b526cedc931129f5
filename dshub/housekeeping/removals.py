"""What is to be removed and what stays, each thing with its reason; and removing it."""

from collections.abc import Iterable
from dataclasses import dataclass

from dshub.housekeeping.inventory import Item
from dshub.store import Store, remove


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
