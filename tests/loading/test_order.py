from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub.loading.order import (
    Blocks,
    Draws,
    InOrder,
    Mixed,
    Order,
    Share,
    Shuffled,
    Weighted,
)


def epoch_rows(order: Order, epoch: int = 0) -> np.ndarray:
    """Return the rows of an epoch in order of position."""
    return order.rows(np.arange(order.length), epoch)


@pytest.mark.parametrize("length", [0, 1, 2, 5, 7, 20, 63, 64, 65, 1000])
@pytest.mark.parametrize("block", [1, 4, 7, 64])
@pytest.mark.parametrize("window", [1, 3, 16])
def test_blocks_give_every_row_once(length: int, block: int, window: int) -> None:
    order = Blocks(length, seed=5, block=block, window=window)
    for epoch in (0, 1, 7):
        assert sorted(epoch_rows(order, epoch)) == list(range(length))


def test_blocks_keep_neighbors_together() -> None:
    order = Blocks(10_000, seed=1, block=100, window=8)
    rows = epoch_rows(order, 3)
    for start in range(0, 10_000, 800):
        touched = np.unique(((rows[start : start + 800] - rows[0]) % 10_000) // 100)
        assert len(touched) <= 2 * 8 + 2  # each block of the window can overlap two of these ranges


def test_rows_of_a_block_stay_within_documented_distance() -> None:
    """Most neighbors on disk are at most `block * window` positions apart."""
    order = Blocks(9_973, seed=2, block=50, window=4)
    position = np.argsort(epoch_rows(order))
    distances = np.abs(np.diff(position))
    # rows at the borders of blocks can move farther apart
    assert np.mean(distances <= 50 * 4) > 0.97


def test_blocks_differ_by_epoch_and_are_mixed() -> None:
    """Few consecutive rows are also neighbors on disk."""
    order = Blocks(10_000, seed=3, block=100, window=10)
    first, second = epoch_rows(order, 0), epoch_rows(order, 1)
    assert np.mean(first == second) < 0.01
    assert np.mean(np.diff(first) == 1) < 0.01


@given(
    length=st.integers(1, 3000),
    start=st.integers(0, 3000),
    count=st.integers(0, 500),
    kind=st.sampled_from(["order", "shuffled", "blocks", "weighted", "mixed"]),
)
def test_any_part_of_an_order_can_be_computed_alone(
    length: int, start: int, count: int, kind: str
) -> None:
    orders: dict[str, Order] = {
        "order": InOrder(length),
        "shuffled": Shuffled(length, 4),
        "blocks": Blocks(length, 4, block=16, window=4),
        "weighted": Weighted(np.arange(length) + 1.0, 4, length),
        "mixed": Mixed((length, 7), (0.3, 0.7), 4, length),
    }
    order = orders[kind]
    positions = np.arange(min(start, length), min(start + count, length))
    np.testing.assert_array_equal(order.rows(positions, 2), epoch_rows(order, 2)[positions])


def test_rows_are_drawn_in_proportion_to_weights() -> None:
    """A chi-square test on 100,000 draws; rows of weight 0 are never drawn."""
    weights = np.array([0, 1, 2, 3, 4, 0.0])
    rows = Weighted(weights, seed=6, length=100_000).rows(np.arange(100_000), 0)
    counts = np.bincount(rows, minlength=6)
    assert counts[0] == counts[5] == 0
    expected = weights[1:5] / 10 * 100_000
    statistic = ((counts[1:5] - expected) ** 2 / expected).sum()
    assert statistic < 16.3  # 0.1% level with 3 degrees of freedom


def test_mixture_has_exact_shares_and_uses_rows_evenly() -> None:
    order = Mixed((100, 5000, 10), (0.25, 0.5, 0.25), seed=1, length=4096)
    for epoch in range(3):
        rows = epoch_rows(order, epoch)
        for start in range(0, 4096, 1024):
            part = rows[start : start + 1024]
            shares = [(part < 100).sum(), ((part >= 100) & (part < 5100)).sum()]
            assert shares == [256, 512]
    rows = np.concatenate([epoch_rows(order, epoch) for epoch in range(2)])
    large = rows[(rows >= 100) & (rows < 5100)]
    assert len(np.unique(large)) == len(large) == 4096
    small = Counter(rows[rows < 100].tolist())
    assert max(small.values()) - min(small.values()) <= 1


@given(
    length=st.integers(0, 200),
    world=st.integers(1, 9),
    uneven=st.sampled_from(["pad", "drop", "exact"]),
)
def test_ranks_share_an_epoch(length: int, world: int, uneven: str) -> None:
    """`uneven` determines how often the ranks together get each position."""
    shares = [Share(length, rank, world, uneven) for rank in range(world)]  # type: ignore[arg-type]
    parts = [share.positions(0, share.count(0)).tolist() for share in shares]
    assert [len(part) for part in parts] == shares[0].counts
    seen = Counter(position for part in parts for position in part)
    if uneven == "exact":
        assert seen == Counter(range(length))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    elif uneven == "drop":
        assert set(seen.values()) <= {1}
        assert len(seen) == length // world * world
        assert len({len(part) for part in parts}) == 1
    else:
        assert set(seen) == set(range(length))
        assert len({len(part) for part in parts}) == 1
        assert sum(seen.values()) - length < world


@given(length=st.integers(1, 100), world=st.integers(1, 5), start=st.integers(0, 100))
def test_share_from_a_position_is_the_remainder(length: int, world: int, start: int) -> None:
    start -= start % world
    for rank in range(world):
        share = Share(length, rank, world, "exact")
        remainder = share.positions(start, share.count(start)).tolist()
        assert remainder == [p for p in range(rank, length, world) if p >= start]


def test_draws_depend_on_the_row_alone() -> None:
    rows = np.array([5, 900, 3, 10**12])
    draws = Draws.of(rows, seed=1, epoch=2)
    alone = np.concatenate([Draws.of(rows[i : i + 1], 1, 2).uniform() for i in range(4)])
    np.testing.assert_array_equal(draws.uniform(), alone)
    others = [
        Draws.of(rows, 2, 2).uniform(),
        Draws.of(rows, 1, 3).uniform(),
        draws.uniform(1),
        draws.apart(0).uniform(),
        draws.apart(1).uniform(),
    ]
    assert len({tuple(draw) for draw in [draws.uniform(), *others]}) == 6


def test_draws_are_uniform_and_independent() -> None:
    draws = Draws.of(np.arange(64_000), seed=0, epoch=0)
    first, second = draws.uniform(0), draws.uniform(1)
    for numbers in (first, second, draws.apart(3).uniform()):
        counts = np.histogram(numbers, 64, (0, 1))[0]
        assert ((counts - 1000) ** 2 / 1000).sum() < 105  # 0.1% level with 63 degrees of freedom
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.015
    assert set(draws.integers(7).tolist()) == set(range(7))
