import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset, Hub
from dshub.testing.adapters import RowsTests

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Start Ray locally with one CPU and little logging."""
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    yield
    ray.shutdown()


class TestRay(RowsTests):
    name = "ray"

    def to_numpy(self, value: Any) -> Any:
        return value.item() if isinstance(value, np.generic) else value

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        kinds = {"tokens": np.int64, "boxes": np.float32}
        rows: list[dict[str, Any]] = dataset.to("ray").take_all()
        for row in rows:
            for name in row.keys() & kinds:
                row[name] = np.array(np.asarray(row[name]).tolist(), kinds[name])
            if "boxes" in row:
                row["boxes"] = row["boxes"].reshape(-1, 4)
            if "words" in row:
                row["words"] = list(row["words"])
        return rows


def test_tasks_carry_the_dataset_not_the_rows(hub: Hub) -> None:
    from dshub.adapters.ray import RaySource

    dataset = hub.load("mnist", "train", synthetic=500).shuffle(seed=1)
    tasks = RaySource(dataset).get_read_tasks(4)
    assert [task.metadata.num_rows for task in tasks] == [125] * 4
    assert max(len(pickle.dumps(task)) for task in tasks) < 2000
    rows = dataset.to("ray")
    assert rows.count() == 500
    labels = [row["label"] for row in rows.select_columns(["label"]).take_all()]
    assert labels == np.asarray(dataset["label"]).tolist()


def test_batches_of_images_are_arrays(hub: Hub) -> None:
    dataset = hub.load("mnist", "train", synthetic=60)
    expected = np.asarray(dataset["image"])

    def measure(batch: dict[str, Any]) -> dict[str, Any]:
        assert batch["image"].dtype == np.uint8
        return {"mean": batch["image"].reshape(len(batch["image"]), -1).mean(1)}

    means = dataset.to("ray").map_batches(measure).to_pandas()["mean"]
    assert means.tolist() == expected.reshape(60, -1).mean(1).tolist()
    batches = [b["image"] for b in dataset.to("ray").iter_torch_batches(batch_size=25)]
    assert [tuple(batch.shape) for batch in batches] == [
        (25, 28, 28, 1),
        (25, 28, 28, 1),
        (10, 28, 28, 1),
    ]
    assert np.concatenate([batch.numpy() for batch in batches]).tolist() == expected.tolist()


def test_images_of_several_sizes_are_decoded_in_the_tasks(photos: Dataset, tmp_path: Path) -> None:
    rows = photos.to("ray")
    heights = rows.map_batches(lambda batch: {"height": [len(image) for image in batch["image"]]})
    assert [row["height"] for row in heights.take_all()] == [9, 10, 11, 12]
    rows.write_parquet(str(tmp_path / "rows"))
    read = ray.data.read_parquet(str(tmp_path / "rows")).take_all()
    assert sorted(row["image"].shape for row in read) == [(9 + n, 8, 3) for n in range(4)]
    files = photos.to("ray", decode=False).take_all()
    assert [row["image"] for row in files] == photos.decode(False)["image"]


def test_dataset_without_rows(hub: Hub) -> None:
    assert hub.load("mnist", "train", synthetic=5).take(0).to("ray").count() == 0
