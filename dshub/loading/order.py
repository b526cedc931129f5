"""Row order: permutations, random draws, ranks, and the orders made of them.

Shuffling without a shuffled list: `permute` is a keyed permutation, computed on demand.

For a key and a length n, `permute` maps positions 0 … n-1 to rows 0 … n-1, one to one. Any part
can be computed alone, in constant memory. So an epoch starts at once, a run resumes anywhere, and
all ranks see one order. NumPy can change its streams between releases; this arithmetic is ours,
and `ORDER_VERSION` changes if it ever does.

There are two methods, by length:

* up to `SMALL` rows, positions are sorted by their keyed hash, which is uniform by construction;
* above, a Feistel network of `ROUNDS` rounds over the bits of n - 1 (Luby and Rackoff, 1988), with
  cycle walking (Black and Rogaway, 2002): results of n or more are mapped again until they fall
  below n. The domain is smaller than 2n, so this takes at most two steps on average.

The hash is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014) on 64-bit words. With its odd
constant g, position i is sorted by hash(i g + key). Round i of the network, from 1, XORs one half
with the last bits of hash(other half + hash(i g + key)): odd rounds the high half, even rounds the
low half, which is one bit wider if the number of bits is odd.
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
    """Apply the finalizer of SplitMix64 to each uint64; returns a new array."""
    words = words ^ (words >> np.uint64(30))
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def key_of(seed: int, epoch: int) -> int:
    """Derive a 64-bit key from a seed (any whole number) and an epoch."""
    return _key(operator.index(seed), operator.index(epoch))  # NumPy's integers would overflow


@lru_cache(maxsize=256)  # every batch needs its epoch's
def _key(seed: int, epoch: int) -> int:
    words = np.array([seed & _MASK, (epoch * _GOLDEN + 1) & _MASK], np.uint64)
    first, second = (int(word) for word in mix(words))
    return int(mix(np.array([first ^ ((second * _GOLDEN) & _MASK)], np.uint64))[0])


def permute(positions: np.ndarray, length: int, key: int) -> np.ndarray:
    """Return the rows at some positions of the order that `key` gives to `length` rows.

    Args:
        positions: int64, one-dimensional, each from 0 to length - 1.
        length: number of rows, below 2**62.
        key: 64 bits, from `key_of`.

    Returns:
        int64 rows of the same shape; over all positions, each row comes once.
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
    """Run the network once over words of `bits` bits; returns a new array."""
    high_bits = bits // 2
    low_bits = bits - high_bits
    keys = mix(np.arange(1, ROUNDS + 1, dtype=np.uint64) * np.uint64(_GOLDEN) + np.uint64(key))
    high, low = words >> np.uint64(low_bits), words & np.uint64((1 << low_bits) - 1)
    for i in range(0, ROUNDS, 2):
        high = high ^ (mix(low + keys[i]) & np.uint64((1 << high_bits) - 1))
        low = low ^ (mix(high + keys[i + 1]) & np.uint64((1 << low_bits) - 1))
    return (high << np.uint64(low_bits)) | low


_ODD = 0xD1342543DE82EF95  # of a full-period multiplicative generator (L'Ecuyer's tables)
_STEP = 1 << 20  # numbers that each consumer can draw for a row


@lru_cache(maxsize=256)  # the same for every batch of an epoch
def _salt(value: int) -> tuple[np.ndarray, np.ndarray]:
    salt = np.array([value], np.uint64)
    return salt, mix(salt)


@dataclass(frozen=True, eq=False)
class Draws:
    """Random numbers for the rows of a batch.

    Attributes:
        rows: int64 (rows,), the rows of a batch.
        key: of seed and epoch.
        stream: separates the draws of different transforms for the same rows.
    """

    rows: np.ndarray
    key: int
    stream: int = 0

    @classmethod
    def of(cls, rows: np.ndarray, seed: int, epoch: int) -> "Draws":
        """The draws of some rows in an epoch."""
        return cls(rows, key_of(seed ^ 0x5DEECE66D, epoch))

    def apart(self, number: int) -> "Draws":
        """Return an independent stream of draws for the same rows, a different one per number."""
        return replace(self, stream=self.stream + _STEP * (number + 1))

    def bits(self, number: int = 0) -> np.ndarray:
        """Draw 64 random bits for each row, uint64 (rows,); each `number` gives others."""
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
        """A NumPy generator for the whole batch: it depends on which rows are in it."""
        first = int(self.bits(0)[0]) if len(self.rows) else 0
        return np.random.default_rng([first, len(self.rows), self.stream])


Uneven = Literal["pad", "drop", "exact"]


@dataclass(frozen=True)
class Share:
    """The positions of one rank: rank, rank + world, and so on.

    Attributes:
        length: positions in an epoch, of all ranks together.
        rank, world: the number of this rank, and of all ranks.
        uneven: what to do if `world` does not divide the length. `pad` repeats the first
            positions and `drop` leaves out the last ones, so that all ranks have the same number;
            `exact` gives the first ranks one more.
    """

    length: int
    rank: int = 0
    world: int = 1
    uneven: Uneven = "pad"

    @property
    def total(self) -> int:
        """Positions that all ranks together take in an epoch."""
        return self._end(0)

    def _end(self, start: int) -> int:
        """The end of the positions that ranks take from `start` on.

        A run that resumes with another number of ranks starts anywhere. The rest of the epoch is
        shared, not all of it, or some ranks would have a batch more and wait for the others.
        """
        left = max(0, self.length - start)
        beyond = left % self.world
        if self.uneven == "exact" or not beyond:
            return start + left
        return start + left - beyond + (self.world if self.uneven == "pad" else 0)

    def count(self, start: int) -> int:
        """The number of this rank's positions from `start` on."""
        return max(0, -(-(self._end(start) - start - self.rank) // self.world))

    def positions(self, start: int, count: int) -> np.ndarray:
        """This rank's next `count` positions from `start`, int64."""
        first = start + self.rank
        positions = np.arange(first, first + count * self.world, self.world, dtype=np.int64)
        return positions % self.length if self.uneven == "pad" and self.length else positions

    @property
    def counts(self) -> list[int]:
        """The number of rows that each rank gets in an epoch."""
        return [replace(self, rank=rank).count(0) for rank in range(self.world)]


BLOCK_ROWS = 1024
WINDOW = 64  # blocks


class Order(Protocol):
    """The rows of an epoch of `length` positions."""

    @property
    def length(self) -> int: ...
    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        """The rows at some positions of an epoch, int64, each from 0 to length - 1."""

    def describe(self) -> dict[str, int | str]:
        """Values that distinguish this order from others, for a state and a fingerprint."""


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
    """Every row once, in a new order each epoch, uniform over all rows."""

    length: int
    seed: int

    def rows(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        return permute(positions, self.length, key_of(self.seed, epoch))

    def describe(self) -> dict[str, int | str]:
        return {"shuffle": 1}


@dataclass(frozen=True)
class Blocks:
    """Every row once, with neighboring rows close together, for data larger than memory.

    Blocks of `block` rows come in a new order each epoch, and rows are shuffled within every
    `window` consecutive blocks. So at any time rows of at most `window` blocks are read, each of
    which is in one piece on disk, and two rows of one block are never further apart than
    `block * window` positions. The block boundaries shift with the epoch.
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
            rows[inside] = self._moved(mixed + start, key)
        length = max(1, self.length)
        return (rows + key_of(key, 0) % length) % length

    def _moved(self, places: np.ndarray, key: int) -> np.ndarray:
        """Put whole blocks into their order; an incomplete block at the end stays there."""
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
    """Rows drawn with replacement, in proportion to their weights.

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


PATTERN = 1024  # positions over which shares are exact


@dataclass(frozen=True)
class Mixed:
    """Rows of several datasets, numbered consecutively, in fixed shares.

    In every 1,024 positions each dataset has its share, rounded, at shuffled places. A dataset
    with a share above 0 has at least one place, or none of its rows would ever come. The rows of
    one dataset come in its own shuffled order, once each before any repeats, give or take those
    1,024 positions.

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
        """The rows of the slots of a pattern; the first slots are the first dataset's."""
        ends = np.cumsum(self._counts)
        offsets = np.cumsum([0, *self.lengths])
        rows = np.empty_like(slots)
        for i, inside in groups(np.searchsorted(ends, slots, side="right")):
            count, length = int(self._counts[i]), self.lengths[i]
            turns = pattern * count + slots[inside] - (ends[i] - count)
            passes, places = np.divmod(turns, length)
            for number, now in groups(passes):
                order = permute(places[now], length, key_of(self.seed + 1 + i, number))
                rows[inside[now]] = order + offsets[i]
        return rows

    def describe(self) -> dict[str, int | str]:
        pairs = zip(self.lengths, self._counts, strict=True)
        return {"shuffle": 4, "mix": ",".join(f"{length}:{count}" for length, count in pairs)}
