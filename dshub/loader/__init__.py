"""Batches and the place in an epoch, over anything with a length and a gather.

`Loader` walks an order of `dshub.order` in batches; a `Gatherer` makes each. Neither knows where
rows come from.
"""

from dshub.loader.buffers import Pool
from dshub.loader.gathering import Gatherer
from dshub.loader.loader import Loader
from dshub.loader.plan import Batch, Layout, Plan, Rows, Shuffle

__all__ = ["Batch", "Gatherer", "Layout", "Loader", "Plan", "Pool", "Rows", "Shuffle"]
