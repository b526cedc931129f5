"""Order classes, and renumber those of a column, for example as in a model's outputs."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from dshub.catalog.features import Feature, LabelFeature, ListFeature
from dshub.catalog.manifest import Pair
from dshub.datasets.selection import encoded_features
from dshub.datasets.sources import SameRows, Source
from dshub.errors import ArgumentError, SchemaError, UnknownNameError
from dshub.tables.columns import Values


def class_order(names: Iterable[str]) -> list[str]:
    """Sort classes as numbers if all of them are integers, and as strings otherwise.

    Other loaders of class folders also sort strings in the order of Python.
    """
    classes = sorted(set(names))
    if all(re.fullmatch(r"-?[0-9]{1,18}", name) for name in classes):
        classes.sort(key=int)
    return classes


class AlignedSource(SameRows):
    """Rows of another source, with the classes of one column renumbered.

    Args:
        source: source of the rows.
        column: name of a column of labels, or of lists of labels.
        label: feature of the labels.
        names: names or codes of the classes, in their new order.

    Raises:
        SchemaError: a class is missing from `names`, or matches several entries.
        ArgumentError: `names` is not a list.
    """

    def __init__(
        self, source: Source, column: str, label: LabelFeature, names: Sequence[str]
    ) -> None:
        if isinstance(names, str) or not isinstance(names, Iterable):
            expected = "a list of names, one for each class"
            raise ArgumentError(name="names", value=names, expected=expected)
        names = list(names)
        self._source, self._column = source, column
        self.rows, self.manifest = source.rows, source.manifest
        self._numbers = _new_numbers(label, names, column)
        new = _renumber(label, names, self._numbers)
        nested = isinstance(source.features[column], ListFeature)
        self.features = {**source.features, column: ListFeature(of=new) if nested else new}

    @cached_property
    def identity(self) -> list[str]:
        feature = encoded_features({self._column: self.features[self._column]}).decode()
        return [*self._source.identity, self._column, feature]

    def read(self, name: str, rows: range | np.ndarray) -> Values:
        values = self._source.read(name, rows)
        if name != self._column:
            return values
        if isinstance(values, np.ndarray):
            return self._numbers.take(values)
        return [self._numbers[row] for row in values]

    def contiguous(self, name: str) -> np.ndarray | None:
        return None if name == self._column else self._source.contiguous(name)

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        return None if name == self._column else self._source.arrow(name)


def label_column(
    features: Mapping[str, Feature], column: str | None, supervised: Pair | None
) -> tuple[str, LabelFeature]:
    """Return a label column and its feature.

    Without a name, this is the only label column, or the second column of `supervised`.

    Raises:
        UnknownNameError: the column does not exist or has no labels, or `column` is None and the
            column is ambiguous.
    """
    labels = {
        name: item
        for name, feature in features.items()
        if isinstance(item := getattr(feature, "of", feature), LabelFeature)
    }
    if column is None and len(labels) == 1:
        (column,) = labels
    elif column is None and supervised is not None and isinstance(supervised[1], str):
        column = supervised[1]
    if column is None or column not in labels:
        raise UnknownNameError(kind="label column", name=column or "?", known=list(labels))
    return column, labels[column]


def _new_numbers(label: LabelFeature, names: Sequence[str], column: str) -> np.ndarray:
    """Return the new number of each class, int64."""
    numbers, counts = {name: number for number, name in enumerate(names)}, Counter(names)
    keys = [
        code if code in numbers else name
        for code, name in zip(label.codes or label.names, label.names, strict=True)
    ]
    uses = Counter(keys)
    wrong = [
        repr(label.names[i]) + (f" ({label.codes[i]})" if label.codes else "")
        for i, key in enumerate(keys)
        if counts[key] != 1 or uses[key] > 1
    ]
    if wrong:
        raise SchemaError(
            where=f"column {column}",
            expected="each class exactly once, by name or code",
            got=f"{len(wrong)} of {len(keys)} classes missing or ambiguous: {', '.join(wrong)}",
            hint="add the missing classes; use codes to distinguish classes with the same name",
        )
    return np.array([numbers[key] for key in keys], np.int64)


def _renumber(label: LabelFeature, names: Sequence[str], numbers: np.ndarray) -> LabelFeature:
    """Return the feature in the new order; classes listed by code keep their names."""
    if not label.codes:
        return LabelFeature(names=tuple(names))
    new, codes = list(names), list(names)
    for old, number in enumerate(numbers.tolist()):
        codes[number] = label.codes[old]
        if names[number] == label.codes[old]:
            new[number] = label.names[old]
    return LabelFeature(names=tuple(new), codes=tuple(codes))
