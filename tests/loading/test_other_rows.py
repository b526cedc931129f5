"""Test that a loader refuses the state of other rows, and accepts that of the same rows."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import NumberFeature
from dshub.errors import StateError

DATASET = Dataset.from_arrays({"x": np.arange(40), "text": [f"row {i}" for i in range(40)]})


def accepts(first: Any, second: Any) -> bool:
    """Return whether a loader of `second` loads the state of a loader of `first`."""
    loader = first.batches(3)
    next(iter(loader))
    try:
        second.batches(3).load_state_dict(loader.state_dict())
    except StateError:
        return False
    return True


def test_the_refusal_says_what_to_do() -> None:
    state = DATASET.take(9).batches(3).state_dict()
    with pytest.raises(StateError, match="belongs to other rows: it has data '") as caught:
        DATASET.select(range(9, 18)).batches(3).load_state_dict(state)
    assert "remove `data`" in caught.value.hint


@pytest.mark.parametrize(
    "other",
    [
        lambda ds: ds.filter(lambda batch: batch["x"] >= 20),
        lambda ds: ds.select(np.arange(20, 40)),
        lambda ds: ds.select(range(0, 40, 2)),
        lambda ds: ds.take(20).shuffle(seed=1),
        lambda ds: ds.take(20).sort("x", reverse=True),
        lambda ds: Dataset.from_arrays({"x": np.arange(len(ds) // 2) + 1, "text": ["a"] * 20}),
        lambda ds: Dataset.concat([ds.take(19), ds.take(1)]),
        lambda ds: ds.map(lambda row: {"y": row["x"]}).select(range(20, 40)),
    ],
    ids=["filter", "select", "step", "shuffle", "sort", "arrays", "concat", "map"],
)
def test_states_of_as_many_other_rows_are_refused(other: Callable[[Dataset], Dataset]) -> None:
    assert not accepts(DATASET.take(20), other(DATASET))
    assert accepts(other(DATASET), other(DATASET))


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: ds.map(lambda row: {"y": row["x"] * 2}),
        lambda ds: ds.columns(["text"]),
        lambda ds: ds.rename({"x": "number"}),
        lambda ds: ds.cast({"x": NumberFeature(dtype="float64")}),
        lambda ds: ds.with_column("y", np.zeros(20)),
        lambda ds: ds.decode(on=False),
    ],
    ids=["map", "columns", "rename", "cast", "with_column", "decode"],
)
def test_other_columns_of_the_same_rows_are_accepted(change: Callable[[Dataset], Dataset]) -> None:
    selected = DATASET.filter(lambda batch: batch["x"] % 2 == 1)
    assert accepts(selected, change(selected))
    assert accepts(change(selected), selected)


def test_equal_selections_are_the_same_rows() -> None:
    rows = DATASET.take(20)
    assert accepts(rows, DATASET.select(list(range(20))))
    assert accepts(rows, DATASET.filter(lambda batch: batch["x"] < 20))
    assert accepts(DATASET.select(range(1, 40, 2)), DATASET.select(np.arange(1, 40, 2)))
    assert accepts(DATASET, DATASET.select(np.arange(40)))


def test_cached_and_saved_rows_are_the_same_rows(tmp_path: Path) -> None:
    """A run can go on after its preprocessing was cached, or its rows were saved elsewhere."""
    odd = DATASET.select(np.arange(1, 40, 2)).map(lambda row: {"y": row["x"] * 2})
    cached = odd.cache("odd", folder=tmp_path / "cache")
    assert accepts(odd, cached)
    odd.save(tmp_path / "odd")
    shutil.move(tmp_path / "odd", tmp_path / "moved")
    assert accepts(cached, Dataset.open(tmp_path / "moved"))
    even = DATASET.select(np.arange(0, 40, 2)).map(lambda row: {"y": row["x"] * 2})
    assert not accepts(cached, even.cache("even", folder=tmp_path / "cache"))


def test_folders_are_compared_by_file_names(tmp_path: Path) -> None:
    first = tmp_path / "first"
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        (first / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(first / name)
    copied = tmp_path / "copied"
    shutil.copytree(first, copied, copy_function=shutil.copy)  # with other times
    os.utime(copied / "a" / "1.png", (time.time() - 99,) * 2)
    before = Dataset.from_folder(first)
    assert accepts(before, Dataset.from_folder(copied))
    (copied / "a" / "2.png").rename(copied / "a" / "3.png")
    assert not accepts(before, Dataset.from_folder(copied))


def test_mixtures_are_compared_by_their_parts() -> None:
    first, second = DATASET.take(20), DATASET.select(range(20, 40))
    assert accepts(Dataset.mix([first, second]), Dataset.mix([first, second]))
    assert not accepts(Dataset.mix([first, second]), Dataset.mix([second, first]))


def test_older_states_have_no_data() -> None:
    loader = DATASET.batches(4)
    state = {name: value for name, value in loader.state_dict().items() if name != "data"}
    loader.load_state_dict(state | {"position": 8})
    assert loader.state_dict()["position"] == 8


def test_large_selections_are_hashed_quickly() -> None:
    """The hash of 4 million rows takes milliseconds, and only once."""
    rows = np.random.default_rng(0).permutation(4_000_000)
    loader = Dataset.from_arrays({"x": np.arange(4_000_000)}).select(rows).batches(64)
    began = time.process_time()
    first = loader.state_dict()
    assert time.process_time() - began < 1
    began = time.process_time()
    assert all(loader.state_dict() == first for _ in range(100))
    assert time.process_time() - began < 0.1
