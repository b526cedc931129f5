"""Raw random bits of NumPy's Philox generator, which releases keep.

Its distributions, which they may change, are not used.
"""

import hashlib

import numpy as np


def bits(count: int, seed: int, *words: str) -> np.ndarray:
    """`count` random uint64 that belong to a seed and some words."""
    key = int.from_bytes(hashlib.sha256(" ".join(words).encode()).digest()[:8], "big")
    generator = np.random.Philox(key=np.array([seed, key], np.uint64))
    raw: np.ndarray = generator.random_raw(count)
    return raw
