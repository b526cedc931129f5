"""Upkeep of a cache: what is in it and whose it is, and everything that removes.

`Cache` answers and acts. It looks at raw files, tables, unfinished downloads and leftovers alike,
and names each by the manifests of the registry, of stand-ins, and of the tables themselves.
Looking loads neither NumPy nor Arrow; only judging tables by their recipes does.
"""

from dshub.housekeeping.cache import KINDS, Cache
from dshub.housekeeping.eviction import Keep
from dshub.housekeeping.inventory import Inventory, Item
from dshub.housekeeping.removals import Removal, Removals
from dshub.housekeeping.shares import Share

__all__ = ["KINDS", "Cache", "Inventory", "Item", "Keep", "Removal", "Removals", "Share"]
