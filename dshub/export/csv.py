"""Export to CSV as in RFC 4180: UTF-8, with a header, and with quotes where necessary.

Labels are written by name, and dates in ISO 8601. Numbers have as many digits as are needed to read
back the same value. Missing values are empty fields.
"""

import csv
from collections.abc import Iterable, Mapping
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
from dshub.export._rows import Columns, Exporter, Rows, date_text, is_missing, kind_of, refuse
from dshub.export._stored import Stored, by_name


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

    def stored(self, features: Mapping[str, Feature], supervised: Columns) -> Stored:
        del supervised
        missing = [name for name, feature in features.items() if feature.optional]
        options = {"columns": list(features), "header": True}
        options |= {"missing": missing} if missing else {}
        shown = {name: by_name(feature) for name, feature in features.items()}
        return Stored({"format": "delimited", **options}, shown)


def _cells(values: Any, feature: Feature) -> Iterable[Any]:
    # NumPy prints numbers with as few digits as their dtype allows
    if isinstance(feature, LabelFeature):
        values = [number if number is np.ma.masked else feature.names[number] for number in values]
    if isinstance(feature, DateFeature):
        return ["" if is_missing(value, feature) else date_text(value, feature) for value in values]
    if not feature.optional:
        return cast("Iterable[Any]", values)
    return ["" if is_missing(value, feature) else value for value in values]


exporter = Csv()
