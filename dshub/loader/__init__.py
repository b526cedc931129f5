"""Batches and the place in an epoch, over anything with a length and a `gather`.

`Loader` walks an order of `dshub.order` in batches; a `Gatherer` makes each. Neither knows where
rows come from. Adapters that step through batches themselves use `walk_of(loader)`.
"""

from dshub.loader._walk import Walk
from dshub.loader.buffers import Pool
from dshub.loader.gathering import Gatherer
from dshub.loader.loader import Loader, walk_of
from dshub.loader.options import BatchOptions, Layout, Rows, Shuffle, takes
from dshub.transforms import Batch

__all__ = [
    "Batch",
    "BatchOptions",
    "Gatherer",
    "Layout",
    "Loader",
    "Pool",
    "Rows",
    "Shuffle",
    "Walk",
    "takes",
    "walk_of",
]
