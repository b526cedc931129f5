"""Test datasets that share the memory map of their tables and pickle without rows."""

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset, Hub

View = Callable[[Dataset], Dataset]

VIEWS: dict[str, View] = {
    "whole": lambda ds: ds,
    "slice": lambda ds: ds.skip(3).take(20),
    "shuffled": lambda ds: ds.shuffle(4),
    "shuffled and sharded": lambda ds: ds.shuffle(4).shard(1, 3),
    "shuffled twice": lambda ds: ds.shuffle(1).skip(2).shuffle(2).columns(["text", "label"]),
    "selected": lambda ds: ds.select([5, 3, 3, 39]),
}
views = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())


def plain(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in row.items()}


def test_column_is_a_read_only_view_of_the_memory_map(hub: Hub) -> None:
    dataset = hub.load("mnist", "train", synthetic=30)
    column = dataset["image"]
    assert isinstance(column, np.ndarray)
    for other in (dataset["image"], dataset.skip(2)["image"], dataset[5:9]["image"]):
        assert isinstance(other, np.ndarray)
        assert np.shares_memory(column, other)
        assert not other.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/maps")
def test_column_memory_is_the_mapped_file(hub: Hub) -> None:
    """Processes share the pages of the table's file."""
    column = hub.load("mnist", "train", synthetic=30)["image"]
    assert isinstance(column, np.ndarray)
    maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    ranges = [line[0].split("-") for line in maps if line[-1].endswith(".arrow")]
    first, last = column.ctypes.data, column.ctypes.data + column.nbytes
    assert any(int(start, 16) <= first < last <= int(end, 16) for start, end in ranges)


def test_selected_rows_are_new_arrays(hub: Hub) -> None:
    """Rows and selections can be modified without changing the column."""
    dataset = hub.load("mnist", "train", synthetic=30)
    column = dataset["image"]
    assert isinstance(column, np.ndarray)
    before = column.copy()
    dataset[3]["image"][:] = 0
    dataset[[3, 4]]["image"][:] = 0
    assert np.array_equal(column, before)


@views
def test_pickle_is_small_and_gives_the_same_rows(prepared: Any, view: View) -> None:
    """Cached properties do not become part of the pickle."""
    dataset = view(prepared.dataset())
    before = [plain(row) for row in dataset]
    cached = (dataset.features, dataset.fingerprint, dataset.supervised)
    data = pickle.dumps(dataset)
    assert len(data) < 1000
    unpickled = pickle.loads(data)
    assert [plain(row) for row in unpickled] == before
    assert (unpickled.features, unpickled.fingerprint, unpickled.supervised) == cached


def test_pickle_does_not_grow_with_the_manifest(hub: Hub) -> None:
    dataset = hub.load("emnist/byclass", "train", synthetic=70)
    before = len(pickle.dumps(dataset))
    assert len(dataset.fingerprint) + len(dataset.features) + len(list(dataset)) == 64 + 2 + 70
    assert len(pickle.dumps(dataset)) == before < 1000


def test_pickle_opens_in_another_process(prepared: Any, tmp_path: Path) -> None:
    dataset = prepared.dataset().shuffle(3).shard(0, 4)
    (tmp_path / "pickle").write_bytes(pickle.dumps(dataset))
    code = "import sys, pickle, json; print(json.dumps(pickle.load(sys.stdin.buffer)['text']))"
    with (tmp_path / "pickle").open("rb") as file:
        answer = subprocess.run(
            [sys.executable, "-c", code], stdin=file, capture_output=True, check=True
        )
    assert json.loads(answer.stdout) == dataset["text"]


@views
def test_equal_views_have_equal_fingerprints(prepared: Any, view: View, tmp_path: Path) -> None:
    moved = shutil.copytree(prepared.folders["train"], tmp_path / "moved")
    first = view(prepared.dataset()).fingerprint
    assert view(prepared.dataset()).fingerprint == first
    assert view(Dataset.from_tables([moved])).fingerprint == first


def test_different_views_have_different_fingerprints(prepared: Any) -> None:
    dataset = prepared.dataset()
    several = [
        *(view(dataset) for view in VIEWS.values()),
        dataset.take(39),
        dataset.skip(1),
        dataset.shard(0, 2),
        dataset.shuffle(5),
        dataset.shuffle(4).take(39),
        dataset.select([3, 5, 3, 39]),
        dataset.columns(["label"]),
        dataset.columns(["text", "label"]),
        prepared.dataset("test"),
        prepared.dataset("train", "test"),
        prepared.dataset("test", "train"),
    ]
    assert len({dataset.fingerprint for dataset in several}) == len(several)


def test_fingerprint_of_arrays_depends_on_the_values() -> None:
    """A change of a value, dtype, shape, name or text changes the fingerprint."""
    base = np.arange(6)
    changed = base.copy()
    changed[5] = 7
    columns: list[dict[str, Any]] = [
        {"a": base},
        {"a": changed},
        {"a": base.astype(np.int32)},
        {"a": base.reshape(3, 2)},
        {"b": base},
        {"a": ["0", "1"]},
        {"a": ["01"]},
    ]
    prints = [Dataset.from_arrays(each).fingerprint for each in columns]
    assert len(set(prints)) == len(prints)
    assert Dataset.from_arrays({"a": base.copy()}).fingerprint == prints[0]


def test_repr_names_dataset_rows_and_columns(hub: Hub) -> None:
    text = repr(hub.load("mnist", "train", synthetic=30))
    for word in ("mnist", "synthetic", "30 rows", "image", "label"):
        assert word in text
    text = repr(Dataset.from_arrays({"n": np.arange(1200)}))
    for word in ("own data", "1,200 rows", "of n"):
        assert word in text
    assert "synthetic" not in text
