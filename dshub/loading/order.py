"""Row order: permutations, draws, ranks and the orders made of them.

Shuffling without a shuffled list: a keyed permutation, computed where it is asked for.

For a key and a length n, `permute` maps positions 0 … n-1 to rows 0 … n-1, one to one. Any part
of it can be computed alone, in constant memory, so an epoch starts at once, a run resumes
anywhere, and ranks that take turns see one common order. NumPy's own streams may change between
releases; this arithmetic is ours, and `ORDER_VERSION` changes if it ever does.

Two ways, by length:

* up to `SMALL` rows, positions are sorted by a keyed hash of theirs, which is uniform by
  construction;
* above, a Feistel network of `ROUNDS` rounds over the bits of n - 1 (Luby and Rackoff, 1988),
  with cycle walking for results that are n or more (Black and Rogaway, 2002): those are mapped
  again until they fall below n. The domain is less than twice n, so that takes two steps on
  average at worst.

The hash is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014) on 64-bit words. With g
its odd constant, position i is sorted by hash(i g + key). Round i of the network, from 1, XORs
one half with the last bits of hash(other half + hash(i g + key)): odd rounds the high half, even
ones the low half, which has the odd bit where the halves cannot be equal.
"""

import operator
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal, Protocol

import numpy as np

from dshub.errors import SettingsError

ORDER_VERSION = 1
SMALL = 4096
ROUNDS = 8

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def mix(words: np.ndarray) -> np.ndarray:
    """SplitMix64's finalizer of each uint64; a new array."""
    words = words ^ (words >> np.uint64(30))
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def key_of(seed: int, epoch: int) -> int:
    """A 64-bit key of a seed (any whole number) and an epoch."""
    return _key(operator.index(seed), operator.index(epoch))  # NumPy's own would overflow


@lru_cache(maxsize=256)  # every batch asks for its epoch's
def _key(seed: int, epoch: int) -> int:
    words = np.array([seed & _MASK, (epoch * _GOLDEN + 1) & _MASK], np.uint64)
    first, second = (int(word) for word in mix(words))
    return int(mix(np.array([first ^ ((second * _GOLDEN) & _MASK)], np.uint64))[0])


def permute(positions: np.ndarray, length: int, key: int) -> np.ndarray:
    """The rows at some positions of the order that `key` gives to `length` rows.

    Args:
        positions: int64, each from 0 to length - 1, any shape of one dimension.
        length: number of rows, below 2**62.
        key: 64 bits, as `key_of` makes them.

    Returns:
        int64 rows of the same shape; over all positions each row comes once.
    """
    if length <= SMALL:
        chosen: np.ndarray = _sorted_order(length, key)[positions]
        return chosen
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
    order: np.ndarray = np.argsort(mix(salted), kind="stable")
    return order


def _feistel(words: np.ndarray, bits: int, key: int) -> np.ndarray:
    """One pass of the network over words of `bits` bits; a new array."""
    high_bits = bits // 2
    low_bits = bits - high_bits
    keys = mix(np.arange(1, ROUNDS + 1, dtype=np.uint64) * np.uint64(_GOLDEN) + np.uint64(key))
    high, low = words >> np.uint64(low_bits), words & np.uint64((1 << low_bits) - 1)
    for i in range(0, ROUNDS, 2):
        high = high ^ (mix(low + keys[i]) & np.uint64((1 << high_bits) - 1))
        low = low ^ (mix(high + keys[i + 1]) & np.uint64((1 << low_bits) - 1))
    return (high << np.uint64(low_bits)) | low


_ODD = 0xD1342543DE82EF95  # of a full-period multiplicative generator (L'Ecuyer's tables)
_STEP = 1 << 20  # numbers that each consumer may draw for a row


@lru_cache(maxsize=256)  # every batch of an epoch asks for the same
def _salt(value: int) -> tuple[np.ndarray, np.ndarray]:
    salt = np.array([value], np.uint64)
    return salt, mix(salt)


@dataclass(frozen=True, eq=False)
class Draws:
    """What a transform draws from.

    Attributes:
        rows: int64 (rows,), the rows of a batch.
        key: of seed and epoch.
        stream: apart from other transforms' draws for the same rows.
    """

    rows: np.ndarray
    key: int
    stream: int = 0

    @classmethod
    def of(cls, rows: np.ndarray, seed: int, epoch: int) -> "Draws":
        """The draws of some rows in an epoch."""
        return cls(rows, key_of(seed ^ 0x5DEECE66D, epoch))

    def apart(self, number: int) -> "Draws":
        """Other draws for the same rows, apart from those of every other number."""
        return replace(self, stream=self.stream + _STEP * (number + 1))

    def bits(self, number: int = 0) -> np.ndarray:
        """uint64 (rows,): 64 random bits for each row; another `number`, others."""
        salt, mixed = _salt((self.key + (self.stream + number) * _ODD) & (2**64 - 1))
        words: np.ndarray = mix(mix(self.rows.astype(np.uint64) + mixed) ^ salt)
        return words

    def uniform(self, number: int = 0) -> np.ndarray:
        """float64 (rows,), at least 0 and below 1."""
        found: np.ndarray = (self.bits(number) >> np.uint64(11)) * (1.0 / (1 << 53))
        return found

    def integers(self, high: int, number: int = 0) -> np.ndarray:
        """int64 (rows,), from 0 to `high` - 1."""
        found: np.ndarray = (self.uniform(number) * high).astype(np.int64)
        return found

    def generator(self) -> np.random.Generator:
        """A NumPy generator for the batch as a whole: it depends on which rows are in it."""
        first = int(self.bits(0)[0]) if len(self.rows) else 0
        return np.random.default_rng([first, len(self.rows), self.stream])


Uneven = Literal["pad", "drop", "exact"]

_VARIABLES = (  # of torchrun and Accelerate, Open MPI, MPICH and Intel MPI, a Slurm step
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
)


@dataclass(frozen=True)
class Share:
    """The positions of one rank: rank, rank + world, and so on.

    Attributes:
        length: positions in an epoch, of all ranks together.
        rank, world: which of how many.
        uneven: what is done where `world` does not divide the length. `pad`: the first
            positions come again, so that all ranks have as many; `drop`: the last ones are left
            out; `exact`: the first ranks have one more.
    """

    length: int
    rank: int = 0
    world: int = 1
    uneven: Uneven = "pad"

    @property
    def total(self) -> int:
        """Positions that are handed out in an epoch."""
        return self._end(0)

    def _end(self, start: int) -> int:
        """Where the positions end that are handed out from one on.

        A walk that goes on from another number of ranks begins anywhere: what is left is shared,
        not the whole epoch, or some ranks would have a batch more than others that wait for them.
        """
        left = max(0, self.length - start)
        beyond = left % self.world
        if self.uneven == "exact" or not beyond:
            return start + left
        return start + left - beyond + (self.world if self.uneven == "pad" else 0)

    def count(self, start: int) -> int:
        """How many of the positions from `start` on are this rank's."""
        return max(0, -(-(self._end(start) - start - self.rank) // self.world))

    def positions(self, start: int, count: int) -> np.ndarray:
        """This rank's next `count` positions from `start`, int64."""
        first = start + self.rank
        found = np.arange(first, first + count * self.world, self.world, dtype=np.int64)
        return found % self.length if self.uneven == "pad" and self.length else found

    @property
    def counts(self) -> list[int]:
        """Rows of an epoch that each rank gets."""
        ranks = range(self.world)
        return [Share(self.length, rank, self.world, self.uneven).count(0) for rank in ranks]


def this_rank(environment: Mapping[str, str] | None = None) -> tuple[int, int]:
    """Rank and world of this process: of `torch.distributed` where it runs, or the environment.

    Raises:
        SettingsError: the environment says a rank that is none of its world.
    """
    torch = sys.modules.get("torch.distributed")
    if environment is None and torch is not None:
        running = torch.is_available() and torch.is_initialized()
        if running:
            return torch.get_rank(), torch.get_world_size()
    found = os.environ if environment is None else environment
    for rank, world in _VARIABLES:
        if all(re.fullmatch("[0-9]{1,9}", found.get(name, "")) for name in (rank, world)):
            return _of_world(rank, int(found[rank]), world, int(found[world]))
    return 0, 1


def _of_world(name: str, rank: int, of: str, world: int) -> tuple[int, int]:
    if rank < max(1, world):
        return rank, max(1, world)
    expected = f"below {of}, which is {world}; or give `rank` and `world`"
    raise SettingsError(name=name, value=rank, expected=expected)


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
