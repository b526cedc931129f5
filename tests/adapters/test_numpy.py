from typing import Any

from dshub import Dataset, plugins
from dshub.testing.adapters import AdapterTests, unbatched


class TestNumpy(AdapterTests):
    name = "numpy"

    def to_numpy(self, value: Any) -> Any:
        return value

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        columns = plugins.module("adapters", self.name).rows(dataset)
        return [{name: values[i] for name, values in columns.items()} for i in range(len(dataset))]

    def next_step(self, dataset: Dataset) -> list[dict[str, Any]]:
        return unbatched(dataset.batches(8).numpy())
