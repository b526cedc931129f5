"""Export to TFRecord: each row is a `tf.train.Example` with its length and CRC-32C checksums."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dshub.catalog.features import (
    BoxFeature,
    BytesFeature,
    DateFeature,
    Feature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.errors import DshubError
from dshub.export._rows import (
    Exporter,
    Rows,
    as_file,
    is_file,
    refuse_missing,
    refuse_structs,
)
from dshub.formats.tfrecord.examples import encode
from dshub.formats.tfrecord.records import crc32c, framed


class TfRecord(Exporter):
    """Exporter of TFRecord shards, with one record per row."""

    suffixes = (".tfrecord",)

    def check(self, rows: Rows) -> None:
        """Check that google-crc32c is installed, and that all columns fit the format."""
        refuse_structs(rows)
        refuse_missing(rows)
        crc32c()

    def write(self, path: Path, rows: Rows) -> None:
        checksum = crc32c()
        converters = {name: _converter(feature) for name, feature in rows.features.items()}
        with path.with_suffix(".tfrecord").open("wb") as sink:
            for number, row in rows.each():
                try:
                    record = encode({name: converters[name](row[name]) for name in row})
                except OverflowError as error:
                    raise DshubError(
                        f"{rows.title}, row {number}: TFRecord integers are at most 2**63 - 1",
                        hint="export to parquet, arrow or npz",
                    ) from error
                sink.write(framed(record, checksum))


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
