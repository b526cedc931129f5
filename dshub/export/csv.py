"""Export to CSV as in RFC 4180: UTF-8, with a header, and with quotes where necessary.

Labels are written by name, and dates in ISO 8601. Numbers have as many digits as are needed to read
back the same value. Missing values are empty fields.
"""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np

from dshub.catalog.features import (
    DateFeature,
    Feature,
    LabelFeature,
    NumberFeature,
    TextFeature,
)
from dshub.export._rows import Exporter, Rows, kind_of, refuse


class Csv(Exporter):
    """Exporter of CSV shards, each with a header."""

    suffixes = (".csv",)

    def check(self, rows: Rows) -> None:
        for name, feature in rows.features.items():
            number = isinstance(feature, NumberFeature) and not feature.shape
            if not number and not isinstance(feature, LabelFeature | TextFeature | DateFeature):
                refuse(rows, name, f"holds {kind_of(feature)}, which CSV cannot")

    def write(self, path: Path, rows: Rows) -> None:
        with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as sink:
            writer = csv.writer(sink)
            writer.writerow(rows.features)
            for _, batch in rows.batches():
                columns = [_cells(batch[name], feature) for name, feature in rows.features.items()]
                writer.writerows(zip(*columns, strict=True))


def _cells(values: Any, feature: Feature) -> Iterable[Any]:
    # NumPy prints numbers with as few digits as their dtype allows
    if isinstance(feature, LabelFeature):
        values = [number if number is np.ma.masked else feature.names[number] for number in values]
    if not feature.optional and not isinstance(feature, DateFeature):
        return cast("Iterable[Any]", values)
    return ["" if _is_missing(value) else value for value in values]


def _is_missing(value: Any) -> bool:
    is_nat = isinstance(value, np.datetime64) and bool(np.isnat(value))
    return value is None or value is np.ma.masked or is_nat


exporter = Csv()
