"""Make batches when some rows cannot be decoded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from dshub.errors import ReadError, SchemaError
from dshub.loading.bad_rows import BadRows, OnError
from dshub.loading.transforms.transform import Batch, Context, Images

DAMAGE = (ReadError, SchemaError)  # errors that belong to one row
SEARCH = 100  # rows to try as a substitute

Failures = dict[int, ReadError | SchemaError]
"""Error of each row that cannot be read, by its index in the batch."""


@dataclass(frozen=True)
class Tolerance:
    """Handling of rows that cannot be decoded; see `OnError`.

    Attributes:
        mode: `skip` or `substitute`.
        total: number of rows of the dataset.
        decode: function that decodes the image files of rows, and adds rows that fail to a dict,
            whose images are undefined.
        read: function that reads the other columns of rows.
        gather: function that gathers rows whose images are decoded.
        found: record of the rows.
    """

    mode: OnError
    total: int
    decode: Callable[[np.ndarray, Context, Failures | None], dict[str, Images]]
    read: Callable[[np.ndarray], Batch]
    gather: Callable[[np.ndarray, Context, Mapping[str, Images]], Batch]
    found: BadRows

    def batch(self, rows: np.ndarray, context: Context, epoch: int) -> tuple[Batch, Context]:
        """Gather rows, and return them with the context of the rows that remain.

        Raises:
            ReadError, SchemaError: none of the next rows can be decoded either.
        """
        failures: Failures = {}
        images = self.decode(rows, context, failures)
        if not failures:
            try:
                return self.gather(rows, context, images), context
            except DAMAGE as error:
                self._probe(rows, failures)
                if not failures:
                    raise error from None
        else:
            self._probe(rows, failures)
        for index, failure in sorted(failures.items()):
            self.found.add(epoch, int(rows[index]), str(failure))
        if self.mode == "skip":
            kept = [index for index in range(len(rows)) if index not in failures] or [0]
            rows, context = rows[kept], _part(context, kept)
            images = {name: _taken(column, kept) for name, column in images.items()}
            failures = {place: failures[i] for place, i in enumerate(kept) if i in failures}
        rows = self._substituted(rows, context, failures, images)
        return self.gather(rows, context, images), context

    def _probe(self, rows: np.ndarray, failures: Failures) -> None:
        """Find the rows whose other columns cannot be read."""
        try:
            self.read(rows)
        except DAMAGE:
            for index in range(len(rows)):
                try:
                    self.read(rows[index : index + 1])
                except DAMAGE as error:
                    failures.setdefault(index, error)

    def _substituted(
        self, rows: np.ndarray, context: Context, failures: Failures, images: dict[str, Images]
    ) -> np.ndarray:
        """Replace bad rows by the next good ones, also in `images`, and return the row numbers."""
        rows = rows.copy()
        for index, error in failures.items():
            row, good = self._next(int(rows[index]), _part(context, [index]), error)
            rows[index] = row
            for name, column in images.items():
                column[index] = good[name][0]
        return rows

    def _next(
        self, row: int, context: Context, error: ReadError | SchemaError
    ) -> tuple[int, dict[str, Images]]:
        """Return the number and the images of the next row that can be decoded."""
        for step in range(1, min(SEARCH, self.total)):
            candidate = np.array([(row + step) % self.total], np.int64)
            try:
                self.read(candidate)
                return int(candidate[0]), self.decode(candidate, context, None)
            except DAMAGE:
                continue
        raise error


def collecting(function: Callable[[int], None], failures: Failures | None) -> Callable[[int], None]:
    """Return a function that adds the errors of rows to a dict; None raises them as before."""
    if failures is None:
        return function

    def call(index: int) -> None:
        try:
            function(index)
        except DAMAGE as error:
            failures.setdefault(index, error)

    return call


def _part(context: Context, indices: list[int]) -> Context:
    """Return the context of some rows of a batch."""
    draws = replace(context.draws, rows=context.draws.rows[indices])
    return replace(context, draws=draws)


def _taken(images: Images, indices: list[int]) -> Images:
    if isinstance(images, np.ndarray):
        return images[indices]
    return [images[index] for index in indices]
