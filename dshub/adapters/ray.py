"""Ray: a `ray.data.Dataset` of tasks that read rows from the shards, block by block.

Images, audio and other arrays are tensor columns, so that `map_batches` and `iter_torch_batches`
get arrays (rows, …). If rows differ in shape, the column is a variable-shaped tensor column, and
`map_batches` gets an object array with one array per row. Lists of numbers and of text are Arrow
lists. Images and audio are decoded in the tasks, or stay files with ``decode=False``.

`iter_torch_batches` alone takes only arrays of one shape. Pass `collate` for text, files and rows
that differ in shape: ``rows.iter_torch_batches(batch_size=32, collate_fn=collate)``.

Blocks keep the order of the rows, because the adapter sets `preserve_order` for the dataset and for
the datasets derived from it.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from dshub.adapters import each_array
from dshub.catalog.features import ListFeature
from dshub.datasets.dataset import Dataset
from dshub.datasets.from_memory import column_of_chunks
from dshub.errors import needs
from dshub.tables.types import may_miss, row_shape

with needs("ray", extra="ray"):
    import ray
    from ray.data.block import BlockMetadata
    from ray.data.collate_fn import NumpyBatchCollateFn
    from ray.data.datasource import Datasource, ReadTask
    from ray.data.extensions import ArrowTensorArray, ArrowVariableShapedTensorArray

SAMPLE = 64  # rows that are read to estimate the bytes per row
DECODED_SAMPLE = 8  # the same if files are decoded
BLOCK_BYTES = 64 << 20  # size of an Arrow block, which a task has in memory


def rows(dataset: Dataset, *, decode: bool = True) -> Any:
    """Return the rows as a lazy `ray.data.Dataset`, in dataset order.

    Args:
        dataset: dataset with the rows.
        decode: whether tasks decode images and audio; False keeps the bytes of the files.
    """
    source = RaySource(dataset if decode else dataset.decode(on=False))
    result = ray.data.read_datasource(source)
    result.context.execution_options.preserve_order = True  # of this dataset, not of all
    return result


class RaySource(Datasource):
    """Source of tasks that each read consecutive rows.

    The dataset is stored in Ray once, and tasks contain a reference to it. It holds rows only if
    they are in memory.
    """

    def __init__(self, dataset: Dataset) -> None:
        super().__init__()
        self._dataset = dataset
        sample = dataset.take(DECODED_SAMPLE if dataset.encoded else SAMPLE)
        rows = max(1, len(sample))
        self._row_bytes: int = max(1, _table(sample).nbytes // rows) if len(sample) else 1
        self._stored_bytes: int = sample.arrow().nbytes // rows

    def get_name(self) -> str:
        return "dshub"

    def estimate_inmemory_data_size(self) -> int | None:
        """Return the bytes of the rows before decoding.

        Ray creates up to 200 tasks, each for 1 MiB or more of this size. The size after decoding
        would make tasks of a few images, which take longer to start than to run.
        """
        return self._stored_bytes * len(self._dataset)

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[Any]:
        del data_context
        # older versions of Ray have no limit
        limit = {} if per_task_row_limit is None else {"per_task_row_limit": per_task_row_limit}
        total, stored = len(self._dataset), self._stored
        count = max(1, min(parallelism, total))
        tasks = []
        for start, stop in pairwise(total * task // count for task in range(count + 1)):
            metadata = BlockMetadata(
                num_rows=stop - start,
                size_bytes=self._stored_bytes * (stop - start),  # also decides their number
                exec_stats=None,
                input_files=None,
            )
            read = partial(_read, stored, range(start, stop), self._block)
            tasks.append(ReadTask(read, metadata, **limit))
        return tasks

    @cached_property
    def _stored(self) -> Any:
        return ray.put(self._dataset)

    @property
    def _block(self) -> int:
        """Number of rows in an Arrow block."""
        return max(1, BLOCK_BYTES // self._row_bytes)


def _read(stored: Any, rows: range, block: int) -> Iterable[pa.Table]:
    dataset: Dataset = ray.get(stored)
    for start in range(rows.start, rows.stop, block):
        yield _table(dataset.skip(start).take(min(block, rows.stop - start)))


def _table(part: Dataset) -> pa.Table:
    """Return rows as one table, with tensor columns for arrays."""
    table = part.arrow().replace_schema_metadata(None)  # it describes arrays as lists
    for index, name in enumerate(table.column_names):
        if _is_tensor(part, name):
            table = table.set_column(index, name, _tensors(part, name, table[name]))
    return table


def _is_tensor(part: Dataset, name: str) -> bool:
    """Return True if rows are arrays, except lists of single values and optional arrays."""
    feature = part.features[name]
    item = feature.of if isinstance(feature, ListFeature) else feature
    return name in part.encoded or (bool(row_shape(item)) and not may_miss(feature))


def _tensors(part: Dataset, name: str, files: pa.ChunkedArray) -> Any:
    feature = part.features[name]
    values = column_of_chunks(files.chunks, feature).span(0, len(part))
    if name in part.encoded:
        rows = part.numbers(np.arange(len(part)))
        values = part.columns([name]).decoded({name: values}, rows)[name]
    if isinstance(values, np.ndarray):
        return ArrowTensorArray.from_numpy(values)
    return ArrowVariableShapedTensorArray.from_numpy(values)


class Collate(NumpyBatchCollateFn):
    """Convert batches of `iter_torch_batches` to tensors: ``collate_fn=collate``.

    A column becomes a tensor (rows, …); a list of tensors if rows are lists or differ in shape; or
    a list of `str`, `bytes` or lists of `str`.

    Raises:
        MissingExtraError: torch is not installed.
    """

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, Any]:
        with needs("torch", extra="torch"):
            import torch

        def tensor(array: np.ndarray) -> Any:
            return torch.from_numpy(array if array.flags.writeable else array.copy())

        return {name: each_array(_plain(values), tensor) for name, values in batch.items()}


collate = Collate()


def _plain(values: Any) -> Any:
    """Convert arrays of objects to lists."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "OUS":
        return [_plain(value) for value in values]
    return values
