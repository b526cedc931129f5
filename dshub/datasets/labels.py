"""Renumber the classes of a column, such as in the order of a model's outputs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import msgspec
import numpy as np
import pyarrow as pa

from dshub.catalog.features import Feature, LabelFeature, ListFeature
from dshub.catalog.manifest import Pair
from dshub.datasets.sources import Source
from dshub.errors import ArgumentError, SchemaError, UnknownNameError
from dshub.tables.columns import Values


class AlignedSource(Source):
    """The rows of another source, with the classes of one column renumbered.

    Args:
        source: the rows.
        column: of classes, or of lists of them.
        label: the feature of the classes.
        names: the classes in their new order, by name or code.

    Raises:
        SchemaError: a class is missing among the names, or matches several.
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
        new = _renumbered(label, names, self._numbers)
        nested = isinstance(source.features[column], ListFeature)
        self.features = {**source.features, column: ListFeature(of=new) if nested else new}

    @cached_property
    def identity(self) -> list[str]:
        feature = msgspec.json.encode(self.features[self._column]).decode()
        return [*self._source.identity, self._column, feature]

    def where(self, row: int) -> str:
        return self._source.where(row)

    def read(self, name: str, rows: range | np.ndarray) -> Values:
        values = self._source.read(name, rows)
        if name != self._column:
            return values
        if isinstance(values, np.ndarray):
            return self._numbers.take(values)
        return [self._numbers[row] for row in values]

    def whole(self, name: str) -> np.ndarray | None:
        return None if name == self._column else self._source.whole(name)

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        return None if name == self._column else self._source.arrow(name)


def label_column(
    features: Mapping[str, Feature], column: str | None, supervised: Pair | None
) -> tuple[str, LabelFeature]:
    """Find a column of classes: by name, or the only one, or `y`.

    Raises:
        UnknownNameError: there is none of that name, or several are possible.
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
        raise UnknownNameError(kind="column of classes", name=column or "?", known=list(labels))
    return column, labels[column]


def _new_numbers(label: LabelFeature, names: Sequence[str], column: str) -> np.ndarray:
    """The new number of each class, int64."""
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
            hint="extra names are allowed; use codes to distinguish classes with the same name",
        )
    return np.array([numbers[key] for key in keys], np.int64)


def _renumbered(label: LabelFeature, names: Sequence[str], numbers: np.ndarray) -> LabelFeature:
    """The feature in the new order; a class that was given by its code keeps its name."""
    if not label.codes:
        return LabelFeature(names=tuple(names))
    new, codes = list(names), list(names)
    for old, number in enumerate(numbers.tolist()):
        codes[number] = label.codes[old]
        if names[number] == label.codes[old]:
            new[number] = label.names[old]
    return LabelFeature(names=tuple(new), codes=tuple(codes))
