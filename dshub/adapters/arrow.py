"""Arrow: a `pyarrow.Table` over the memory map, for whatever reads Arrow.

DuckDB does so by the name of a variable: with ``digits = ds.to("arrow")``,
``duckdb.sql("select label, count(*) from digits group by label")``.

Arrays are nested fixed-size lists; pictures and recordings that are kept as files are those files,
whether the dataset decodes them or not. Rows side by side are not copied.
"""

import pyarrow as pa

from dshub.datasets.dataset import Dataset


def rows(dataset: Dataset) -> pa.Table:
    """All rows as one table, in the dataset's order."""
    return dataset.arrow()
