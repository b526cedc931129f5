"""TFRecord files of `tf.train.Example`, without TensorFlow.

Pictures and recordings are the files they are kept as, raw pixels PNG; text is UTF-8; classes are
numbers; arrays and lists are flattened. Floats have 32 bits there, so float64 is written as bytes,
for ``tf.io.decode_raw(…, tf.float64)``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dshub.errors import DshubError
from dshub.export._example import example, write_records
from dshub.export._pictures import as_file, is_file
from dshub.export._rows import Rows
from dshub.loader import Batch
from dshub.manifest import Feature, ListFeature, NumberFeature, TextFeature


@dataclass(frozen=True)
class TfRecord:
    """Shards of records, a row each."""

    kind: Literal["shards"] = "shards"
    suffixes: tuple[str, ...] = (".tfrecord",)
    revision: int = 1

    def check(self, rows: Rows) -> None:
        """It holds every kind of column; whole numbers above 2**63 - 1 are found when written."""

    def write(self, path: Path, rows: Rows) -> None:
        makers = {name: _maker(feature) for name, feature in rows.features.items()}
        with path.with_name(f"{path.name}{self.suffixes[0]}").open("wb") as sink:
            for start, batch in rows.batches():
                _check_range(rows, start, batch)
                columns = {name: map(makers[name], values) for name, values in batch.items()}
                made = zip(*columns.values(), strict=True)
                write_records(sink, [example(dict(zip(columns, row, strict=True))) for row in made])


def _maker(feature: Feature) -> Callable[[Any], Any]:
    """What makes the value of a feature of an Example."""
    item = feature.of if isinstance(feature, ListFeature) else feature
    if is_file(feature):
        return as_file
    if isinstance(item, TextFeature):
        if isinstance(feature, ListFeature):
            return lambda texts: [text.encode() for text in texts]
        return lambda text: text.encode()
    if isinstance(item, NumberFeature) and item.dtype == "float64":
        return lambda numbers: np.asarray(numbers, "<f8").tobytes()
    return lambda numbers: numbers


def _check_range(rows: Rows, start: int, batch: Batch) -> None:
    """Whole numbers are signed there, and have 64 bits."""
    for name, values in batch.items():
        for number, value in enumerate(values, start):
            if getattr(value, "dtype", None) != np.uint64:
                break  # every row has the same dtype
            if np.any(value > np.uint64(np.iinfo(np.int64).max)):
                told = f"{rows.title}, column {name}, row {number}: a number above 2**63 - 1"
                raise DshubError(told, hint="TFRecord has none: export to parquet, arrow or npz")


exporter = TfRecord()
