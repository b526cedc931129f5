"""Numbering classes as somebody else does: in the order of a model's outputs, say."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from dshub.dataset.sources import Source
from dshub.errors import ArgumentError, SchemaError, UnknownNameError
from dshub.manifest import Feature, LabelFeature, ListFeature, Manifest
from dshub.table import Values


class AlignedSource:
    """The rows of another source, one of whose columns of classes is numbered anew.

    Args:
        source: the rows.
        column: of classes, or of lists of them.
        names: the classes in their new order: names, or codes.

    Raises:
        SchemaError: a class of the column is not among them, or twice.
        ArgumentError: they are no list.
    """

    files: Sequence[Path] = ()  # those number classes in the old way

    def __init__(self, source: Source, column: str, names: Sequence[str]) -> None:
        if isinstance(names, str) or not isinstance(names, Iterable):
            expected = "a list of names, one for each class"
            raise ArgumentError(name="names", value=names, expected=expected)
        names = list(names)
        self._source, self._column = source, column
        old = source.features[column]
        label = _label(old)
        self._numbers = _numbers(label, names, column)
        new = _renumbered(label, names, self._numbers)
        whole: Feature = new if old is label else ListFeature(of=new)
        self.features: Mapping[str, Feature] = {**source.features, column: whole}

    @property
    def rows(self) -> int:
        return self._source.rows

    @property
    def manifest(self) -> Manifest | None:
        return self._source.manifest

    @property
    def identity(self) -> list[str]:
        new = msgspec.json.encode(self.features[self._column]).decode()
        return [*self._source.identity, self._column, new]

    def where(self, row: int) -> str:
        return self._source.where(row)

    def gather(self, name: str, rows: np.ndarray) -> Values:
        return self._aligned(name, self._source.gather(name, rows))

    def span(self, name: str, start: int, stop: int) -> Values:
        return self._aligned(name, self._source.span(name, start, stop))

    def whole(self, name: str) -> np.ndarray | None:
        return None if name == self._column else self._source.whole(name)

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        return None if name == self._column else self._source.arrow(name)

    def _aligned(self, name: str, values: Values) -> Values:
        if name != self._column:
            return values
        if isinstance(values, np.ndarray):
            found: np.ndarray = self._numbers[values]
            return found
        return [self._numbers[row] for row in values]


def label_columns(features: Mapping[str, Feature]) -> list[str]:
    """The columns of classes, or of lists of them."""
    return [
        name
        for name, feature in features.items()
        if isinstance(feature.of if isinstance(feature, ListFeature) else feature, LabelFeature)
    ]


def chosen_column(
    features: Mapping[str, Feature], column: str | None, supervised: tuple[str, str] | None
) -> str:
    """The column of classes that is meant: the one named, the only one, or `y`.

    Raises:
        UnknownNameError: there is none, or none of that name, or it is not clear which.
    """
    known = label_columns(features)
    if column is None and len(known) > 1 and supervised is not None and supervised[1] in known:
        return supervised[1]
    if column is None and len(known) == 1:
        return known[0]
    if column is None or column not in known:
        raise UnknownNameError(kind="column of classes", name=column or "?", known=known)
    return column


def _label(feature: Feature) -> LabelFeature:
    found = feature.of if isinstance(feature, ListFeature) else feature
    if not isinstance(found, LabelFeature):  # `chosen_column` names no other
        raise TypeError(f"{feature} holds no classes")
    return found


def _numbers(label: LabelFeature, names: Sequence[str], column: str) -> np.ndarray:
    """The new number of each class, int64."""
    places: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        places.setdefault(name, []).append(number)
    found = [
        places.get(code) or places.get(name) or []
        for code, name in zip(label.codes or label.names, label.names, strict=True)
    ]
    numbers = [where[0] for where in found if where]
    taken = Counter(numbers)
    wrong = [
        _told(label, old)
        for old, where in enumerate(found)
        if len(where) != 1 or taken[where[0]] > 1
    ]
    if wrong:
        raise SchemaError(
            where=f"column {column}",
            expected="the name or the code of each of its classes once among the names",
            got=f"none, or several, for {len(wrong)} of {len(found)}: {', '.join(wrong)}",
            hint="other names may stand between them; a code tells apart classes of one name",
        )
    return np.array(numbers, np.int64)


def _told(label: LabelFeature, number: int) -> str:
    return repr(label.names[number]) + (f" ({label.codes[number]})" if label.codes else "")


def _renumbered(label: LabelFeature, names: Sequence[str], numbers: np.ndarray) -> LabelFeature:
    """The feature in the new order; what was given by code keeps its name."""
    new, codes = list(names), list(names)
    for old, number in enumerate(numbers.tolist()):
        if label.codes:
            codes[number] = label.codes[old]
            new[number] = label.names[old] if names[number] == label.codes[old] else names[number]
    return LabelFeature(names=tuple(new), codes=tuple(codes) if label.codes else ())
