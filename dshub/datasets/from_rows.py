"""Create sources from long iterables of rows, without holding all rows as Python objects."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from dshub.catalog.features import Feature
from dshub.datasets.from_memory import check_names, column_of_chunks, columns_of, from_arrays
from dshub.datasets.inference import feature_of, mismatch
from dshub.datasets.sources import ColumnSource
from dshub.tables.types import arrow_type

CHUNK = 1000  # rows that are Python objects at the same time


def from_chunks(
    rows: Iterable[Mapping[str, Any]], features: Mapping[str, Feature] | None
) -> ColumnSource:
    """Create a source from rows, converting a bounded number of rows at a time.

    Raises:
        SchemaError: values do not fit their features, or chunks of rows have no common type.
        ArgumentError: a row is not a dict.
    """
    declared = features or {}
    iterator, chunks = iter(rows), list[dict[str, pa.Array]]()
    while chunk := _arrays(columns_of(islice(iterator, CHUNK)), declared):
        chunks.append(chunk)
    counts = [len(next(iter(chunk.values()))) for chunk in chunks]
    names = dict.fromkeys(name for chunk in chunks for name in chunk)
    if not names:
        return from_arrays(columns_of([]), features)
    check_names(declared, names)
    arrow = {name: _joined(name, chunks, counts, declared.get(name)) for name in names}
    found = {
        name: declared.get(name) or feature_of(f"column {name}", arrays)
        for name, arrays in arrow.items()
    }
    columns = {name: column_of_chunks(arrow[name], found[name]) for name in names}
    return ColumnSource(columns, found, sum(counts), arrow=arrow)


def _arrays(
    columns: Mapping[str, list[Any]], declared: Mapping[str, Feature]
) -> dict[str, pa.Array]:
    """Convert columns to Arrow; columns without any value become nulls."""
    empty = {name for name, values in columns.items() if all(value is None for value in values)}
    used = {name: values for name, values in columns.items() if name not in empty}
    source = from_arrays(used, {name: declared[name] for name in used if name in declared})
    rows = len(next(iter(columns.values()), []))
    arrays = source.arrow_rows(list(used), range(rows))
    return {name: pa.nulls(rows) if name in empty else arrays[name] for name in columns}


def _joined(
    name: str, chunks: Sequence[Mapping[str, pa.Array]], counts: Sequence[int], feature: Any
) -> list[pa.Array]:
    """Return the chunks of a column with one type; a chunk without the column has nulls."""
    arrays = [chunk.get(name, pa.nulls(rows)) for chunk, rows in zip(chunks, counts, strict=True)]
    missing = sum(array.null_count for array in arrays)
    if feature is not None and missing and not feature.optional:
        hint = "make the feature optional (`optional=True`), or fill the missing values"
        raise mismatch(f"column {name}", "a value in every row", f"{missing:,} rows without", hint)
    kinds = [array.type for array in arrays if not pa.types.is_null(array.type)]
    try:
        kind = arrow_type(feature) if feature is not None else _common(kinds or [pa.null()])
        return [array.cast(kind) for array in arrays]
    except pa.ArrowException as error:
        raise mismatch(f"column {name}", "values of one type", str(error)) from None


def _common(kinds: Sequence[pa.DataType]) -> pa.DataType:
    """Return a type that holds the values of several; raise ArrowException if there is none."""
    if len(set(kinds)) == 1:
        return kinds[0]
    if all(map(_is_list, kinds)):
        return pa.list_(_common([kind.value_type for kind in kinds]))
    schemas = [pa.schema([("", kind)]) for kind in kinds]
    return pa.unify_schemas(schemas, promote_options="permissive").field(0).type


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )
