"""Prepared rows on disk, and reading them back through the memory map.

A table is one split: a folder of Arrow IPC streams (the *shards*, each one record batch of about
1 GiB, uncompressed) and `table.json`, which says what is in them. It is the stream format and not
the file format because `datasets.Dataset.from_file` maps that one. One record batch a shard means
that a column of a shard is one block of memory; NumPy views it, and rows are gathered from the
view. Opening costs the same for a thousand rows and a billion: a shard is mapped when a row of
it is first asked for.

`TableWriter` makes the folder, `Table` reads it. `table.json`, version 1::

    {"schema": 1, "name": …, "version": …, "split": …, "rows": …, "recipe": {…},
     "shards": [{"file": …, "rows": …, "size": …, "sha256": …}, …], "manifest": {…}}
"""

from dshub.store.records import SUMS, Provenance, Shard, TableRecord
from dshub.table.columns import (
    ArrayColumn,
    BytesColumn,
    ChunkedColumn,
    Column,
    ListColumn,
    Values,
    column_of,
)
from dshub.table.table import Table
from dshub.table.writer import TableWriter

__all__ = [
    "SUMS",
    "ArrayColumn",
    "BytesColumn",
    "ChunkedColumn",
    "Column",
    "ListColumn",
    "Provenance",
    "Shard",
    "Table",
    "TableRecord",
    "TableWriter",
    "Values",
    "column_of",
]
