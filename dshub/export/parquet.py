"""Apache Parquet, with columns that Hugging Face `datasets` opens with its own features."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dshub.export._rows import Rows, record_batch, schema_of


@dataclass(frozen=True)
class Parquet:
    """Shards of row groups of some MB, compressed with Snappy."""

    kind: Literal["shards"] = "shards"
    suffixes: tuple[str, ...] = (".parquet",)
    revision: int = 1

    def check(self, rows: Rows) -> None:
        """It holds every kind of column."""

    def write(self, path: Path, rows: Rows) -> None:
        import pyarrow.parquet as pq

        target = path.with_name(f"{path.name}{self.suffixes[0]}")
        with pq.ParquetWriter(target, schema_of(rows.features)) as writer:
            for _, batch in rows.batches():
                writer.write_batch(record_batch(rows.features, batch))


exporter = Parquet()
