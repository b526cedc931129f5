"""LIBSVM's text format: `label index:value index:value …`, a row a line.

As LIBSVM's README describes it: indices are whole numbers from 1, in ascending order; a feature
that a line leaves out is 0.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import msgspec
import numpy as np
import pyarrow as pa

from dshub.errors import ReadError, SchemaError
from dshub.formats._records import flat, nested, with_numbers
from dshub.formats._texts import line_texts, only_part, spread

if TYPE_CHECKING:
    from dshub.formats import File, Output

BATCH_BYTES = 8 << 20
LARGEST_ROW = 1 << 20  # values; more would be an array, not the features of a row

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
_LINE = re.compile(rf"[+-]?\d{{1,9}}(?:[ \t]+\d{{1,9}}:{_NUMBER})*+[ \t]*", re.ASCII)


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reads one part, whatever its name, into two columns; several files follow one another.

    Attributes:
        shape: of the values of a row, last dimension fastest; as many values are its product.
        values: the name of their column: float64, or uint8 where they are scaled.
        label: the name of the column of labels, int64: the whole number that stands there.
        sparse: whether a line may leave features out, which are then 0.
        scale: `uint8` turns values from -1 to 1 into 0 to 255, in float32 and cut off, as
            torchvision does for USPS.
    """

    text_labels: ClassVar[bool] = False

    shape: Annotated[tuple[Annotated[int, msgspec.Meta(ge=1)], ...], msgspec.Meta(min_length=1)]
    values: str = "values"
    label: str = "label"
    sparse: bool = False
    scale: Literal["none", "uint8"] = "none"

    def __post_init__(self) -> None:
        if prod(self.shape) > LARGEST_ROW:
            raise ValueError(f"`shape` holds more than {LARGEST_ROW:,} values")

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        _, found = only_part(files, reader="libsvm")
        for file in found:
            yield from self._batches(file)

    def _batches(self, file: "File") -> Iterator[pa.RecordBatch]:
        step = max(1, BATCH_BYTES // (8 * prod(self.shape)))
        labels: list[int] = []
        rows: list[np.ndarray] = []
        for number, text in line_texts(file):
            if not text:
                continue
            try:
                label, row = self._row(text)
            except ValueError as error:
                raise ReadError(file=file.name, reason=f"line {number:,} {error}") from None
            labels.append(label)
            rows.append(row)
            if len(rows) == step:
                yield self._batch(labels, rows)
                labels, rows = [], []
        if rows:
            yield self._batch(labels, rows)

    def _batch(self, labels: list[int], rows: list[np.ndarray]) -> pa.RecordBatch:
        values = nested(np.stack(rows).reshape(len(rows), *self.shape))
        return pa.RecordBatch.from_pydict(
            {self.label: pa.array(labels, pa.int64()), self.values: values}
        )

    def _row(self, text: str) -> tuple[int, np.ndarray]:
        """Label and values (features,) of a line; ValueError says what is wrong with it."""
        size = prod(self.shape)
        if text.count(":") > size:  # before memory goes into each of them
            raise ValueError(f"has {text.count(':'):,} features, but there are {size:,}")
        if not _LINE.fullmatch(text):
            raise ValueError("is not `label index:value …`")
        label, *pairs = text.replace(":", " ").split()
        places = np.array(pairs[::2], np.int64) - 1
        if np.any(np.diff(places) <= 0) or np.any(places < 0) or np.any(places >= size):
            raise ValueError(f"has other indices than 1 to {size:,} in ascending order")
        if not self.sparse and len(places) < size:
            raise ValueError(f"has {len(places):,} features, but there are {size:,}")
        values = np.zeros(size)
        values[places] = np.array(pairs[1::2], np.float64)
        return int(label), self._scaled(values)

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        if not np.all(np.isfinite(values)):
            raise ValueError("holds a number that is too large")
        if self.scale == "none":
            return values
        if np.any(np.abs(values) > 1):
            raise ValueError("holds a number that is not between -1 and 1")
        # the same order of operations as torchvision's, as each rounds
        scaled: np.ndarray = ((values.astype(np.float32) + 1) / 2 * 255).astype(np.uint8)
        return scaled

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """A label that no feature asks for is the row's number."""
        return with_numbers(rows, [self.label], first)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        labels = flat(rows, self.label, where="LIBSVM").astype(np.int64)
        values = flat(rows, self.values, where="LIBSVM").reshape(len(labels), -1)
        size = prod(self.shape)
        if values.shape[1] != size:
            got = f"{values.shape[1]:,}"
            raise SchemaError(where="LIBSVM", expected=f"{size:,} values a row", got=got)
        _, output = only_part(parts, reader="libsvm")
        told = [
            _line(int(label), self._unscaled(row))
            for label, row in zip(labels, values, strict=True)
        ]
        for sink, own in spread(pa.RecordBatch.from_pydict({"line": told}), output):
            sink.write("".join(own.column("line").to_pylist()).encode())

    def _unscaled(self, row: np.ndarray) -> np.ndarray:
        """Values that are read as these: where they are cut off, from the middle of the step."""
        if self.scale == "none":
            return row
        return np.minimum((row.astype(np.float64) + 0.5) / 255 * 2 - 1, 1).round(6)


def _line(label: int, row: np.ndarray) -> str:
    pairs = " ".join(f"{i}:{value!r}" for i, value in enumerate(row.tolist(), 1))
    return f"{label} {pairs}\n"
