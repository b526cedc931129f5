"""Shuffling without a shuffled list: a keyed permutation, computed where it is asked for.

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
from functools import lru_cache

import numpy as np

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
