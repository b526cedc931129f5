"""LIBSVM's text format, with one row `label index:value index:value …` per line.

According to LIBSVM's README, indices are integers from 1, in ascending order, and features missing
from a line are 0.
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

LARGEST_ROW = 1 << 20  # values per row

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
_LINE = re.compile(rf"[+-]?\d{{1,9}}(?:[ \t]+\d{{1,9}}:{_NUMBER})*+[ \t]*", re.ASCII)


class Reader(Format, frozen=True):
    """Read a column of labels and a column of values from the only part.

    Attributes:
        shape: shape of a row's values, with the last dimension contiguous.
        values: name of the column of values, which is float64, or uint8 if `scale` is `uint8`.
        label: name of the column of labels, which is int64.
        sparse: whether lines can omit features, which are then 0.
        scale: `uint8` maps the range -1 to 1 to the range 0 to 255, computed in float32 and
            truncated, as torchvision does for USPS.
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
        """Parse a line into its label and values.

        Raises:
            ValueError: the line is malformed; the message continues "line 7".
        """
        count = text.count(":")
        if count <= self._size and not _LINE.fullmatch(text):
            raise ValueError("is not `label index:value …`")
        if count > self._size or (count < self._size and not self.sparse):
            raise ValueError(f"does not have {self._size:,} features as in `shape`, but {count:,}")
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
        # same order of operations as in torchvision, because each one rounds
        return ((values.astype(np.float32) + 1) / 2 * 255).astype(np.uint8)

    def filled(self) -> Iterable[str]:
        return [self.label]

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        for sink, some in spread(rows, only_part(parts)[1]):
            labels = flat(some, self.label, where="LIBSVM").astype(np.int64)
            values = flat(some, self.values, where="LIBSVM")
            if prod(values.shape[1:]) != self._size:
                expected, got = f"{self._size:,} values per row", f"{prod(values.shape[1:]):,}"
                raise SchemaError(where="LIBSVM", expected=expected, got=got)
            if self.scale == "uint8":  # 0.5 keeps rounding errors from changing the integer
                values = np.minimum((values.astype(np.float64) + 0.5) / 255 * 2 - 1, 1).round(6)
            for label, row in zip(labels.tolist(), values, strict=True):
                numbers = enumerate(row.reshape(-1).tolist(), 1)
                pairs = " ".join(f"{i}:{value!r}" for i, value in numbers)
                sink.write(f"{label} {pairs}\n".encode())
