"""Ray: a `ray.data.Dataset` whose workers read rows from Arrow files, block by block.

Blocks are Arrow tables. Arrays are nested fixed-size lists. Encoded images and audio stay files,
even if the dataset decodes them. Ray yields blocks in the order of their completion. To keep the
order of rows, set ``ray.data.DataContext.get_current().execution_options.preserve_order = True``.
"""

from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from typing import Any

import pyarrow as pa

from dshub.datasets.dataset import Dataset
from dshub.errors import needs

with needs("ray", extra="ray"):
    import ray
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask

SAMPLE = 256  # rows that are read to estimate the bytes per row


def rows(dataset: Dataset) -> Any:
    """Return the rows as a lazy `ray.data.Dataset`."""
    return ray.data.read_datasource(RaySource(dataset))


class RaySource(Datasource):
    """Source of tasks that each read consecutive rows.

    A task contains a view of the dataset, which holds data only if the dataset is in memory.
    """

    def __init__(self, dataset: Dataset) -> None:
        super().__init__()
        self._dataset = dataset
        sample = dataset.take(SAMPLE)
        self._row_bytes: int = sample.arrow().nbytes // max(1, len(sample))

    def get_name(self) -> str:
        return "dshub"

    def estimate_inmemory_data_size(self) -> int | None:
        return self._row_bytes * len(self._dataset)

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[Any]:
        del data_context
        total = len(self._dataset)
        count = max(1, min(parallelism, total))
        tasks = []
        for start, stop in pairwise(total * task // count for task in range(count + 1)):
            part = self._dataset.skip(start).take(stop - start)
            metadata = BlockMetadata(
                num_rows=len(part),
                size_bytes=self._row_bytes * len(part),
                exec_stats=None,
                input_files=None,
            )
            read = partial(_read, part)
            tasks.append(ReadTask(read, metadata, per_task_row_limit=per_task_row_limit))
        return tasks


def _read(part: Dataset) -> Iterable[pa.Table]:
    yield part.arrow()
