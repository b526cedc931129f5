"""Count and name rows that could not be decoded."""

import threading
import warnings
from typing import Any, Literal

OnError = Literal["raise", "skip", "substitute"]
"""Action of a loader for a row that cannot be decoded.

* `raise`: raise the error.
* `skip`: leave the row out of its batch, which gets smaller. If no row of a batch can be decoded,
  its first row is substituted, so that no batch is empty.
* `substitute`: replace all columns of the row by those of the next row of the dataset that can be
  decoded. If none of the next 99 rows can be decoded, the error is raised.

Other rows keep their place, and batches, ranks and workers do not change what replaces a row.
"""

SHOWN = 20  # rows whose errors are kept


class BadRows:
    """Rows that could not be decoded, in the batches that this process prepared.

    Args:
        mode: what happens to the rows.
        warns: whether to warn when an epoch ends; otherwise, another process takes the rows.

    Attributes:
        counts: number of different rows, by epoch.
        first: error messages of the first rows, by row number.
    """

    def __init__(self, mode: OnError, *, warns: bool = True) -> None:
        self.counts: dict[int, int] = {}
        self.first: dict[int, str] = {}
        self._mode, self._warns = mode, warns
        self._rows: dict[int, set[int]] = {}  # epochs that can continue
        self._warned = -1
        self._taken: list[tuple[int, int, str]] = []
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def __repr__(self) -> str:
        epochs = ", ".join(f"{count:,} in epoch {epoch}" for epoch, count in self.counts.items())
        return f"<BadRows: {epochs or 'none'}>"

    def __len__(self) -> int:
        """Return the number of different rows in the latest epoch."""
        return list(self.counts.values())[-1] if self.counts else 0

    def add(self, epoch: int, row: int, message: str) -> None:
        """Add a row, which can be added several times."""
        self.warn(before=epoch)
        with self._lock:
            rows = self._rows.setdefault(epoch, set())
            if row in rows:
                return
            rows.add(row)
            self.counts[epoch] = len(rows)
            if len(self.first) < SHOWN:
                self.first.setdefault(row, message)
            if not self._warns:
                self._taken.append((epoch, row, message))

    def take(self) -> tuple[tuple[int, int, str], ...]:
        """Return the epoch, row and message of rows that were added since the last call."""
        with self._lock:
            taken, self._taken = tuple(self._taken), []
        return taken

    def warn(self, *, before: int) -> None:
        """Warn about the rows of epochs before `before`, once for each epoch."""
        with self._lock:
            ended = [epoch for epoch in self._rows if self._warned < epoch < before]
            self._warned = max([self._warned, *ended])
            for epoch in [epoch for epoch in self._rows if epoch < before - 1]:
                del self._rows[epoch]
        for epoch in ended if self._warns else ():
            count = self.counts[epoch]
            rows = "1 row that" if count == 1 else f"{count:,} rows that"
            verb = "skipped" if self._mode == "skip" else "substituted"
            example = next(iter(self.first.values()))
            text = f"epoch {epoch}: {verb} {rows} cannot be decoded, such as {example}"
            warnings.warn(f"{text}; `loader.errors` has the details", stacklevel=2)
