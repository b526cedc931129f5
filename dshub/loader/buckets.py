"""Batches of rows that are about as long as each other.

Within a stretch of `STRETCH` batches of the epoch's order, rows are sorted by length and cut into
batches, which then come in an order of their own. So padding is short, every row comes once, and
a batch can still be computed alone. How rows fall into batches depends on the batch size, so a
state is good for that size only.
"""

import numpy as np

from dshub.loader.plan import Plan, Rows
from dshub.order import Share, key_of, permute

STRETCH = 64  # batches


def bucketed(rows: Rows, plan: Plan, share: Share, position: int, epoch: int) -> np.ndarray:
    """The rows of the batch that begins at a position, int64; see the module."""
    step = plan.size * share.world
    stretch = step * STRETCH
    number = position // stretch
    start = number * stretch
    stop = min(start + stretch, share.total)
    where = np.arange(start, stop, dtype=np.int64) % max(1, share.length)
    found = plan.order.rows(where, epoch)
    lengths = rows.lengths(plan.bucket or "", found)
    found = found[np.argsort(lengths, kind="stable")]
    whole = len(found) // step
    chosen = (position - start) // step
    if chosen < whole:  # what is left over stays last
        key = key_of(plan.seed + 1, epoch * 1_000_003 + number)
        chosen = int(permute(np.array([chosen]), whole, key)[0])
    return found[chosen * step + share.rank : (chosen + 1) * step : share.world]
