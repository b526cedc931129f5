"""Export to Arrow IPC streams, for `datasets.Dataset.from_file` of Hugging Face."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from dshub.catalog.features import Feature, is_encoded
from dshub.export._rows import Columns, Exporter, Rows, schema_of, tables
from dshub.export._stored import Stored, by_number


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

    def stored(self, features: Mapping[str, Feature], supervised: Columns) -> Stored:
        del supervised
        files = {name for name, feature in features.items() if is_encoded(feature)}
        columns = {name: f"{name}.bytes" if name in files else name for name in features}
        options = {"columns": columns} if files else {}
        shown = {name: by_number(feature) for name, feature in features.items()}
        return Stored({"format": "arrow", **options}, shown)


exporter = Arrow()
