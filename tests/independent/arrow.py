"""Read whole Arrow IPC files with PyArrow."""

from typing import Any

import pyarrow as pa

from tests.independent.parquet import Files, columns_of


def read(files: Files, options: dict[str, Any]) -> dict[str, list[Any]]:
    """Return all columns, or those in `options["columns"]`."""
    ((_, contents),) = files.items()
    rows = []
    for _, data in contents:
        opened = pa.ipc.open_file if data.startswith(b"ARROW1") else pa.ipc.open_stream
        rows += opened(pa.BufferReader(data)).read_all().to_pylist()
    columns: dict[str, list[Any]] = columns_of(rows, options)
    return columns
