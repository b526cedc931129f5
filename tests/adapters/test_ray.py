from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dshub import Dataset, Hub
from dshub.testing.adapters import RowsTests, kinds, unbatched

ray = pytest.importorskip("ray")
torch = pytest.importorskip("torch")
dshub_ray = pytest.importorskip("dshub.adapters.ray")
collate = dshub_ray.collate


# Ray's own log files and processes
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Start Ray locally with one CPU and little logging."""
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


class TestRay(RowsTests):
    name = "ray"

    def to_numpy(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.to_numpy(row) for row in value]
        return value.numpy() if isinstance(value, torch.Tensor) else value

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        return self.split(dataset.to("ray").iter_torch_batches(batch_size=5, collate_fn=collate))

    def next_step(self, dataset: Dataset) -> list[dict[str, Any]]:
        rows = dataset.to("ray").map_batches(lambda batch: batch, batch_size=7)
        return self.split(rows.iter_torch_batches(batch_size=8, collate_fn=collate))

    def split(self, batches: Iterable[Any]) -> list[dict[str, Any]]:
        return unbatched(
            {name: self.to_numpy(values) for name, values in batch.items()} for batch in batches
        )


def test_tasks_carry_the_dataset_not_the_rows(hub: Hub) -> None:
    dataset = hub.load("mnist", "train", synthetic=500).shuffle(seed=1)
    tasks = dshub_ray.RaySource(dataset).get_read_tasks(4)
    assert [task.metadata.num_rows for task in tasks] == [125] * 4
    assert max(len(ray.cloudpickle.dumps(task)) for task in tasks) < 2000
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


def test_own_data_is_stored_once() -> None:
    dataset = Dataset.from_arrays({"x": np.arange(40_000.0).reshape(40, 1000)})
    tasks = dshub_ray.RaySource(dataset).get_read_tasks(40)
    assert max(len(ray.cloudpickle.dumps(task)) for task in tasks) < 2000
    batches = list(dataset.to("ray").iter_batches(batch_size=7))
    assert np.array_equal(np.concatenate([batch["x"] for batch in batches]), dataset["x"])


def test_order_is_kept_without_a_setting_of_the_process() -> None:
    assert not ray.data.DataContext.get_current().execution_options.preserve_order
    rows = Dataset.from_arrays({"n": np.arange(2000)}).to("ray").map_batches(lambda batch: batch)
    assert rows.context.execution_options.preserve_order
    assert [row["n"] for row in rows.take_all()] == list(range(2000))


def test_parquet_files_hold_every_kind_of_row(tmp_path: Path) -> None:
    dataset = kinds().with_column("number", np.arange(len(kinds())))
    dataset.to("ray").write_parquet(str(tmp_path))
    read = ray.data.read_parquet(str(tmp_path)).sort("number")
    batches = read.iter_torch_batches(batch_size=8, collate_fn=collate)
    TestRay().assert_rows(dataset, TestRay().split(batches))


def test_columns_have_tensor_types() -> None:
    schema = kinds().to("ray").schema().base_schema
    assert not schema.metadata
    for name in ("image", "gray", "thumb", "matrix", "size"):
        assert schema.field(name).type.shape == kinds()[0][name].shape
    for name in ("photo", "sound", "mono", "boxes"):
        assert schema.field(name).type.ndim == kinds()[0][name].ndim
    assert schema.field("tokens").type == pa.list_(pa.int64())
    assert schema.field("uint64").type == pa.uint64()


def test_dataset_without_rows(hub: Hub) -> None:
    assert hub.load("mnist", "train", synthetic=5).take(0).to("ray").count() == 0
