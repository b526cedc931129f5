"""Row order: permutations, random draws, shares of ranks, and orders of epochs.

`permute` shuffles without storing a shuffled list. For a key and a length n, it maps positions
0 … n-1 to rows 0 … n-1, one to one. Any part of the order can be computed alone, in constant
memory. An epoch therefore starts immediately, a run can resume at any position, and all ranks use
the same order. The algorithm does not use NumPy's random streams, which can change between
releases. If the algorithm changes, `ORDER_VERSION` does too.

The method depends on the length:

* Up to `SMALL` rows, positions are sorted by their keyed hash, which is uniform by construction.
* Longer orders use a Feistel network of `ROUNDS` rounds over the bits of n - 1 (Luby and Rackoff,
  1988), with cycle walking (Black and Rogaway, 2002). Results of n or more are mapped again until
  they are below n. The domain is smaller than 2n, so this takes at most two steps on average.

The hash is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014) on 64-bit words. With its odd
constant g, position i is sorted by hash(i g + key). Round i of the network, starting at 1, XORs one
half with the last bits of hash(other half + hash(i g + key)). Odd rounds change the high half, and
even rounds change the low half, which is one bit wider if the number of bits is odd.
"""

import hashlib
import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal, Protocol

import numpy as np

ORDER_VERSION = 1
SMALL = 4096
ROUNDS = 8

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def mix(words: np.ndarray) -> np.ndarray:
    """Return a new array with the SplitMix64 finalizer of each uint64."""
    words = words ^ (words >> np.uint64(30))
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def key_of(seed: int, epoch: int) -> int:
    """Derive a 64-bit key from a seed (any integer) and an epoch."""
    return _key(operator.index(seed), operator.index(epoch))  # NumPy integers would overflow


@lru_cache(maxsize=256)  # every batch of an epoch uses the same key
def _key(seed: int, epoch: int) -> int:
    words = np.array([seed & _MASK, (epoch * _GOLDEN + 1) & _MASK], np.uint64)
    first, second = (int(word) for word in mix(words))
    return int(mix(np.array([first ^ ((second * _GOLDEN) & _MASK)], np.uint64))[0])


def permute(positions: np.ndarray, length: int, key: int) -> np.ndarray:
    """Return the rows at `positions` in the shuffled order of `length` rows.

    Args:
        positions: int64, one-dimensional, each from 0 to length - 1.
        length: number of rows, below 2**62.
        key: 64-bit key from `key_of`.

    Returns:
        int64 rows in the shape of `positions`. Over all positions, each row occurs once.
    """
    if length <= SMALL:
        return _sorted_order(length, key).take(positions)
    bits = (length - 1).bit_length()
    rows = _feistel(positions.astype(np.uint64), bits, key)
    beyond = np.flatnonzero(rows >= length)
    while len(beyond):
        again = _feistel(rows[beyond], bits, key)
        rows[beyond] = again
        beyond = beyond[again >= length]
    return rows.astype(np.int64)


@lru_cache(maxsize=16)
def _sorted_order(length: int, key: int) -> np.ndarray:
    salted = np.arange(length, dtype=np.uint64) * np.uint64(_GOLDEN) + np.uint64(key)
    return np.argsort(mix(salted), kind="stable")


def _feistel(words: np.ndarray, bits: int, key: int) -> np.ndarray:
    """Apply the network to words of `bits` bits, and return a new array."""
    high_bits = bits // 2
    low_bits = bits - high_bits
    keys = mix(np.arange(1, ROUNDS + 1, dtype=np.uint64) * np.uint64(_GOLDEN) + np.uint64(key))
    high, low = words >> np.uint64(low_bits), words & np.uint64((1 << low_bits) - 1)
    for i in range(0, ROUNDS, 2):
        high = high ^ (mix(low + keys[i]) & np.uint64((1 << high_bits) - 1))
        low = low ^ (mix(high + keys[i + 1]) & np.uint64((1 << low_bits) - 1))
    return (high << np.uint64(low_bits)) | low


_ODD = 0xD1342543DE82EF95  # multiplier of a full-period generator, from L'Ecuyer's tables
_STEP = 1 << 20  # draws per row in each stream


@lru_cache(maxsize=256)  # every batch of an epoch uses the same salt
def _salt(value: int) -> tuple[np.ndarray, np.ndarray]:
    salt = np.array([value], np.uint64)
    return salt, mix(salt)


@dataclass(frozen=True, eq=False)
class Draws:
    """Random numbers for the rows of a batch.

    Attributes:
        rows: rows of the batch, int64 (rows,).
        key: key derived from the seed and the epoch.
        stream: offset that separates the draws of different transforms for the same rows.
    """

    rows: np.ndarray
    key: int
    stream: int = 0

    @classmethod
    def of(cls, rows: np.ndarray, seed: int, epoch: int) -> "Draws":
        """Create the draws of rows in an epoch."""
        return cls(rows, key_of(seed ^ 0x5DEECE66D, epoch))

    def apart(self, number: int) -> "Draws":
        """Return an independent stream of draws for the same rows, one per `number`."""
        return replace(self, stream=self.stream + _STEP * (number + 1))

    def bits(self, number: int = 0) -> np.ndarray:
        """Draw 64 random bits for each row, uint64 (rows,), independently for each `number`."""
        salt, mixed = _salt((self.key + (self.stream + number) * _ODD) & _MASK)
        return mix(mix(self.rows.astype(np.uint64) + mixed) ^ salt)

    def uniform(self, number: int = 0) -> np.ndarray:
        """Draw a float64 for each row, at least 0 and below 1."""
        numbers: np.ndarray = (self.bits(number) >> np.uint64(11)) * (1.0 / (1 << 53))
        return numbers

    def integers(self, high: int, number: int = 0) -> np.ndarray:
        """Draw an int64 for each row, from 0 to `high` - 1."""
        return (self.uniform(number) * high).astype(np.int64)

    def generator(self) -> np.random.Generator:
        """Create a NumPy generator for the batch, seeded by its first row and its size."""
        first = int(self.bits(0)[0]) if len(self.rows) else 0
        return np.random.default_rng([first, len(self.rows), self.stream])


Uneven = Literal["pad", "drop", "exact"]


@dataclass(frozen=True)
class Share:
    """Positions of one rank in an epoch: rank, rank + world, and so on.

    Attributes:
        length: number of positions in an epoch, over all ranks.
        rank: number of this rank, from 0.
        world: number of ranks.
        uneven: how to share positions if `world` does not divide their number. `pad` repeats the
            first positions and `drop` omits the last positions, so that all ranks have the same
            number. `exact` assigns one more position to the first ranks.
    """

    length: int
    rank: int = 0
    world: int = 1
    uneven: Uneven = "pad"

    @property
    def total(self) -> int:
        """Number of positions that all ranks use in an epoch."""
        return self._end(0)

    def _end(self, start: int) -> int:
        """Return the end of the positions that ranks share from `start`.

        A run that resumes with a different number of ranks can start at any position. Only the
        remaining positions are shared. Otherwise some ranks would have one more batch and wait for
        the other ranks.
        """
        remaining = max(0, self.length - start)
        excess = remaining % self.world
        if self.uneven == "exact" or not excess:
            return start + remaining
        return start + remaining - excess + (self.world if self.uneven == "pad" else 0)

    def count(self, start: int) -> int:
        """Return the number of positions that this rank has from `start` to the end."""
        return max(0, -(-(self._end(start) - start - self.rank) // self.world))

    def positions(self, start: int, count: int) -> np.ndarray:
        """Return the next `count` positions of this rank from `start`, int64."""
        first = start + self.rank
        positions = np.arange(first, first + count * self.world, self.world, dtype=np.int64)
        return positions % self.length if self.uneven == "pad" and self.length else positions

    @property
    def counts(self) -> list[int]:
        """Number of rows of each rank in an epoch."""
        return [replace(self, rank=rank).count(0) for rank in range(self.world)]


BLOCK_ROWS = 1024
WINDOW = 64  # blocks that are shuffled together


class Order(Protocol):
    """Interface of orders, which map the `length` positions of an epoch to rows."""

    @property
    def length(self) -> int: ...
    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        """Return the rows at positions of an epoch, int64."""

    def describe(self) -> dict[str, int | str]:
        """Return values that identify this order in states and fingerprints."""


def groups(numbers: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each distinct number in ascending order, with the indices where it occurs."""
    for number in np.unique(numbers).tolist():
        yield number, np.flatnonzero(numbers == number)


@dataclass(frozen=True)
class InOrder:
    """Every row once, in the order of the dataset."""

    length: int

    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        del epoch
        return positions

    def describe(self) -> dict[str, int | str]:
        return {"shuffle": 0}


@dataclass(frozen=True)
class Shuffled:
    """Every row once, in a new, uniformly random order in each epoch."""

    length: int
    seed: int

    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        return permute(positions, self.length, key_of(self.seed, epoch))

    def describe(self) -> dict[str, int | str]:
        return {"shuffle": 1}


@dataclass(frozen=True)
class Blocks:
    """Every row once, with neighboring rows close together, for data larger than memory.

    Each epoch shuffles blocks of `block` rows, and then the rows within every `window` consecutive
    blocks. At any time, rows are read from at most `window` blocks, each contiguous on disk. Two
    rows of the same block are at most `block * window` positions apart. Block boundaries shift with
    the epoch.
    """

    length: int
    seed: int
    block: int = BLOCK_ROWS
    window: int = WINDOW

    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        key = key_of(self.seed, epoch)
        span = self.block * self.window
        rows = np.empty_like(positions)
        for number, inside in groups(positions // span):
            start = number * span
            length = min(span, self.length - start)
            mixed = permute(positions[inside] - start, length, key_of(key, number + 1))
            rows[inside] = self._shuffle_blocks(mixed + start, key)
        length = max(1, self.length)
        return (rows + key_of(key, 0) % length) % length

    def _shuffle_blocks(self, places: np.ndarray, key: int) -> np.ndarray:
        """Shuffle full blocks, keeping an incomplete last block in its place."""
        blocks = self.length // self.block
        block, row = np.divmod(places, self.block)
        full = block < blocks
        moved = places.copy()
        if blocks:
            moved[full] = permute(block[full], blocks, key) * self.block + row[full]
        return moved

    def describe(self) -> dict[str, int | str]:
        return {"shuffle": 2, "block": self.block, "window": self.window}


@dataclass(frozen=True, eq=False)
class Weighted:
    """Rows drawn with replacement, in proportion to their weights.

    Attributes:
        weights: weight of each row, float64 (rows,), at least 0.
        seed: seed of the draws.
        length: number of positions in an epoch.
    """

    weights: np.ndarray
    seed: int
    length: int

    @cached_property
    def _ends(self) -> np.ndarray:
        ends = np.cumsum(self.weights, dtype=np.float64)
        shares: np.ndarray = ends / ends[-1]
        return shares

    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        drawn = Draws.of(positions, self.seed, epoch).uniform()
        rows = np.searchsorted(self._ends, drawn, side="right")
        return np.minimum(rows, len(self.weights) - 1).astype(np.int64)

    def describe(self) -> dict[str, int | str]:
        digest = hashlib.sha256(np.ascontiguousarray(self.weights, np.float64).tobytes())
        return {"shuffle": 3, "weights": digest.hexdigest()[:16]}


PATTERN = 1024  # positions per pattern, with an exact share of each dataset


@dataclass(frozen=True)
class Mixed:
    """Rows of several datasets, numbered consecutively, in fixed shares.

    In every pattern of 1,024 positions, each dataset has its rounded share, in shuffled positions.
    A dataset with a share above 0 has at least one position, so that its rows occur. The rows of
    each dataset are shuffled, and all of them are used before any row repeats, to within one
    pattern.

    Attributes:
        lengths: number of rows of each dataset.
        weights: weight of each dataset.
        seed: seed of all orders.
        length: number of positions in an epoch.
    """

    lengths: tuple[int, ...]
    weights: tuple[float, ...]
    seed: int
    length: int

    @cached_property
    def _counts(self) -> np.ndarray:
        """Number of positions of each dataset in a pattern, rounded to the correct total."""
        shares = np.array(self.weights) / sum(self.weights) * PATTERN
        counts = np.floor(shares).astype(np.int64)
        most = np.argsort(counts - shares, kind="stable")[: PATTERN - int(counts.sum())]
        counts[most] += 1
        for number in np.flatnonzero((counts == 0) & (shares > 0)):
            counts[number] = 1
            counts[np.argmax(counts)] -= 1
        return counts

    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        # passes over a dataset continue in the next epoch
        patterns, places = np.divmod(positions + epoch * self.length, PATTERN)
        rows = np.empty_like(positions)
        for pattern, inside in groups(patterns):
            slots = permute(places[inside], PATTERN, key_of(self.seed, pattern))
            rows[inside] = self._rows(slots, pattern)
        return rows

    def _rows(self, slots: np.ndarray, pattern: int) -> np.ndarray:
        """Return the rows of slots of a pattern; the first slots belong to the first dataset."""
        ends = np.cumsum(self._counts)
        offsets = np.cumsum([0, *self.lengths])
        rows = np.empty_like(slots)
        for i, inside in groups(np.searchsorted(ends, slots, side="right")):
            count, length = int(self._counts[i]), self.lengths[i]
            turns = pattern * count + slots[inside] - (ends[i] - count)
            passes, places = np.divmod(turns, length)
            for number, selected in groups(passes):
                order = permute(places[selected], length, key_of(self.seed + 1 + i, number))
                rows[inside[selected]] = order + offsets[i]
        return rows

    def describe(self) -> dict[str, int | str]:
        pairs = zip(self.lengths, self._counts, strict=True)
        return {"shuffle": 4, "mix": ",".join(f"{length}:{count}" for length, count in pairs)}
