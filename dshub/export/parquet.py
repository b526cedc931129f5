"""Export to Apache Parquet, with metadata for the features of Hugging Face `datasets`."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq

from dshub.catalog.features import Feature, is_encoded
from dshub.export._rows import Columns, Exporter, Rows, schema_of, tables
from dshub.export._stored import Stored, by_number


class Parquet(Exporter):
    """Exporter of Parquet shards, with Snappy-compressed row groups of several MB."""

    suffixes = (".parquet",)

    def write(self, path: Path, rows: Rows) -> None:
        with pq.ParquetWriter(path.with_suffix(".parquet"), schema_of(rows.features)) as writer:
            for table in tables(rows):
                writer.write_table(table)

    def stored(self, features: Mapping[str, Feature], supervised: Columns) -> Stored:
        del supervised
        files = {name for name, feature in features.items() if is_encoded(feature)}
        columns = {name: f"{name}.bytes" if name in files else name for name in features}
        options = {"columns": columns} if files else {}
        shown = {name: by_number(feature) for name, feature in features.items()}
        return Stored({"format": "parquet", **options}, shown)


exporter = Parquet()
