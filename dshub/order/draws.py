"""Random numbers of rows: the same for a row whatever the batch, thread or rank.

A number is SplitMix64's finalizer of (key of seed and epoch, row, stream): 53 of its bits make a
float64 in [0, 1).
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from dshub.order.permutation import key_of, mix

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
