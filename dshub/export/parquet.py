"""Export to Apache Parquet, with metadata for the features of Hugging Face `datasets`."""

from pathlib import Path

import pyarrow.parquet as pq

from dshub.export._rows import Exporter, Rows, schema_of, tables


class Parquet(Exporter):
    """Exporter of Parquet shards, with Snappy-compressed row groups of several MB."""

    suffixes = (".parquet",)

    def write(self, path: Path, rows: Rows) -> None:
        with pq.ParquetWriter(path.with_suffix(".parquet"), schema_of(rows.features)) as writer:
            for table in tables(rows):
                writer.write_table(table)


exporter = Parquet()
