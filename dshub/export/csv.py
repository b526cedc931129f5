"""CSV as RFC 4180 has it: UTF-8, a header, text in quotes where it needs them.

Classes are written by name, numbers with as many digits as tell them apart.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dshub.catalog.features import Feature, LabelFeature, NumberFeature, TextFeature
from dshub.export._rows import Rows, kind_of, refuse


@dataclass(frozen=True)
class Csv:
    """Shards of lines, each with the header."""

    kind: Literal["shards"] = "shards"
    suffixes: tuple[str, ...] = (".csv",)
    revision: int = 1

    def check(self, rows: Rows) -> None:
        for name, feature in rows.features.items():
            number = isinstance(feature, NumberFeature) and not feature.shape
            if not number and not isinstance(feature, LabelFeature | TextFeature):
                refuse(rows, name, f"holds {kind_of(feature)}, for which a cell has no form")

    def write(self, path: Path, rows: Rows) -> None:
        target = path.with_name(f"{path.name}{self.suffixes[0]}")
        with target.open("w", encoding="utf-8", newline="") as sink:
            writer = csv.writer(sink)
            writer.writerow(rows.features)
            for _, batch in rows.batches():
                cells = [_cells(rows.features[name], values) for name, values in batch.items()]
                writer.writerows(zip(*cells, strict=True))


def _cells(feature: Feature, values: Any) -> Any:
    """A column of a block, as it is written."""
    if isinstance(feature, LabelFeature):
        return [feature.names[number] for number in values]
    return values  # a number of NumPy writes as few digits as its own width needs


exporter = Csv()
