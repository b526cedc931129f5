"""Find distinct values of a column, sort rows, and match rows of two datasets."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from dshub.catalog.features import DateFeature, Feature, LabelFeature, NumberFeature, TextFeature
from dshub.errors import SchemaError
from dshub.tables.missing import is_valid

if TYPE_CHECKING:
    from dshub.datasets.dataset import Dataset


def single_values(view: "Dataset", name: str) -> Any:
    """Read a column with one class, number, date or text in each row.

    Raises:
        UnknownNameError: the column does not exist.
        SchemaError: the rows of the column are not single values.
    """
    feature = view.columns([name]).features[name]
    single = isinstance(feature, LabelFeature | TextFeature | DateFeature)
    if not single and not (isinstance(feature, NumberFeature) and not feature.shape):
        got = f"{type(feature).__name__.removesuffix('Feature').lower()}s"
        raise SchemaError(
            where=f"column {name}",
            expected="a class, number, date or text in each row",
            got=got,
            hint="choose another column",
        )
    return view[name]


def sorted_rows(view: "Dataset", name: str, *, reverse: bool) -> np.ndarray:
    """Return the positions of rows sorted by a column, int64; equal rows keep their order.

    Rows without a value come last.
    """
    values = single_values(view, name)
    valid = is_valid(values)
    if not valid.all():
        present = np.flatnonzero(valid)
        inner = sorted_rows(view.select(present), name, reverse=reverse)
        return np.concatenate([present[inner], np.flatnonzero(~valid)])
    if isinstance(values, np.ma.MaskedArray):
        values = values.data
    if isinstance(values, np.ndarray) and not reverse:
        return np.argsort(values, kind="stable")
    if isinstance(values, np.ndarray):  # reversed twice, so that equal rows keep their order
        return len(values) - 1 - np.argsort(values[::-1], kind="stable")[::-1]
    return np.array(sorted(range(len(values)), key=values.__getitem__, reverse=reverse), np.int64)


def distinct(view: "Dataset", name: str) -> list[Any]:
    """Return the distinct values of a column, sorted; missing values are one None at the end."""
    values = single_values(view, name)
    if isinstance(values, np.ndarray):
        found = np.unique(values)
        return list(found) if found.dtype.kind == "M" else found.tolist()
    return sorted(set(values) - {None}) + [None] * (None in values)


def counted(view: "Dataset", name: str) -> dict[Any, int]:
    """Count the rows of each class, in class order, or of each distinct value, in sorted order.

    Rows without a value are counted as None, and NaNs as NaN.
    """
    values, feature = single_values(view, name), view.features[name]
    missing = {}
    if not isinstance(values, np.ndarray) or isinstance(values, np.ma.MaskedArray):
        valid = is_valid(values)
        missing = {None: int((~valid).sum())} if not valid.all() else {}
        values = values.compressed() if isinstance(values, np.ma.MaskedArray) else _present(values)
    return _counted(values, feature) | missing


def _present(values: Any) -> list[Any]:
    return [value for value in values if value is not None]


def _counted(values: Any, feature: Feature) -> dict[Any, int]:
    if isinstance(feature, LabelFeature):
        counts = np.bincount(values, minlength=len(feature.names))
        return dict(zip(feature.names, counts.tolist(), strict=True))
    if isinstance(values, np.ndarray):  # `np.unique` counts all NaNs together
        unique, numbers = np.unique(values, return_counts=True)
        keys = list(unique) if unique.dtype.kind == "M" else unique.tolist()
        return dict(zip(keys, numbers.tolist(), strict=True))
    return dict(sorted(Counter(values).items()))


def matched_rows(left: "Dataset", right: "Dataset", on: str) -> tuple[np.ndarray, np.ndarray]:
    """Match rows with equal values in a column, and return their positions, int64.

    Raises:
        UnknownNameError: a dataset does not have the column.
        SchemaError: rows are not single values, only one column is text, the classes differ, or
            `right` has a value twice.
    """
    _check_comparable(left, right, on)
    keys, others = _keys(left, on), _keys(right, on)
    places = {key: place for place, key in enumerate(others) if key is not None}
    if len(places) + others.count(None) < len(others):
        counts = Counter(others).items()
        key, count = next((key, n) for key, n in counts if n > 1 and key is not None)
        raise SchemaError(
            where=f"column {on} of the other dataset",
            expected="each value once",
            got=f"{key!r} {count:,} times",
            hint="swap the datasets, or remove duplicates from the other dataset",
        )
    pairs = [(row, places[key]) for row, key in enumerate(keys) if key in places]
    rows = np.array(pairs, np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _keys(view: "Dataset", on: str) -> list[Any]:
    values = single_values(view, on)
    return list(values.tolist() if isinstance(values, np.ndarray) else values)


def _check_comparable(left: "Dataset", right: "Dataset", on: str) -> None:
    """Check that the values of a column have the same meaning in two datasets."""
    sides = [view.columns([on]).features[on] for view in (left, right)]
    texts = [isinstance(feature, TextFeature) for feature in sides]
    classes = {feature.names for feature in sides if isinstance(feature, LabelFeature)}
    if texts[0] != texts[1] or len(classes) > 1:
        expected, got = ("text" if text else "numbers" for text in texts)
        raise SchemaError(
            where=f"column {on} of the other dataset",
            expected="the same classes in the same order" if len(classes) > 1 else expected,
            got="other classes" if len(classes) > 1 else got,
            hint="ds.align_labels(…) renumbers classes, and ds.cast({…}) converts text to numbers",
        )
