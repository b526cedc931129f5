"""Arrow IPC streams, which Hugging Face `datasets.Dataset.from_file` maps."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from dshub.export._rows import Rows, record_batch, schema_of


@dataclass(frozen=True)
class Arrow:
    """Shards of record batches of some MB, not compressed."""

    kind: Literal["shards"] = "shards"
    suffixes: tuple[str, ...] = (".arrow",)
    revision: int = 1

    def check(self, rows: Rows) -> None:
        """It holds every kind of column."""

    def write(self, path: Path, rows: Rows) -> None:
        target = path.with_name(f"{path.name}{self.suffixes[0]}")
        with (
            target.open("wb") as sink,
            pa.ipc.new_stream(sink, schema_of(rows.features)) as writer,
        ):
            for _, batch in rows.batches():
                writer.write_batch(record_batch(rows.features, batch))


exporter = Arrow()
