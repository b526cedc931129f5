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


class Buckets:
    """The batches of a loader with `bucket`.

    Args:
        rows: where the lengths come from.
        plan: how, with `bucket`.
        share: of this rank.
    """

    def __init__(self, rows: Rows, plan: Plan, share: Share) -> None:
        self._rows, self._plan, self._share = rows, plan, share
        self._last = (-1, -1), np.empty(0, np.int64)

    def rows_at(self, position: int, epoch: int) -> np.ndarray:
        """The rows of the batch that begins at a position, int64; see the module."""
        share = self._share
        step = self._plan.size * share.world
        number = position // (step * STRETCH)
        found = self._sorted(number, epoch)
        whole = len(found) // step
        chosen = position // step - number * STRETCH
        if chosen < whole:  # what is left over stays last
            key = key_of(self._plan.seed + 1, epoch * 1_000_003 + number)
            chosen = int(permute(np.array([chosen]), whole, key)[0])
        return found[chosen * step + share.rank : (chosen + 1) * step : share.world]

    def _sorted(self, number: int, epoch: int) -> np.ndarray:
        """The rows of a stretch by their lengths; read once for all its batches."""
        known, found = self._last
        if known == (number, epoch):
            return found
        plan, share = self._plan, self._share
        stretch = plan.size * share.world * STRETCH
        start = number * stretch
        where = np.arange(start, min(start + stretch, share.total), dtype=np.int64)
        found = plan.order.rows(where % max(1, share.length), epoch)
        lengths = self._rows.lengths(plan.bucket or "", found)
        found = found[np.argsort(lengths, kind="stable")]
        self._last = (number, epoch), found  # at once: threads may ask
        return found
