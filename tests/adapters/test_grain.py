import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.loading.loader import Loader
from dshub.testing.adapters import AdapterTests, assert_same, example, varied

grain = pytest.importorskip("grain")


class TestGrain(AdapterTests):
    name = "grain"

    def to_numpy(self, value: Any) -> Any:
        return value

    def next_step(self, dataset: Dataset) -> list[dict[str, Any]]:
        rows = grain.MapDataset.source(dataset.to("grain")).map(dict).batch(8, batch_fn=list)
        return [row for batch in rows.to_iter_dataset() for row in batch]

    def steps_of(self, loader: Loader, count: int) -> tuple[list[Any], Mapping[str, Any]]:
        walk = loader.to("grain").repeat()
        return [walk[i] for i in range(count)], loader.state_after(count)


def test_grain_shuffles_maps_and_batches_rows() -> None:
    dataset = example()
    rows = grain.MapDataset.source(dataset.to("grain")).shuffle(seed=1)
    shuffled = list(rows.to_iter_dataset())
    assert sorted(row["text"] for row in shuffled) == sorted(dataset["text"])
    originals = {row["text"]: row for row in dataset}
    for row in shuffled:
        assert_same(row["image"], originals[row["text"]]["image"])
        assert row["label"] == originals[row["text"]]["label"]
    numbers = dataset.columns(["image", "label"]).to("grain")
    batch = grain.MapDataset.source(numbers).batch(8)[1]
    assert np.array_equal(batch["image"], dataset[8:16]["image"])


def test_grain_data_loader_reads_rows() -> None:
    source = example().columns(["image", "label"]).to("grain")
    sampler = grain.samplers.IndexSampler(
        len(source), shuffle=True, seed=3, num_epochs=1, shard_options=grain.sharding.NoSharding()
    )
    loader = grain.DataLoader(data_source=source, sampler=sampler, worker_count=0)
    assert sum(int(row["label"]) for row in loader) == sum(np.asarray(example()["label"]).tolist())


def test_several_rows_are_read_at_once() -> None:
    for dataset in (example(), varied()):
        source = dataset.to("grain")
        for one, other in zip(source._getitems([3, 50, 3]), [3, 50, 3], strict=True):
            expected = dataset[other]
            assert list(one) == list(expected)
            for name, value in expected.items():
                if isinstance(value, str | list | int):
                    assert one[name] == value
                else:
                    assert_same(value, one[name])


def test_grain_iterator_resumes_from_its_state() -> None:
    loader = example().batches(8, shuffle=True)
    expected = [batch["text"] for _ in range(3) for batch in loader]
    batches = example().batches(8, shuffle=True).to("grain").repeat(3).to_iter_dataset()
    walk = iter(batches)
    taken = [next(walk)["text"] for _ in range(9)]
    state = pickle.loads(pickle.dumps(walk.get_state()))
    resumed = iter(example().batches(8, shuffle=True).to("grain").repeat(3).to_iter_dataset())
    resumed.set_state(state)
    assert taken + [batch["text"] for batch in resumed] == expected


def test_representation_identifies_the_rows() -> None:
    assert example().fingerprint in repr(example().to("grain"))
    assert example().batches(8).fingerprint in repr(example().batches(8).to("grain"))
    with pytest.raises(IndexError):
        Dataset.from_arrays({"n": np.arange(3)}).to("grain")[3]
