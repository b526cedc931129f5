"""In which order rows come, and what is random about a row: pure functions of a few numbers.

Nothing here remembers anything. The row at a position of an epoch, and a random number of a row,
follow from (seed, epoch, position or row), so a run resumes anywhere, and ranks, threads and
batch sizes change nothing.

Positions run from 0 to `length` - 1, and so do rows, but for `Weighted`, which draws.
"""

from dshub.order.draws import Draws
from dshub.order.orders import PATTERN, Blocks, InOrder, Mixed, Order, Shuffled, Weighted
from dshub.order.permutation import ORDER_VERSION, key_of, mix, permute
from dshub.order.ranks import Share, Uneven, this_rank

__all__ = [
    "ORDER_VERSION",
    "PATTERN",
    "Blocks",
    "Draws",
    "InOrder",
    "Mixed",
    "Order",
    "Share",
    "Shuffled",
    "Uneven",
    "Weighted",
    "key_of",
    "mix",
    "permute",
    "this_rank",
]
