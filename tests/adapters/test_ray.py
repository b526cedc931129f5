import pickle
from collections.abc import Iterator
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
    files = True

    def to_numpy(self, value: Any) -> Any:
        return value.item() if isinstance(value, np.generic) else value

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        kinds = {"image": np.uint8, "size": np.float32, "tokens": np.int64, "boxes": np.float32}
        rows: list[dict[str, Any]] = dataset.to("ray").take_all()
        for row in rows:
            for name in row:
                if name in kinds:
                    row[name] = np.array(np.asarray(row[name]).tolist(), kinds[name])
                if name == "boxes":
                    row[name] = row[name].reshape(-1, 4)
                if name == "words":
                    row[name] = list(row[name])
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
