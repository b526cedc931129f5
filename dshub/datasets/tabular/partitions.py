"""Read tables in folders whose names hold columns, such as `year=2024`.

Programs such as Hive, Spark, pandas and Polars write these (Apache Hive, "Partitioned Tables").
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from dshub.datasets.tabular.files import LooseFile
from dshub.datasets.trees import pair_of


def folder_columns(files: Sequence[LooseFile], notes: list[str]) -> list[str]:
    """Return the keys of the folders of files; empty unless all files have the same keys."""
    keys = {tuple(_pairs(file)): file for file in files}
    if len(keys) == 1:
        return list(next(iter(keys)))
    notes.append(
        "folders such as `key=value` are not columns, because files differ in them: "
        + " and ".join(file.member for file in [*keys.values()][:2])
    )
    return []


def read_each(
    files: Sequence[LooseFile], read: Callable[[LooseFile], Iterable[pa.RecordBatch]]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of files, with the values of their folders as columns of text.

    A column that the files have, too, keeps the values in the files.
    """
    for file in files:
        values = {n: pa.scalar(value or None, pa.string()) for n, value in _pairs(file).items()}
        for batch in read(file):
            yield _extended(batch, values)


def _extended(batch: pa.RecordBatch, values: Mapping[str, pa.Scalar]) -> pa.RecordBatch:
    """Return a batch with a column of each value."""
    metadata = batch.schema.metadata
    for name, value in values.items():
        if name not in batch.schema.names:
            batch = batch.append_column(name, pa.repeat(value, batch.num_rows))
    return batch.replace_schema_metadata(metadata)


def _pairs(file: LooseFile) -> dict[str, str]:
    """Return the keys and values of the folders of a file; missing values are empty."""
    return dict(filter(None, map(pair_of, file.member.split("/")[:-1])))
