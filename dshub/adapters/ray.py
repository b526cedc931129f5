"""Ray: a `ray.data.Dataset` whose workers read the rows, block by block, from the Arrow files.

Blocks are Arrow tables: arrays are nested fixed-size lists, pictures and recordings that are kept
as files those files, whether the dataset decodes them or not. Ray gives blocks as they are done;
``ray.data.DataContext.get_current().execution_options.preserve_order = True`` keeps the order of
rows.
"""

from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from typing import Any

import pyarrow as pa

from dshub.datasets.dataset import Dataset
from dshub.errors import MissingExtraError

try:
    import ray
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask
except ImportError as error:
    raise MissingExtraError(package="ray", extra="ray") from error

SAMPLE = 256  # rows by which the size of all is told


def rows(dataset: Dataset) -> Any:
    """The rows as a lazy `ray.data.Dataset`."""
    return ray.data.read_datasource(RaySource(dataset))


class RaySource(Datasource):
    """Tasks that each read a stretch of the rows; a task carries the dataset, not the rows.

    A dataset of own data carries its columns with it.
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
        tasks = max(1, min(parallelism, total))
        ends = [total * task // tasks for task in range(tasks + 1)]
        made = []
        for start, stop in pairwise(ends):
            part = self._dataset.skip(start).take(stop - start)
            facts = BlockMetadata(
                num_rows=len(part),
                size_bytes=self._row_bytes * len(part),
                exec_stats=None,
                input_files=None,
            )
            read = partial(_read, part)
            made.append(ReadTask(read, facts, per_task_row_limit=per_task_row_limit))
        return made


def _read(part: Dataset) -> Iterable[pa.Table]:
    yield part.arrow()
