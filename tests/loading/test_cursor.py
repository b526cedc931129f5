import json
import pickle
import threading
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub.errors import ArgumentError, FunctionError, StateError
from dshub.loading.loader import Loader, cursor_of
from dshub.loading.order import InOrder
from dshub.loading.transforms.transform import Batch
from tests.loading.examples import DATASET, ROWS


def take(loader: Loader, steps: int) -> list[list[int]]:
    """Return the ids of the next `steps` batches, across epochs."""
    batches: list[list[int]] = []
    while len(batches) < steps:
        for batch in loader:
            batches.append(batch["id"].tolist())
            if len(batches) == steps:
                break
    return batches


@given(
    worlds=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    steps=st.integers(1, 3),
    shuffle=st.sampled_from([True, False, "blocks"]),
    threads=st.integers(0, 2),
)
def test_state_resumes_with_other_ranks_and_batch_size(
    worlds: tuple[int, int], sizes: tuple[int, int], steps: int, shuffle: Any, threads: int
) -> None:
    """All ranks follow one order, and a state from any rank is valid for all of them."""
    options = {"shuffle": shuffle, "seed": 3, "uneven": "exact", "threads": threads}
    data = DATASET.columns(["id"])
    single = data.batches(1, **options)
    complete, following = ([i for batch in single for i in batch["id"]] for _ in range(2))
    before = [data.batches(sizes[0], rank=r, world=worlds[0], **options) for r in range(worlds[0])]
    taken = [take(loader, steps) for loader in before]
    state = json.loads(json.dumps(before[0].state_dict()))
    seen: list[int] = []
    for step in range(steps):  # interleave the ranks to restore the order of positions
        rows = [part[step] for part in taken]
        seen += [rows[i % worlds[0]][i // worlds[0]] for i in range(sum(map(len, rows)))]
    after = [data.batches(sizes[1], rank=r, world=worlds[1], **options) for r in range(worlds[1])]
    remainders: list[list[int]] = []
    for loader in after:
        loader.load_state_dict(state)
        remainders.append([i for batch in loader for i in batch["id"].tolist()])
    together = [remainders[i % worlds[1]][i // worlds[1]] for i in range(sum(map(len, remainders)))]
    assert seen + together == complete + (following if state["epoch"] else [])


def test_every_rank_has_the_same_number_of_batches() -> None:
    for uneven, rows in (("pad", 104), ("drop", 100)):
        loaders = [DATASET.batches(6, rank=r, world=4, uneven=uneven) for r in range(4)]  # type: ignore[call-overload]
        assert len({len(loader) for loader in loaders}) == 1
        assert loaders[0].share.counts == [rows // 4] * 4
        counts = Counter(i for loader in loaders for batch in loader for i in batch["id"].tolist())
        assert sum(counts.values()) == rows


@pytest.mark.parametrize("uneven", ["pad", "drop"])
@pytest.mark.parametrize("position", [1, 5, 7, 50, 99, 101])
def test_ranks_get_equal_batches_after_a_state_from_another_world_size(
    uneven: Any, position: int
) -> None:
    data = DATASET.columns(["id"])
    before = data.batches(1, shuffle=True)
    order = [row for batch in take(before, ROWS) for row in batch]
    state = data.batches(1, shuffle=True).state_dict() | {"position": position}
    for world in (2, 3, 4):
        loaders = [
            data.batches(2, shuffle=True, rank=r, world=world, uneven=uneven) for r in range(world)
        ]
        for loader in loaders:
            loader.load_state_dict(state)
        rows = [[batch["id"].tolist() for batch in loader] for loader in loaders]
        assert len({tuple(map(len, batches)) for batches in rows}) == 1
        flat = [[row for batch in batches for row in batch] for batches in rows]
        seen = [row for turn in zip(*flat, strict=True) for row in turn]
        left = ROWS - position
        expected = -(-left // world) * world if uneven == "pad" else left // world * world
        assert seen == (order + order)[position:][:expected]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_error_of_a_transform_is_raised_in_place_of_its_batch(threads: int) -> None:
    """Earlier batches arrive first, and the exception of the transform is the cause."""

    def fail(batch: Batch) -> Batch:
        if 50 in batch["id"]:
            raise RuntimeError("no fifty")
        return batch

    seen = []
    with pytest.raises(FunctionError, match="no fifty") as caught:
        for batch in DATASET.batches(10, transform=fail, threads=threads):
            seen.append(int(batch["id"][0]))  # noqa: PERF401  # the loop raises before it ends
    assert seen == [0, 10, 20, 30, 40]
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_break_ends_the_threads() -> None:
    before = threading.active_count()
    for _ in range(5):
        for _ in DATASET.batches(10, threads=3):
            break
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_prefetch_limit_bounds_the_prepared_batches() -> None:
    calls = []

    def note(batch: Batch) -> Batch:
        calls.append(1)
        return batch

    size = 10 * 64 * 64 * 3
    walk = iter(DATASET.batches(10, transform=note, threads=4, prefetch=2 * size))
    next(walk)
    next(walk)
    time.sleep(0.3)
    assert len(calls) <= 5


def test_pickled_loader_keeps_its_position() -> None:
    loader = DATASET.columns(["id"]).batches(10, shuffle=True)
    take(loader, 3)
    copy = pickle.loads(pickle.dumps(loader))
    assert copy.state_dict() == loader.state_dict()


def test_bucketed_batches_have_rows_of_similar_length() -> None:
    data = DATASET.columns(["id", "text"])
    loader = data.batches(8, shuffle=True, bucket="text")
    epochs = []
    for _ in range(2):
        batches = list(loader)
        assert sorted(i for batch in batches for i in batch["id"].tolist()) == list(range(ROWS))
        spread = [max(map(len, b["text"])) - min(map(len, b["text"])) for b in batches]
        plain = [max(map(len, b["text"])) - min(map(len, b["text"])) for b in data.batches(8)]
        assert np.mean(spread) < np.mean(plain) / 3
        epochs.append([batch["id"].tolist() for batch in batches])
    assert epochs[0] != epochs[1]


def test_bucketed_state_needs_the_same_batch_size() -> None:
    """The rows of a batch depend on the batch size."""
    data = DATASET.columns(["id", "text"])
    first = data.batches(8, shuffle=True, bucket="text")
    before = take(first, 4)
    second = data.batches(8, shuffle=True, bucket="text")
    second.load_state_dict(first.state_dict())
    complete = take(data.batches(8, shuffle=True, bucket="text"), len(first))
    assert before + [batch["id"].tolist() for batch in second] == complete
    with pytest.raises(StateError, match="size 8, but the loader has 9"):
        data.batches(9, shuffle=True, bucket="text").load_state_dict(first.state_dict())


def test_weights_draw_rows_with_replacement() -> None:
    """An epoch has as many rows as the dataset."""
    weights = np.zeros(ROWS)
    weights[[3, 7]] = 1, 3
    counts = Counter(
        i for batch in DATASET.batches(10, weights=weights) for i in batch["id"].tolist()
    )
    assert set(counts) == {3, 7}
    assert sum(counts.values()) == ROWS
    assert counts[7] > counts[3]


def test_fingerprint_depends_on_options() -> None:
    base: dict[str, Any] = {"size": 8, "shuffle": True}
    same = {DATASET.batches(**base).fingerprint for _ in range(2)}
    assert len(same) == 1
    changes: list[dict[str, Any]] = [
        {"size": 9},
        {"shuffle": False},
        {"shuffle": "blocks"},
        {"seed": 1},
        {"drop_last": True},
        {"layout": "chw"},
        {"rank": 0, "world": 2},
        {"bucket": "text"},
    ]
    prints = {DATASET.batches(**(base | change)).fingerprint for change in changes}
    assert len(prints | same) == len(changes) + 1
    assert DATASET.batches(8, shuffle=True, threads=0).fingerprint in same


def test_order_of_a_billion_rows_starts_at_once() -> None:
    from dshub.loading.order import Blocks, Shuffled

    for order in (Shuffled(10**9, 0), Blocks(10**9, 0), InOrder(10**9)):
        rows = order.rows(np.arange(10**9 - 512, 10**9), 3)
        assert len(np.unique(rows)) == 512
        assert 0 <= rows.min() <= rows.max() < 10**9


def test_state_after_counts_used_batches() -> None:
    loader = DATASET.columns(["id"]).batches(10, shuffle=True)
    complete = take(loader, 3 * len(loader))
    for epoch in (0, 1):
        other = DATASET.columns(["id"]).batches(10, shuffle=True)
        other.epoch = epoch
        list(other)  # exhausts the epoch, so that the loader counts the next one
        for used in (0, 4, len(other)):
            again = DATASET.columns(["id"]).batches(10, shuffle=True)
            again.load_state_dict(other.state_after(used))
            assert take(again, 3) == complete[epoch * len(loader) + used :][:3]


@pytest.mark.parametrize("batches", [-1, 1.5, "1", None])
def test_invalid_number_of_batches_is_rejected(batches: Any) -> None:
    loader = DATASET.batches(10)
    for method in (cursor_of(loader).place, loader.state_after):
        with pytest.raises(ArgumentError, match=r"batches is .* a whole number of at least 0"):
            method(batches)


def test_iterating_after_a_break_restarts_at_the_loaded_position() -> None:
    """Keras takes the first batch to inspect it before training."""
    loader = DATASET.columns(["id"]).batches(10, shuffle=True)
    complete = take(loader, 2 * len(loader))
    resumed = DATASET.columns(["id"]).batches(10, shuffle=True)
    resumed.load_state_dict(resumed.state_after(4))
    next(iter(resumed))
    assert take(resumed, 10) == complete[4:14]
