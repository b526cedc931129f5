"""Where in a split a value stands, for errors."""

from collections.abc import Callable

import numpy as np

from dshub.errors import SchemaError


class Place:
    """A column of a batch.

    Args:
        where: dataset, split and column.
        first_row: number of the batch's first row in its split.
        row_of: the row, within the batch, of a value; values are rows where not given.
    """

    def __init__(
        self, where: str, first_row: int, row_of: Callable[[int], int] = lambda value: value
    ) -> None:
        self.where, self._first_row, self._row_of = where, first_row, row_of

    def within(self, offsets: np.ndarray) -> "Place":
        """The place of the values of lists that begin at those offsets."""
        return Place(
            self.where,
            self._first_row,
            lambda value: int(np.searchsorted(offsets, value, side="right")) - 1,
        )

    def within_rows(self, size: int) -> "Place":
        """The place of values of which each row has `size`."""
        if size == 1:
            return self
        return Place(self.where, self._first_row, lambda value: self._row_of(value // size))

    def fault(self, value: int, *, expected: str, got: str) -> SchemaError:
        """What is wrong with a value."""
        row = self._first_row + self._row_of(value)
        return SchemaError(where=f"{self.where}, row {row}", expected=expected, got=got)
