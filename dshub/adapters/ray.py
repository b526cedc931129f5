"""Ray: a `ray.data.Dataset` of tasks that read rows from the shards, block by block.

Images and other arrays are tensor columns, so that `map_batches` and `iter_torch_batches` get
arrays (rows, …). Images of several sizes are a variable-shaped tensor column: `map_batches` gets
an object array with one array per row. Lists of numbers and text are Arrow lists. Images and audio
are decoded in the tasks, or stay files with ``decode=False``.

Ray yields blocks in the order of their completion. To keep the order of rows, set
``ray.data.DataContext.get_current().execution_options.preserve_order = True``.
"""

from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from dshub.datasets.dataset import Dataset
from dshub.errors import needs

with needs("ray", extra="ray"):
    import ray
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask
    from ray.data.extensions import ArrowTensorArray, ArrowVariableShapedTensorArray

SAMPLE = 64  # rows that are read to estimate the bytes per row
BLOCK_BYTES = 64 << 20  # size of an Arrow block, which a task has in memory


def rows(dataset: Dataset, *, decode: bool = True) -> Any:
    """Return the rows as a lazy `ray.data.Dataset`.

    Args:
        dataset: dataset with the rows.
        decode: whether tasks decode images and audio; False keeps the bytes of the files.
    """
    return ray.data.read_datasource(RaySource(dataset if decode else dataset.decode(on=False)))


class RaySource(Datasource):
    """Source of tasks that each read consecutive rows.

    A task contains a view of the dataset, which holds data only if the dataset is in memory.
    """

    def __init__(self, dataset: Dataset) -> None:
        super().__init__()
        self._dataset = dataset
        sample = dataset.take(SAMPLE)
        self._row_bytes: int = _table(sample).nbytes // max(1, len(sample)) if len(sample) else 1

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
            read = partial(_read, part, max(1, BLOCK_BYTES // max(1, self._row_bytes)))
            tasks.append(ReadTask(read, metadata, per_task_row_limit=per_task_row_limit))
        return tasks


def _read(part: Dataset, block: int) -> Iterable[pa.Table]:
    for start in range(0, len(part) or 1, block):
        yield _table(part.skip(start).take(block))


def _table(part: Dataset) -> pa.Table:
    """Return rows as one table, with tensor columns for arrays."""
    columns = part[:]
    tensors = {name: _tensors(values) for name, values in columns.items() if _is_tensor(values)}
    others = part.without(list(tensors)).arrow()
    return pa.table({name: tensors[name] if name in tensors else others[name] for name in columns})


def _is_tensor(values: Any) -> bool:
    """Return True if rows are arrays of two or more dimensions, or arrays of one shape."""
    if isinstance(values, np.ndarray):
        return values.ndim > 1 and not isinstance(values, np.ma.MaskedArray)
    return bool(values) and all(getattr(value, "ndim", 0) > 1 for value in values)


def _tensors(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        return ArrowTensorArray.from_numpy(values)
    return ArrowVariableShapedTensorArray.from_numpy(list(values))
