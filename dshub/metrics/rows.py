"""Columns of the predicted rows that group answers and number the lines of a submission."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dshub.errors import ArgumentError, UnknownNameError


def check_rows(argument: str, values: Sequence[Any] | np.ndarray, count: int, other: str) -> None:
    """Raise ArgumentError if the number of rows differs from that of another argument."""
    if len(values) != count:
        rows = f"{len(values):,} rows"
        raise ArgumentError(name=argument, value=rows, expected=f"{count:,} rows, like {other}")


def find_column(rows: Any, *names: str) -> Any:
    """Return the first column that exists, or None.

    Args:
        rows: a dataset, a dict of columns or a data frame.
        names: names to try.
    """
    for name in names:
        try:
            return rows[name]
        except (KeyError, UnknownNameError):
            continue
        except (IndexError, TypeError):
            expected = "a dataset or a dict of columns, such as the split that was predicted"
            raise ArgumentError(name="rows", value=type(rows), expected=expected) from None
    return None


def numbers_of(rows: Any, column: str, count: int) -> list[int]:
    """Return a column of whole numbers; without `rows` or the column, the positions of the rows."""
    values = None if rows is None else find_column(rows, column)
    if values is None:
        return list(range(count))
    check_rows(f"rows[{column!r}]", values, count, "predictions")
    return [int(value) for value in values]


def keys_of(rows: Any, parts: Sequence[str], count: int) -> list[tuple[int, ...]]:
    """Return the numbers of each row in the parts of a nested file.

    Args:
        rows: a dataset or a dict of columns.
        parts: names of the parts, such as `paragraph`. Their columns are `idx_paragraph`, …, or one
            column `idx` of dicts, as in Hugging Face's datasets.
        count: number of predictions.

    Raises:
        ArgumentError: `rows` or a column is missing.
    """
    columns = [] if rows is None else [find_column(rows, f"idx_{part}") for part in parts]
    nested = None if rows is None else find_column(rows, "idx")
    if nested is not None and all(isinstance(value, Mapping) for value in nested):
        columns = [[value[part] for value in nested] for part in parts]
    if not columns or any(column is None for column in columns):
        names = " and ".join(f"idx_{part}" for part in parts)
        value = None if rows is None else type(rows)
        raise ArgumentError(name="rows", value=value, expected=f"a dataset with {names}")
    for part, column in zip(parts, columns, strict=True):
        check_rows(f"rows['idx_{part}']", column, count, "predictions")
    return [tuple(map(int, key)) for key in zip(*columns, strict=True)]
