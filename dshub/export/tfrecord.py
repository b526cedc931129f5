"""Export to TFRecord: each row is a `tf.train.Example` with its length and CRC-32C checksums.

A missing value is a feature that the Example lacks, which `tf.io.FixedLenFeature` can replace with
a default.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from dshub.catalog.features import (
    BoxFeature,
    BytesFeature,
    DateFeature,
    Feature,
    ImageFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
    is_encoded,
)
from dshub.export._rows import (
    Columns,
    Exporter,
    Rows,
    as_file,
    is_file,
    is_missing,
    refuse,
    refuse_structs,
)
from dshub.export._stored import Stored, as_stored_file, by_number
from dshub.formats.tfrecord.examples import encode
from dshub.formats.tfrecord.records import crc32c, framed
from dshub.tables.missing import present


class TfRecord(Exporter):
    """Exporter of TFRecord shards, with one record per row."""

    suffixes = (".tfrecord",)

    def check(self, rows: Rows) -> None:
        """Check that google-crc32c is installed, and that all columns fit the format."""
        refuse_structs(rows)
        for name, feature in rows.features.items():
            of = feature.of if isinstance(feature, ListFeature) else feature
            if isinstance(feature, ListFeature) and (of.optional or is_encoded(of)):
                reason = "missing values" if of.optional else "files"
                refuse(rows, name, f"holds lists with {reason}, which TFRecord cannot")
            if isinstance(of, NumberFeature) and of.dtype == "uint64":
                _refuse_large(rows, name)
        crc32c()

    def write(self, path: Path, rows: Rows) -> None:
        checksum = crc32c()
        converters = {name: _converter(feature) for name, feature in rows.features.items()}
        with path.with_suffix(".tfrecord").open("wb") as sink:
            for _, row in rows.each():
                values = {
                    name: convert(row[name])
                    for name, convert in converters.items()
                    if not is_missing(row[name], rows.features[name])
                }
                sink.write(framed(encode(values), checksum))

    def stored(self, features: Mapping[str, Feature], supervised: Columns) -> Stored:
        del supervised
        shown = {name: _as_stored(by_number(item)) for name, item in features.items()}
        of = {name: f.of if isinstance(f, ListFeature) else f for name, f in shown.items()}
        types = {name: kind for name, item in of.items() if (kind := _type(item))}
        lists = [name for name, item in shown.items() if isinstance(item, ListFeature)]
        shapes = {name: list(getattr(item, "shape", ())) for name, item in of.items()}
        shapes = {name: shape for name, shape in shapes.items() if shape and not is_file(of[name])}
        given = {"types": types, "lists": lists, "shape": shapes}
        columns = {name: name for name in features}
        options = {name: value for name, value in given.items() if value}
        return Stored({"format": "tfrecord", "columns": columns, **options}, shown)


def _as_stored(feature: Feature) -> Feature:
    if isinstance(feature, ImageFeature) and not is_file(feature):
        number = {"dtype": feature.dtype, "shape": feature.shape, "optional": feature.optional}
        return msgspec.convert(number, NumberFeature)
    return as_stored_file(feature)


def _type(feature: Feature) -> str:
    """Return the type of bytes for the reader, or an empty string."""
    if isinstance(feature, TextFeature):
        return "text"
    is_double = isinstance(feature, NumberFeature) and feature.dtype == "float64"
    return "float64" if is_double else ""


def _refuse_large(rows: Rows, name: str) -> None:
    """Refuse integers that need more than 63 bits."""
    for _, block in rows.blocks():
        values = block.columns([name])[:][name]
        for part in [values] if isinstance(values, np.ndarray) else values:
            numbers = present(part) if part is not None else np.empty(0)
            if len(numbers) and numbers.max() >= 2**63:
                refuse(rows, name, "holds integers above 2**63 - 1, which TFRecord cannot")


def _converter(feature: Feature) -> Callable[[Any], Any]:
    """Return a function that converts values of a column for `example`."""
    item = feature.of if isinstance(feature, ListFeature) else feature
    if is_file(feature):
        return as_file
    if isinstance(item, TextFeature):
        return _encoded
    if isinstance(item, BytesFeature):
        return lambda value: value
    if isinstance(item, NumberFeature | BoxFeature) and item.dtype == "float64":
        return lambda numbers: np.asarray(numbers, "<f8").tobytes()
    if isinstance(item, DateFeature):  # as counts of the unit since 1970
        return lambda dates: np.asarray(dates).astype(np.int64)
    return lambda numbers: numbers


def _encoded(value: str | list[str]) -> bytes | list[bytes]:
    return value.encode() if isinstance(value, str) else [text.encode() for text in value]


exporter = TfRecord()
