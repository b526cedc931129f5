"""Apache Parquet, with columns that Hugging Face `datasets` opens with its own features."""

from pathlib import Path

import pyarrow.parquet as pq

from dshub.export._rows import Exporter, Rows, schema_of, tables


class Parquet(Exporter):
    """Shards of row groups of some MB, compressed with Snappy."""

    suffixes = (".parquet",)

    def write(self, path: Path, rows: Rows) -> None:
        with pq.ParquetWriter(path.with_suffix(".parquet"), schema_of(rows.features)) as writer:
            for table in tables(rows):
                writer.write_table(table)


exporter = Parquet()
