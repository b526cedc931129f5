"""Between NumPy arrays and columns of them."""

from collections.abc import Iterable
from typing import cast

import numpy as np
import pyarrow as pa

from dshub.errors import SchemaError


def nested(array: np.ndarray) -> pa.Array:
    """(rows, *shape) as nested fixed-size lists, without a copy where it is contiguous."""
    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


def flat(rows: pa.RecordBatch, name: str, *, where: str) -> np.ndarray:
    """A column of numbers, or of nested fixed-size lists of them, as (rows, *shape).

    Raises:
        SchemaError: there is no such column, or it holds something else.
    """
    if name not in rows.schema.names:
        found = ", ".join(rows.schema.names)
        raise SchemaError(where=where, expected="that column", got=f"only {found}")
    column = rows.column(name)
    shape = [len(column)]
    while pa.types.is_fixed_size_list(column.type):
        shape.append(column.type.list_size)
        column = column.flatten()
    if not pa.types.is_primitive(column.type):
        raise SchemaError(where=where, expected="numbers", got=str(column.type))
    return cast("np.ndarray", column.to_numpy()).reshape(shape)


def with_numbers(rows: pa.RecordBatch, names: Iterable[str], first: int) -> pa.RecordBatch:
    """Rows with further columns, int32, that hold `first`, `first + 1` and so on."""
    numbers = pa.array(np.arange(first, first + rows.num_rows, dtype=np.int32))
    for name in names:
        if name not in rows.schema.names:
            rows = rows.append_column(name, numbers)
    return rows
