"""Read whole Parquet files with PyArrow."""

import io
from typing import Any

import pyarrow.parquet as pq

Files = dict[str, list[tuple[str, bytes]]]


def read(files: Files, options: dict[str, Any]) -> dict[str, list[Any]]:
    """Return all columns, or those in `options["columns"]`."""
    ((_, contents),) = files.items()
    rows = [row for _, data in contents for row in pq.read_table(io.BytesIO(data)).to_pylist()]
    return columns_of(rows, options)


def columns_of(rows: list[dict[str, Any]], options: dict[str, Any]) -> dict[str, list[Any]]:
    """Convert rows to columns; dotted paths select fields of structs."""
    paths = options.get("columns") or {name: name for name in rows[0]}
    columns: dict[str, list[Any]] = {name: [] for name in paths}
    for row in rows:
        for name, path in paths.items():
            value: Any = row
            for step in path.split("."):
                value = value[step]
            columns[name].append(value)
    return columns
