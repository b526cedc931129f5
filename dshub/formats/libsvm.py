"""LIBSVM's text format: `label index:value index:value …`, one row a line.

From LIBSVM's README: indices are whole numbers from 1, in ascending order; a feature that a line
leaves out is 0.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import prod
from typing import Annotated, Literal

import msgspec
import numpy as np
import pyarrow as pa

from dshub.errors import ReadError, SchemaError
from dshub.formats import File, Output, nested
from dshub.formats._records import BATCH_BYTES, Format, flat, only_part, spread
from dshub.formats._texts import line_texts

LARGEST_ROW = 1 << 20  # values; more would be an array, not the features of a row

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
_LINE = re.compile(rf"[+-]?\d{{1,9}}(?:[ \t]+\d{{1,9}}:{_NUMBER})*+[ \t]*", re.ASCII)


class Reader(Format, frozen=True):
    """Read two columns from the only part.

    Attributes:
        shape: of the values of a row, last dimension fastest.
        values: the name of their column: float64, or uint8 if they are scaled.
        label: the name of the column of labels, int64.
        sparse: whether a line can leave features out, which are then 0.
        scale: `uint8` maps values from -1 to 1 to 0 to 255, in float32 and truncated, as
            torchvision does for USPS.
    """

    shape: Annotated[tuple[Annotated[int, msgspec.Meta(ge=1)], ...], msgspec.Meta(min_length=1)]
    values: str = "values"
    label: str = "label"
    sparse: bool = False
    scale: Literal["none", "uint8"] = "none"

    def __post_init__(self) -> None:
        if self._size > LARGEST_ROW:
            raise ValueError(f"`shape` has more than {LARGEST_ROW:,} values")

    @property
    def _size(self) -> int:
        return prod(self.shape)

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        rows = (row for file in only_part(files)[1] for row in self._rows(file))
        step = max(1, BATCH_BYTES // (8 * self._size))
        while batch := list(islice(rows, step)):
            labels, arrays = zip(*batch, strict=True)
            values = nested(np.stack(arrays).reshape(-1, *self.shape))
            columns = {self.label: pa.array(labels, pa.int64()), self.values: values}
            yield pa.RecordBatch.from_pydict(columns)

    def _rows(self, file: File) -> Iterator[tuple[int, np.ndarray]]:
        for number, text in line_texts(file):
            try:
                if text:
                    yield self._row(text)
            except ValueError as error:
                raise ReadError(file=file.name, reason=f"line {number:,} {error}") from None

    def _row(self, text: str) -> tuple[int, np.ndarray]:
        """Parse a line into its label and values; a ValueError completes "line 7 …"."""
        count = text.count(":")
        if count <= self._size and not _LINE.fullmatch(text):
            raise ValueError("is not `label index:value …`")
        if count > self._size or (count < self._size and not self.sparse):
            raise ValueError(f"has {count:,} features, but there are {self._size:,}")
        label, *pairs = text.replace(":", " ").split()
        places = np.array(pairs[::2], np.int64) - 1
        if np.any(np.diff(places, prepend=-1, append=self._size) <= 0):
            raise ValueError(f"has indices that do not ascend from 1 to {self._size:,}")
        values = np.zeros(self._size)
        values[places] = np.array(pairs[1::2], np.float64)
        return int(label), self._scaled(values)

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        if not np.all(np.isfinite(values)):
            raise ValueError("has a number that is too large")
        if self.scale == "none":
            return values
        if np.any(np.abs(values) > 1):
            raise ValueError("has a number that is not between -1 and 1")
        # the same order of operations as torchvision's, because each rounds
        return ((values.astype(np.float32) + 1) / 2 * 255).astype(np.uint8)

    def filled(self) -> Iterable[str]:
        return [self.label]

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        for sink, some in spread(rows, only_part(parts)[1]):
            labels = flat(some, self.label, where="LIBSVM").astype(np.int64)
            values = flat(some, self.values, where="LIBSVM")
            if prod(values.shape[1:]) != self._size:
                expected, got = f"{self._size:,} values a row", f"{prod(values.shape[1:]):,}"
                raise SchemaError(where="LIBSVM", expected=expected, got=got)
            if self.scale == "uint8":  # the middle of the values that are truncated to these
                values = np.minimum((values.astype(np.float64) + 0.5) / 255 * 2 - 1, 1).round(6)
            for label, row in zip(labels.tolist(), values, strict=True):
                numbers = enumerate(row.reshape(-1).tolist(), 1)
                pairs = " ".join(f"{i}:{value!r}" for i, value in numbers)
                sink.write(f"{label} {pairs}\n".encode())
