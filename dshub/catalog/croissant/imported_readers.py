"""Import the `extract` and `transform` of Croissant fields as options of dshub readers.

CSV with a header, JSON lines and Parquet are supported.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dshub.catalog.croissant.vocabulary import CSV, JSON_LINES, PARQUET, TSV

if TYPE_CHECKING:
    from mlcroissant import Source

Content = dict[str, Any]

_PARQUET = {PARQUET, "application/vnd.apache.parquet"}
_LINES = {JSON_LINES, "application/jsonl", "application/x-ndjson", "application/x-jsonlines"}
_DELIMITERS = {CSV: ",", TSV: "\t", "text/tsv": "\t"}


class Column(NamedTuple):
    """Column of a split, imported from a Croissant field.

    Attributes:
        key: name of the column in the manifest.
        feature: feature of the column in the manifest.
        source: `source` of the field.
    """

    key: str
    feature: Content
    source: "Source"


def reading(columns: Sequence[Column], encodings: Sequence[str]) -> Content:
    """Return `reader` and `steps` of a split, or an empty dict if no reader fits.

    Args:
        columns: columns from one file or file set.
        encodings: media types of the file or file set.
    """
    kinds = set(encodings)
    if kinds & _PARQUET:
        return _parquet(columns)
    titles = {
        column.key: column.source.extract.column
        for column in columns
        if column.source.extract.column and not column.source.transforms
    }
    if len(titles) < len(columns):
        return {}
    if kinds & _LINES:
        return {"reader": {"format": "json", "columns": titles} | _types(columns)}
    delimiter = next((_DELIMITERS[kind] for kind in encodings if kind in _DELIMITERS), "")
    return _delimited(titles, delimiter) if delimiter else {}


def _delimited(titles: dict[str, str], delimiter: str) -> Content:
    reader: Content = {"format": "delimited", "header": True}
    reader |= {"delimiter": delimiter} if delimiter != "," else {}
    reader["columns"] = list(dict.fromkeys(titles.values()))
    renamed = {title: key for key, title in titles.items() if key != title}
    steps = {"steps": [{"step": "rename", "columns": renamed}]} if renamed else {}
    return {"reader": reader, **steps}


def _parquet(columns: Sequence[Column]) -> Content:
    """Return a reader of columns or of fields in structs, such as `image.bytes`."""
    paths = {}
    for column in columns:
        inner = [item.json_path or "" for item in column.source.transforms or ()]
        path = [column.source.extract.column or "", *inner]
        if len(path) > 2 or not all(re.fullmatch(r"\$?\.?[^.$\[\]*]+", item) for item in path):
            return {}
        paths[column.key] = ".".join(item.lstrip("$.") for item in path)
    return {"reader": {"format": "parquet", "columns": paths}}


def _types(columns: Sequence[Column]) -> Content:
    """Return the types that the JSON reader needs for columns other than text."""
    types = {}
    for column in columns:
        feature = column.feature.get("of", column.feature)
        if feature["kind"] == "number":
            types[column.key] = "number" if feature["dtype"].startswith("float") else "integer"
        elif feature["kind"] == "label":
            types[column.key] = "boolean"
    return {"types": types} if types else {}
