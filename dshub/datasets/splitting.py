"""Divide rows into parts and folds, also with classes in equal proportion; filter rows."""

from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from dshub._validate import called, whole
from dshub.datasets.mapping import calling, plain
from dshub.datasets.values import single_values
from dshub.errors import ArgumentError
from dshub.loading.order import key_of, permute

if TYPE_CHECKING:
    from dshub.datasets.dataset import Dataset


def cut(total: int, shares: tuple[float, ...]) -> list[slice]:
    """Divide `total` rows into consecutive parts: one for each share, one for the rest.

    Raises:
        ArgumentError: a share is not above 0, or they add up to more than 1.
    """
    valid = bool(shares) and all(isinstance(share, Real) and share > 0 for share in shares)
    whole = float(sum(shares)) if valid else 0
    if not 0 < whole <= 1 + 1e-9:
        expected = "shares of the rows, each above 0, that add up to at most 1"
        raise ArgumentError(name="shares", value=shares, expected=expected)
    ends = [round(total * share) for share in np.cumsum(shares)]
    ends += [] if abs(whole - 1) < 1e-9 else [total]
    return [slice(start, stop) for start, stop in zip([0, *ends[:-1]], ends, strict=True)]


def stratified(
    classes: np.ndarray, shares: tuple[float, ...], seed: int | None
) -> list[np.ndarray]:
    """Divide rows so that each class has the same proportion in all parts.

    The rows of each class are spread evenly over (0, 1), then all rows are sorted by that place
    and cut. So a part has as many rows as without classes, and its share of each class, give or
    take a row.

    Args:
        classes: int64 (rows,), the class of each row.
        shares: as for `cut`.
        seed: shuffle with it first; None keeps the order.

    Returns:
        int64 rows of each part, in the order of the rows.
    """
    order = _order(len(classes), seed)
    shuffled = classes[order]
    by_class = np.argsort(shuffled, kind="stable")
    counts = np.bincount(shuffled)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    place = (np.arange(len(shuffled)) - first + 0.5) / np.repeat(counts, counts)
    spread = by_class[np.argsort(place, kind="stable")]
    return [order[np.sort(spread[part])] for part in cut(len(shuffled), shares)]


def fold(total: int, count: int, seed: int | None, classes: np.ndarray | None) -> np.ndarray:
    """Assign each row to one of `count` folds, int64 (total,).

    Folds differ by at most a row, and so do the rows of each class in them if `classes` are given.

    Raises:
        ArgumentError: there are fewer rows than folds, or fewer than 2 folds.
    """
    if total < 2:
        raise ArgumentError(name="count", value=count, expected=f"left: {total} rows make no folds")
    count = whole("count", count, least=2, most=total)
    order = _order(total, seed)
    numbers = np.empty(total, np.int64)
    if classes is None:
        numbers[order] = np.arange(total) * count // total
    else:  # deal the rows, class by class, like cards
        numbers[order[np.argsort(classes[order], kind="stable")]] = np.arange(total) % count
    return numbers


def _order(total: int, seed: int | None) -> np.ndarray:
    rows = np.arange(total, dtype=np.int64)
    return rows if seed is None else permute(rows, total, key_of(whole("seed", seed), 0))


def class_numbers(view: "Dataset", name: str) -> np.ndarray:
    """Number the distinct values of a column; returns the number of each row, int64 (rows,).

    Raises:
        UnknownNameError: there is no such column.
        SchemaError: its rows are not single values.
    """
    _, numbers = np.unique(np.asarray(single_values(view, name)), return_inverse=True)
    return numbers.reshape(-1).astype(np.int64)


def kept_rows(view: "Dataset", keep: Callable[[Any], Any], block: int) -> np.ndarray:
    """Find the rows for which `keep` is true; int64.

    `keep` is called with columns of `block` rows, and must return a bool for each. If that fails
    for the first block, or gives something else, it is called with each row.

    Raises:
        ArgumentError: `keep` is not a function, or does not return bools.
        FunctionError: it fails for a row.
    """
    called("keep", keep, "a row or a batch that returns a bool, or a bool for each row")
    masks = [np.zeros(0, bool)]
    by_row = len(view) > 0 and not _takes_batches(view[:block], min(block, len(view)), keep)
    for start in range(0, len(view), block):
        columns, rows = view[start : start + block], min(block, len(view) - start)
        if by_row:
            mask = np.array([_kept(view, keep, columns, start, row) for row in range(rows)], bool)
        else:
            where = f"rows {start:,} to {start + rows - 1:,}"
            with calling("filter", keep, where, columns):
                mask = np.asarray(keep(columns))
            if mask.shape != (rows,) or mask.dtype != bool:
                raise _not_bools(keep, f"{mask.dtype} {mask.shape}")
        masks.append(mask)
    return np.flatnonzero(np.concatenate(masks))


def _takes_batches(columns: Any, rows: int, keep: Callable[[Any], Any]) -> bool:
    """Try `keep` on a batch."""
    try:
        mask = np.asarray(keep(dict(columns)))
    except Exception:  # noqa: BLE001  # a function of rows can fail in any way
        return False
    return mask.shape == (rows,) and mask.dtype == bool


def _kept(view: "Dataset", keep: Callable[[Any], Any], columns: Any, start: int, row: int) -> bool:
    values = {name: plain(column[row]) for name, column in columns.items()}
    with calling("filter", keep, view.where(start + row), values):
        answer = keep(values)
    if not isinstance(answer, bool | np.bool_):
        raise _not_bools(keep, type(answer).__name__)
    return bool(answer)


def _not_bools(keep: object, got: str) -> ArgumentError:
    expected = "a function that returns True or False for a row, or a bool for each row of a batch"
    return ArgumentError(name="keep", value=keep, expected=f"{expected}, not {got}")
