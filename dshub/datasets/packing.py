"""Cut concatenated lists of tokens into windows, for language models."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dshub.catalog.features import LabelFeature, ListFeature, NumberFeature
from dshub.datasets.selection import digest
from dshub.datasets.sources import Source
from dshub.errors import SchemaError
from dshub.tables.columns import Values

if TYPE_CHECKING:
    from dshub.datasets.column_views import ColumnViews

BLOCK = 1 << 16  # rows per read

Rows = range | np.ndarray


class PackedSource(Source):
    """Windows of concatenated lists, each with a target window one token ahead.

    Row i of `column` is tokens[i * length : (i + 1) * length], and row i of `target` is
    tokens[i * length + 1 : (i + 1) * length + 1], as in `keras.utils.timeseries_dataset_from_array`
    or GPT training. Tokens at the end that do not fill a window are dropped.

    Args:
        view: view with the lists.
        column: name of the column with lists of numbers.
        length: number of tokens per window.
        target: name of the column of target windows.

    Raises:
        UnknownNameError: the column does not exist.
        SchemaError: the column does not hold lists of numbers, or has too few tokens for one
            window.
    """

    def __init__(self, view: "ColumnViews", column: str, length: int, target: str) -> None:
        view = view.columns([column])
        feature = view.features[column]
        item = feature.of if isinstance(feature, ListFeature) else None
        numbers = isinstance(item, NumberFeature) and not item.shape
        numbers |= isinstance(feature, NumberFeature) and len(feature.shape) == 1
        if not numbers and not isinstance(item, LabelFeature):
            raise SchemaError(
                where=f"column {column}",
                expected="lists of numbers, such as token ids",
                got=f"{type(feature).__name__.removesuffix('Feature').lower()}s",
                hint="convert text to lists of token ids with ds.map(tokenize)",
            )
        self._view, self._column, self._length = view, column, length
        self.manifest = view.manifest
        self.rows = max(0, (len(self._tokens) - 1) // length)
        if not self.rows:
            raise SchemaError(
                where=f"column {column}",
                expected=f"more than {length:,} tokens in total, to fill a window",
                got=f"{len(self._tokens):,} tokens",
                hint="pass a smaller length",
            )
        window = NumberFeature(dtype=self._tokens.dtype.name, shape=(length,))  # type: ignore[arg-type]
        self.features = {column: window, target: window}

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, without the tokens, which are read again when needed."""
        return {name: value for name, value in vars(self).items() if name != "_tokens"}

    @cached_property
    def _tokens(self) -> np.ndarray:
        """Tokens of all rows, (tokens,)."""
        pieces = [
            np.concatenate(lists)
            for start in range(0, len(self._view), BLOCK)
            if (
                lists := [
                    row for row in self._view[start : start + BLOCK][self._column] if len(row)
                ]
            )
        ]
        return np.concatenate(pieces) if pieces else np.empty(0, np.int64)

    @cached_property
    def identity(self) -> list[str]:
        return [self._view.fingerprint, "packed", str(self._length), *self.features]

    @cached_property
    def row_identity(self) -> str:
        return digest(self._view.row_identity, "packed", str(self._length))

    def where(self, row: int) -> str:
        return f"window {row} of column {self._column}"

    def read(self, name: str, rows: Rows) -> Values:
        shift = 0 if name == self._column else 1
        tokens = self._tokens[shift : shift + self.rows * self._length]
        windows = tokens.reshape(self.rows, self._length)
        if isinstance(rows, range):
            return windows[rows.start : rows.stop]
        return windows.take(rows, axis=0)
