"""Dividing rows: parts by shares, folds, classes in equal proportion; what a filter keeps."""

from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, Protocol

import numpy as np

from dshub._validate import called, whole
from dshub.catalog.features import Feature, LabelFeature, NumberFeature, TextFeature
from dshub.errors import ArgumentError, SchemaError
from dshub.loading.order import key_of, permute


def shared_out(total: int, shares: tuple[float, ...]) -> list[range]:
    """Places of the parts, one behind the other: one for each share, one for what is left.

    Raises:
        ArgumentError: the shares are not above 0, or add up to more than 1.
    """
    valid = bool(shares) and all(isinstance(share, Real) and share > 0 for share in shares)
    whole = float(sum(shares)) if valid else 0
    if not 0 < whole <= 1 + 1e-9:
        expected = "shares of the rows, each above 0, that add up to at most 1"
        raise ArgumentError(name="shares", value=shares, expected=expected)
    ends = [round(total * share) for share in np.cumsum(shares)]
    ends += [] if abs(whole - 1) < 1e-9 else [total]
    return [range(start, stop) for start, stop in zip([0, *ends[:-1]], ends, strict=True)]


def stratified(
    classes: np.ndarray, shares: tuple[float, ...], seed: int | None
) -> list[np.ndarray]:
    """The rows of each part, with each class in the proportion that it has among all.

    The rows of a class are spread evenly over (0, 1), those of all classes together are sorted
    by that, and the parts are cut from the result. So a part has as many rows as without
    classes, and of each class its share, give or take a row.

    Args:
        classes: int64 (rows,), the class of each row.
        shares: as of `shared_out`.
        seed: None takes rows in their order, a number in the order of that seed.

    Returns:
        int64 rows of each part, in the order that the rows had.
    """
    order = _order(len(classes), seed)
    found = classes[order]
    by_class = np.argsort(found, kind="stable")
    counts = np.bincount(found)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    place = (np.arange(len(found)) - first + 0.5) / np.repeat(counts, counts)
    spread = by_class[np.argsort(place, kind="stable")]
    parts = shared_out(len(found), shares)
    return [order[np.sort(spread[part.start : part.stop])] for part in parts]


def dealt(
    total: int, count: int, seed: int | None, classes: np.ndarray | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each of `count` folds the rows outside and inside of it, int64, in ascending order.

    Every row is inside of one fold. Folds differ by at most a row, and so do the rows of a class
    in them where `classes` are given.

    Raises:
        ArgumentError: there are not as many rows as folds, or fewer than 2 folds.
    """
    if total < 2:
        raise ArgumentError(name="count", value=count, expected=f"left: {total} rows make no folds")
    count = whole("count", count, least=2, most=total)
    order = _order(total, seed)
    fold = np.empty(total, np.int64)
    if classes is None:
        fold[order] = np.arange(total) * count // total
    else:  # one after the other, class by class, as cards are dealt
        fold[order[np.argsort(classes[order], kind="stable")]] = np.arange(total) % count
    return [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(count)]


def _order(total: int, seed: int | None) -> np.ndarray:
    rows = np.arange(total, dtype=np.int64)
    return rows if seed is None else permute(rows, total, key_of(whole("seed", seed), 0))


class View(Protocol):
    """Rows in hand, as a dataset gives them."""

    @property
    def features(self) -> Mapping[str, Feature]:
        """The columns and what they hold."""

    def __len__(self) -> int: ...
    def __getitem__(self, key: Any, /) -> Any: ...


def classes_of(view: View, name: str) -> np.ndarray:
    """A number for each value of a column, int64 (rows,), the same where the value is the same.

    Raises:
        UnknownNameError: there is no such column.
        SchemaError: its rows are no single values.
    """
    values, feature = view[name], view.features[name]
    single = isinstance(feature, LabelFeature | TextFeature)
    if not single and not (isinstance(feature, NumberFeature) and not feature.shape):
        got = f"{type(feature).__name__.removesuffix('Feature').lower()}s"
        raise SchemaError(
            where=f"column {name}", expected="a class, number or text in each row", got=got
        )
    _, numbers = np.unique(np.asarray(values), return_inverse=True)
    found: np.ndarray = numbers.reshape(-1).astype(np.int64)
    return found


def kept_by(view: View, keep: Callable[[Any], np.ndarray], block: int) -> np.ndarray:
    """The rows for which `keep` is true, int64; it is called with columns of `block` rows.

    Raises:
        ArgumentError: it is no function.
        ArgumentError: it does not return a bool for each.
    """
    called("keep", keep, "a batch that returns a bool for each row")
    masks = [np.zeros(0, bool)]
    for start in range(0, len(view), block):
        rows = min(block, len(view) - start)
        mask = np.asarray(keep(view[start : start + block]))
        if mask.shape != (rows,) or mask.dtype != bool:
            told = f"a function that returns {rows} bools, not {mask.dtype} {mask.shape}"
            raise ArgumentError(name="keep", value=keep, expected=told)
        masks.append(mask)
    return np.flatnonzero(np.concatenate(masks))
