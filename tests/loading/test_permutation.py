from itertools import permutations, product
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub.loading.order import key_of, permute

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15

lengths = st.integers(1, 5000) | st.integers(5001, 300_000)
keys = st.integers(0, MASK)


def order(length: int, key: int) -> np.ndarray:
    return permute(np.arange(length), length, key)


# Reference implementation of the documented order with Python integers


def finalizer(word: int) -> int:
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & MASK
    word = (word ^ word >> 27) * 0x94D049BB133111EB & MASK
    return word ^ word >> 31


def reference_key(seed: int, epoch: int) -> int:
    first = finalizer(seed % 2**64)
    second = finalizer((epoch * GOLDEN + 1) % 2**64)
    return finalizer(first ^ (second * GOLDEN) % 2**64)


def reference_row(position: int, length: int, key: int) -> int:
    if length <= 4096:
        hashes = [finalizer((i * GOLDEN + key) % 2**64) for i in range(length)]
        return sorted(range(length), key=hashes.__getitem__)[position]
    bits = (length - 1).bit_length()
    low_bits = (bits + 1) // 2
    row = length
    while row >= length:
        high, low = divmod(position, 2**low_bits)
        for turn in range(8):
            own = finalizer((key + (turn + 1) * GOLDEN) % 2**64)
            if turn % 2:
                low ^= finalizer((high + own) % 2**64) % 2**low_bits
            else:
                high ^= finalizer((low + own) % 2**64) % 2 ** (bits - low_bits)
        row = position = high * 2**low_bits + low
    return row


def test_reference_hash_is_splitmix64() -> None:
    outputs = [finalizer((1234567 + i * GOLDEN) & MASK) for i in range(1, 4)]
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(st.integers(-(2**70), 2**70), st.integers(0, 2**40))
def test_keys_match_the_description(seed: int, epoch: int) -> None:
    """The seed can be any Python integer."""
    assert key_of(seed, epoch) == reference_key(seed, epoch)


@pytest.mark.parametrize("length", [1, 2, 3, 100, 4095, 4096, 4097, 8192, 8193, 60_000, 2**33 + 7])
def test_rows_match_the_description(length: int) -> None:
    """The order is part of the public behavior, so no release can change it."""
    positions = sorted({0, 1 % length, length // 3, length // 2, length - 1})
    for key in (0, 1, MASK, reference_key(seed=3, epoch=5)):
        expected = [reference_row(position, length, key) for position in positions]
        assert permute(np.array(positions), length, key).tolist() == expected


def test_seed_can_be_a_numpy_integer() -> None:
    assert key_of(np.int64(-5), np.uint8(3)) == key_of(-5, 3)  # type: ignore[arg-type]


# The order is a permutation


@pytest.mark.slow
def test_every_small_length_is_a_permutation() -> None:
    for length in range(10_001):
        counts = np.bincount(order(length, key=length * GOLDEN & MASK), minlength=length)
        assert len(counts) == length, length
        assert (counts == 1).all(), length


@given(lengths, keys)
def test_any_length_is_a_permutation(length: int, key: int) -> None:
    assert np.array_equal(np.sort(order(length, key)), np.arange(length))


@pytest.mark.parametrize("length", [2**20, 2**20 + 1, 2_000_003])
def test_lengths_around_powers_of_two_are_permutations(length: int) -> None:
    assert np.array_equal(np.sort(order(length, key_of(1, 2))), np.arange(length))


@given(lengths, keys, st.data())
def test_rows_of_some_positions_match_the_complete_order(
    length: int, key: int, data: st.DataObject
) -> None:
    """Positions can be computed alone, in any order, and repeatedly."""
    some = data.draw(st.lists(st.integers(0, length - 1), max_size=30))
    positions = np.array(some, np.int64)
    assert np.array_equal(permute(positions, length, key), order(length, key)[positions])


@pytest.mark.parametrize("length", [2**32 + 1, 10**12, 2**61 + 12345])
def test_rows_beyond_32_bits_are_distinct_and_spread_out(length: int) -> None:
    positions = np.concatenate([np.arange(5000), np.arange(length - 5000, length)])
    rows = permute(positions, length, key_of(7, 0))
    assert len(np.unique(rows)) == len(rows)
    counts, _ = np.histogram(rows.astype(float), bins=10, range=(0, float(length)))
    assert 0 <= rows.min() <= rows.max() < length
    assert counts.min() > 800


@pytest.mark.parametrize("length", [10, 4096, 5000])
def test_each_seed_and_epoch_has_its_own_order(length: int) -> None:
    orders = {order(length, key_of(s, e)).tobytes() for s, e in product(range(20), repeat=2)}
    assert len(orders) == 400
    assert np.arange(length).tobytes() not in orders


# Uniformity: Pearson's chi-square, within five standard deviations of its mean


def assert_plausible(observed: np.ndarray, expected: float, freedom: int) -> None:
    statistic = float(((observed - expected) ** 2 / expected).sum())
    assert abs(statistic - freedom) < 5 * sqrt(2 * freedom)


@pytest.mark.parametrize("length", [2, 3, 4, 5])
def test_all_orders_of_few_rows_are_equally_frequent(length: int) -> None:
    every = {rows: i for i, rows in enumerate(permutations(range(length)))}
    which = [every[tuple(order(length, key_of(0, epoch)).tolist())] for epoch in range(12_000)]
    observed = np.bincount(which, minlength=len(every))
    assert_plausible(observed, 12_000 / len(every), len(every) - 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("length", "buckets", "count"),
    [
        (7, 7, 5000),
        (16, 16, 5000),
        (100, 20, 2000),
        (4096, 64, 100),
        (4097, 64, 300),
        (5000, 50, 300),
        (60_000, 100, 50),
        (65_536, 64, 50),
        (65_537, 61, 50),
    ],
)
@pytest.mark.parametrize("vary", ["seed", "epoch"])
def test_rows_are_uniform_over_positions(length: int, buckets: int, count: int, vary: str) -> None:
    bucket = np.arange(length) * buckets // length
    sizes = np.bincount(bucket)
    observed = np.zeros((buckets, buckets))
    for i in range(count):
        key = key_of(i, 3) if vary == "seed" else key_of(3, i)
        np.add.at(observed, (bucket, bucket[order(length, key)]), 1)
    expected = np.outer(sizes, sizes) * (count / length)
    freedom = (buckets - 1) ** 2
    statistic = float(((observed - expected) ** 2 / expected).sum()) * (length - 1) / length
    assert abs(statistic - freedom) < 5 * sqrt(2 * freedom)


@pytest.mark.parametrize("length", [4096, 4097, 60_000])
def test_distances_between_neighbors_are_uniform(length: int) -> None:
    """All distances between rows at adjacent positions are equally likely."""
    distances = [
        np.diff(order(length, key_of(seed, 0))) % length * 32 // length for seed in range(30)
    ]
    observed = np.bincount(np.concatenate(distances), minlength=32)
    edges = -(-np.arange(33) * length // 32)  # distance 0 is impossible
    sizes = np.diff(edges) - (np.arange(32) == 0)
    expected = observed.sum() * sizes / sizes.sum()
    statistic = float(((observed - expected) ** 2 / expected).sum())
    assert abs(statistic - 31) < 5 * sqrt(62)
