"""Export to Arrow IPC streams, for `datasets.Dataset.from_file` of Hugging Face."""

from pathlib import Path

import pyarrow as pa

from dshub.export._rows import Exporter, Rows, schema_of, tables


class Arrow(Exporter):
    """Exporter of Arrow shards, with uncompressed record batches of several MB."""

    suffixes = (".arrow",)

    def write(self, path: Path, rows: Rows) -> None:
        target = path.with_suffix(".arrow")
        with (
            pa.OSFile(str(target), "wb") as sink,
            pa.ipc.new_stream(sink, schema_of(rows.features)) as writer,
        ):
            for table in tables(rows):
                writer.write_table(table)


exporter = Arrow()
