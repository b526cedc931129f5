"""Arrow: a `pyarrow.Table` over the memory map, for programs that read Arrow.

DuckDB can query the table by the name of its variable. After ``digits = ds.to("arrow")``, use
``duckdb.sql("select label, count(*) from digits group by label")``.

Arrays are nested fixed-size lists. Encoded images and audio stay files, even if the dataset decodes
them. Consecutive rows are not copied.
"""

import pyarrow as pa

from dshub.datasets.dataset import Dataset


def rows(dataset: Dataset) -> pa.Table:
    """Return all rows as one table, in dataset order."""
    return dataset.arrow()
