"""Divide rows into parts and folds, also with classes in equal proportion; filter rows."""

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


def kept_rows(view: "Dataset", keep: Callable[[Any], np.ndarray], block: int) -> np.ndarray:
    """Find the rows for which `keep` is true, called with columns of `block` rows; int64.

    Raises:
        ArgumentError: `keep` is not a function, or does not return a bool for each row.
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
