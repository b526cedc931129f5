"""Parquet, all of it at once."""

import io
from typing import Any

import pyarrow.parquet as pq

Files = dict[str, list[tuple[str, bytes]]]


def read(files: Files, options: dict[str, Any]) -> dict[str, list[Any]]:
    """The columns, or those that are named."""
    ((_, found),) = files.items()
    rows = [row for _, data in found for row in pq.read_table(io.BytesIO(data)).to_pylist()]
    return columns_of(rows, options)


def columns_of(rows: list[dict[str, Any]], options: dict[str, Any]) -> dict[str, list[Any]]:
    """Columns of rows, fields of structs by their path."""
    places = options.get("columns") or {name: name for name in rows[0]}
    columns: dict[str, list[Any]] = {name: [] for name in places}
    for row in rows:
        for name, path in places.items():
            value: Any = row
            for step in path.split("."):
                value = value[step]
            columns[name].append(value)
    return columns
