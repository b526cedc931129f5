"""Lists of rows that were read as one batch, for libraries that request single rows."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from dshub.loading.pairs import Row


def rows_of(values: Any, count: int) -> Iterator[Any]:
    """Yield the rows of a batch, which is a pair, a dict of columns or a single column."""
    if isinstance(values, tuple):
        return zip(*(rows_of(part, count) for part in values), strict=True)
    if isinstance(values, dict):
        rows: list[dict[str, Any]] = [Row() for _ in range(count)]
        for name, column in values.items():
            for row, value in zip(rows, rows_of(column, count), strict=True):
                row[name] = value
        return iter(rows)
    is_numbers = getattr(values, "ndim", 0) == 1
    return iter(values.tolist() if is_numbers else values)


class FetchedRows(list[Any]):
    """Rows of a batch, which become dicts or pairs on first access.

    The class is a list, because functions that pad tokenized rows require one.

    Attributes:
        batch: columns as a dict, or a pair `(x, y)`; None after the batch is split into rows.
    """

    def __init__(self, batch: Any, count: int) -> None:
        super().__init__()
        self.batch: Any = batch
        self._count = count

    def __len__(self) -> int:
        return super().__len__() if self.batch is None else self._count

    def __radd__(self, rows: list[Any]) -> list[Any]:
        return [*rows, *self]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def split(self) -> None:
        """Split the batch into rows on the first call."""
        if self.batch is not None:
            batch, self.batch = self.batch, None
            self.extend(rows_of(batch, self._count))


def _after_split(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(rows: FetchedRows, *args: Any, **kwargs: Any) -> Any:
        rows.split()
        return method(rows, *args, **kwargs)

    return call


_OWN = "__class_getitem__ __doc__ __getattribute__ __hash__ __init__ __len__ __new__"
for _name in vars(list).keys() - set(_OWN.split()):
    setattr(FetchedRows, _name, _after_split(getattr(list, _name)))
