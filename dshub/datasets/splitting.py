"""Divide rows into parts or folds, optionally stratified, and filter rows."""

from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from dshub._validate import called, whole
from dshub.catalog.features import LabelFeature, NumberFeature, TextFeature
from dshub.errors import ArgumentError, SchemaError
from dshub.loading.order import key_of, permute

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
    values, feature = view[name], view.features[name]
    single = isinstance(feature, LabelFeature | TextFeature)
    if not single and not (isinstance(feature, NumberFeature) and not feature.shape):
        got = f"{type(feature).__name__.removesuffix('Feature').lower()}s"
        raise SchemaError(
            where=f"column {name}",
            expected="a class, number or text in each row",
            got=got,
            hint="stratify by another column",
        )
    _, numbers = np.unique(np.asarray(values), return_inverse=True)
    return numbers.reshape(-1).astype(np.int64)


def filter_rows(view: "Dataset", keep: Callable[[Any], np.ndarray], block: int) -> np.ndarray:
    """Return the row numbers that `keep` selects, int64.

    Raises:
        ArgumentError: `keep` is not callable, or does not return a bool for each row.
    """
    called("keep", keep, "a batch that returns a bool for each row")
    masks = [np.zeros(0, bool)]
    for start in range(0, len(view), block):
        rows = min(block, len(view) - start)
        mask = np.asarray(keep(view[start : start + block]))
        if mask.shape != (rows,) or mask.dtype != bool:
            got = f"{mask.dtype} {mask.shape}"
            expected = f"a function that returns {rows} bools, not {got}"
            raise ArgumentError(name="keep", value=keep, expected=expected)
        masks.append(mask)
    return np.flatnonzero(np.concatenate(masks))
