"""Orders of an epoch: which row stands at a position."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from dshub.order.draws import Draws
from dshub.order.permutation import key_of, permute

BLOCK_ROWS = 1024
WINDOW = 64  # blocks


class Order(Protocol):
    """Rows of positions. `length` positions make an epoch."""

    @property
    def length(self) -> int: ...
    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        """The rows at some positions, int64, each from 0 to length - 1, of an epoch."""

    def describe(self) -> dict[str, int | str]:
        """What tells this order from others, for a state and a fingerprint."""


@dataclass(frozen=True)
class InOrder:
    """One after the other."""

    length: int

    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        del epoch
        return positions

    def describe(self) -> dict[str, int | str]:
        return {"shuffle": 0}


@dataclass(frozen=True)
class Shuffled:
    """Every row once, in a new order each epoch, uniform over all rows."""

    length: int
    seed: int

    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        return permute(positions, self.length, key_of(self.seed, epoch))

    def describe(self) -> dict[str, int | str]:
        return {"shuffle": 1}


@dataclass(frozen=True)
class Blocks:
    """Every row once; rows that lie together come about together, for data larger than memory.

    Blocks of `block` rows come in a new order each epoch, and within every `window` blocks that
    follow each other rows are shuffled. So at any time rows of at most `window` blocks are read,
    each of which lies in one piece on disk; and two rows of one block are never further apart
    than `block * window` positions. Where blocks begin shifts with the epoch.
    """

    length: int
    seed: int
    block: int = BLOCK_ROWS
    window: int = WINDOW

    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        key = key_of(self.seed, epoch)
        span = self.block * self.window
        windows = positions // span
        found = np.empty_like(positions)
        for number in np.unique(windows):
            inside = np.flatnonzero(windows == number)
            start = int(number) * span
            length = min(span, self.length - start)
            mixed = permute(positions[inside] - start, length, key_of(key, int(number) + 1))
            found[inside] = self._of_blocks(mixed + start, key)
        shift = key_of(key, 0) % max(1, self.length)
        return (found + shift) % max(1, self.length)

    def _of_blocks(self, places: np.ndarray, key: int) -> np.ndarray:
        """Whole blocks in their order; what is left over, fewer rows than a block, comes last."""
        whole = self.length // self.block
        block, row = np.divmod(places, self.block)
        full = block < whole
        moved = places.copy()
        if whole:
            moved[full] = permute(block[full], whole, key) * self.block + row[full]
        return moved

    def describe(self) -> dict[str, int | str]:
        return {"shuffle": 2, "block": self.block, "window": self.window}


@dataclass(frozen=True, eq=False)
class Weighted:
    """Rows drawn with replacement, each as often, on average, as its weight says.

    Attributes:
        weights: float64 (rows,), none below 0.
        seed: of the draws.
        length: positions in an epoch.
    """

    weights: np.ndarray
    seed: int
    length: int

    @cached_property
    def _ends(self) -> np.ndarray:
        ends: np.ndarray = np.cumsum(self.weights, dtype=np.float64)
        shares: np.ndarray = ends / ends[-1]
        return shares

    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        drawn = Draws.of(positions, self.seed, epoch).uniform()
        found: np.ndarray = np.searchsorted(self._ends, drawn, side="right").astype(np.int64)
        rows: np.ndarray = np.minimum(found, len(self.weights) - 1)
        return rows

    def describe(self) -> dict[str, int | str]:
        import hashlib

        digest = hashlib.sha256(np.ascontiguousarray(self.weights, np.float64).tobytes())
        return {"shuffle": 3, "weights": digest.hexdigest()[:16]}


PATTERN = 1024  # positions over which shares are kept exactly


@dataclass(frozen=True)
class Mixed:
    """Rows of several datasets, one behind the other, in fixed shares.

    In every 1,024 positions each dataset has its share, rounded, at places that are shuffled; one
    whose share is above 0 has at least one place, or none of its rows would ever come.
    The rows of one dataset come in its own shuffled order, once each before any comes again, give
    or take those 1,024 positions.

    Attributes:
        lengths: rows of each dataset.
        weights: the share of each.
        seed: of all orders.
        length: positions in an epoch.
    """

    lengths: tuple[int, ...]
    weights: tuple[float, ...]
    seed: int
    length: int

    @cached_property
    def _counts(self) -> np.ndarray:
        """Places of each dataset in a pattern: largest remainders, so that they add up."""
        shares = np.array(self.weights) / sum(self.weights) * PATTERN
        counts = np.floor(shares).astype(np.int64)
        most = np.argsort(counts - shares, kind="stable")[: PATTERN - int(counts.sum())]
        counts[most] += 1
        for _ in range(int(((counts == 0) & (shares > 0)).sum())):
            counts[np.flatnonzero((counts == 0) & (shares > 0))[0]] = 1
            counts[np.argmax(counts)] -= 1
        return counts

    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        overall = positions + epoch * self.length  # passes go on over epochs
        pattern, place = np.divmod(overall, PATTERN)
        found = np.empty_like(positions)
        for number in np.unique(pattern):
            inside = np.flatnonzero(pattern == number)
            slots = permute(place[inside], PATTERN, key_of(self.seed, int(number)))
            found[inside] = self._rows(slots, int(number))
        return found

    def _rows(self, slots: np.ndarray, pattern: int) -> np.ndarray:
        """Slots 0 … count - 1 are the first dataset's, and so on."""
        ends = np.cumsum(self._counts)
        starts = ends - self._counts
        which = np.searchsorted(ends, slots, side="right")
        offsets = np.cumsum([0, *self.lengths])
        rows = np.empty_like(slots)
        for i in np.unique(which):
            mine = np.flatnonzero(which == i)
            turn = pattern * int(self._counts[i]) + slots[mine] - starts[i]
            passes, at = np.divmod(turn, self.lengths[i])
            for number in np.unique(passes):
                now = np.flatnonzero(passes == number)
                key = key_of(self.seed + 1 + int(i), int(number))
                rows[mine[now]] = permute(at[now], self.lengths[i], key) + offsets[i]
        return rows

    def describe(self) -> dict[str, int | str]:
        shares = ",".join(
            f"{length}:{count}" for length, count in zip(self.lengths, self._counts, strict=True)
        )
        return {"shuffle": 4, "mix": shares}
