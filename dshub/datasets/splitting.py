"""Divide rows into parts or folds, optionally stratified, and filter rows."""

from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from dshub._validate import called, whole
from dshub.datasets.values import single_values
from dshub.errors import ArgumentError
from dshub.loading.calling import calling
from dshub.loading.order import key_of, permute
from dshub.tables.missing import item

if TYPE_CHECKING:
    from dshub.datasets.dataset import Dataset


def cut(total: int, shares: tuple[float, ...]) -> list[slice]:
    """Divide `total` rows into consecutive parts, one for each share and one for the remainder.

    Raises:
        ArgumentError: a share is not above 0, or the shares add up to more than 1.
    """
    valid = bool(shares) and all(isinstance(share, Real) and share > 0 for share in shares)
    used = float(sum(shares)) if valid else 0
    if not 0 < used <= 1 + 1e-9:
        expected = "shares of the rows, each above 0, that add up to at most 1"
        raise ArgumentError(name="shares", value=shares, expected=expected)
    ends = [round(total * share) for share in np.cumsum(shares)]
    ends += [] if abs(used - 1) < 1e-9 else [total]
    return [slice(start, stop) for start, stop in zip([0, *ends[:-1]], ends, strict=True)]


def cut_stratified(
    classes: np.ndarray, shares: tuple[float, ...], seed: int | None
) -> list[np.ndarray]:
    """Divide rows so that each class has the same proportion in all parts.

    The rows of each class are spread evenly over (0, 1), and all rows are sorted by these values
    and cut. Each part has as many rows as without stratification, and its share of each class to
    within one row.

    Args:
        classes: class of each row, int64 (rows,).
        shares: fraction of the rows in each part, as in `cut`.
        seed: seed for shuffling before the split; None keeps the order of rows.

    Returns:
        The int64 row numbers of each part, in the shuffled or original order.
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

    Fold sizes differ by at most one row. If `classes` is passed, the number of rows of each class
    also differs by at most one between folds.

    Raises:
        ArgumentError: there are fewer than 2 folds, or more folds than rows.
    """
    if total < 2:
        expected = f"at most the number of rows, {total}; folds need at least 2 rows"
        raise ArgumentError(name="count", value=count, expected=expected)
    count = whole("count", count, least=2, most=total)
    order = _order(total, seed)
    numbers = np.empty(total, np.int64)
    if classes is None:
        numbers[order] = np.arange(total) * count // total
    else:  # deal rows to the folds in turn, class by class
        numbers[order[np.argsort(classes[order], kind="stable")]] = np.arange(total) % count
    return numbers


def _order(total: int, seed: int | None) -> np.ndarray:
    rows = np.arange(total, dtype=np.int64)
    return rows if seed is None else permute(rows, total, key_of(whole("seed", seed), 0))


def class_numbers(view: "Dataset", name: str) -> np.ndarray:
    """Number the distinct values of a column, and return the number of each row, int64 (rows,).

    Raises:
        UnknownNameError: the column does not exist.
        SchemaError: the rows of the column are not single values.
    """
    _, numbers = np.unique(np.asarray(single_values(view, name)), return_inverse=True)
    return numbers.reshape(-1).astype(np.int64)


def filter_rows(view: "Dataset", keep: Callable[[Any], Any], block: int) -> np.ndarray:
    """Return the rows for which `keep` is true, int64.

    `keep` is called with columns of `block` rows, and must return a bool for each row. If the first
    call fails or returns anything else, `keep` is called with single rows.

    Raises:
        ArgumentError: `keep` is not callable, or does not return bools.
        FunctionError: `keep` fails for a row.
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
            with calling("filter", keep, where.__str__, columns):
                mask = np.asarray(keep(columns))
            if mask.shape != (rows,) or mask.dtype != bool:
                raise _not_bools(keep, f"{mask.dtype} {mask.shape}")
        masks.append(mask)
    return np.flatnonzero(np.concatenate(masks))


def _takes_batches(columns: Any, rows: int, keep: Callable[[Any], Any]) -> bool:
    """Return True if `keep` accepts a batch and returns a bool for each row."""
    try:
        mask = np.asarray(keep(dict(columns)))
    except Exception:  # noqa: BLE001  # a function of rows can fail in any way
        return False
    return mask.shape == (rows,) and mask.dtype == bool


def _kept(view: "Dataset", keep: Callable[[Any], Any], columns: Any, start: int, row: int) -> bool:
    values = {name: item(column[row]) for name, column in columns.items()}
    with calling("filter", keep, lambda: view.where(start + row), values):
        answer = keep(values)
    if not isinstance(answer, bool | np.bool_):
        raise _not_bools(keep, type(answer).__name__)
    return bool(answer)


def _not_bools(keep: object, got: str) -> ArgumentError:
    expected = "a function that returns True or False for a row, or a bool for each row of a batch"
    return ArgumentError(name="keep", value=keep, expected=f"{expected}, not {got}")


def evenly(rows: np.ndarray, count: int) -> np.ndarray:
    """Return up to `count` of the rows, spread evenly over all of them."""
    count = min(count, len(rows))
    return rows[np.arange(count) * len(rows) // max(count, 1)]


def balanced(classes: np.ndarray, count: int) -> np.ndarray:
    """Return up to `count` row numbers in order, from all classes equally often if possible.

    Args:
        classes: class of each row.
        count: number of rows. Classes with too few rows leave the rest to the others.
    """
    values, sizes = np.unique(classes, return_counts=True)
    shares, left = np.zeros(len(values), np.int64), min(count, len(classes))
    while left:
        unfinished = np.flatnonzero(shares < sizes)[:left]
        more = np.minimum(max(left // len(unfinished), 1), (sizes - shares)[unfinished])
        shares[unfinished] += more
        left -= int(more.sum())
    parts = [
        evenly(np.flatnonzero(classes == value), share)
        for value, share in zip(values, shares.tolist(), strict=True)
        if share
    ]
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)
