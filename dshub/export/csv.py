"""Export to CSV as in RFC 4180: UTF-8, with a header, and with quotes where necessary.

Labels are written by name. Numbers have as many digits as are needed to read back the same value.
"""

import csv
from pathlib import Path

from dshub.catalog.features import LabelFeature, NumberFeature, TextFeature
from dshub.export._rows import Exporter, Rows, kind_of, refuse


class Csv(Exporter):
    """Exporter of CSV shards, each with a header."""

    suffixes = (".csv",)

    def check(self, rows: Rows) -> None:
        for name, feature in rows.features.items():
            number = isinstance(feature, NumberFeature) and not feature.shape
            if not number and not isinstance(feature, LabelFeature | TextFeature):
                refuse(rows, name, f"holds {kind_of(feature)}, which CSV cannot")

    def write(self, path: Path, rows: Rows) -> None:
        labels = {n: f.names for n, f in rows.features.items() if isinstance(f, LabelFeature)}
        with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as sink:
            writer = csv.writer(sink)
            writer.writerow(rows.features)
            for _, batch in rows.batches():
                for name, classes in labels.items():
                    batch[name] = [classes[number] for number in batch[name]]
                # NumPy prints numbers with as few digits as their dtype allows
                writer.writerows(zip(*batch.values(), strict=True))


exporter = Csv()
