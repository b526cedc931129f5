"""Arrow: a `pyarrow.Table` over the memory map, for programs that read Arrow.

DuckDB reads it by the name of a variable: after ``digits = ds.to("arrow")``,
``duckdb.sql("select label, count(*) from digits group by label")``.

Arrays are nested fixed-size lists; encoded images and audio stay files, even if the dataset decodes
them. Adjacent rows are not copied.
"""

import pyarrow as pa

from dshub.datasets.dataset import Dataset


def rows(dataset: Dataset) -> pa.Table:
    """Return all rows as one table, in the dataset's order."""
    return dataset.arrow()
