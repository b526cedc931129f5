"""Combine consecutive columns of numbers, such as the pixels of MNIST in CSV, into arrays."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod

from dshub.catalog.features import Dtype, Feature, NumberFeature
from dshub.catalog.manifest import Stack
from dshub.datasets.inference import cast_type, infer_feature
from dshub.datasets.tabular.columns import Column
from dshub.datasets.tabular.readers import Naming
from dshub.errors import ArgumentError, DshubError, SchemaError
from dshub.tables.types import is_text

MANY = 100  # consecutive columns of one dtype that are offered as one array
_SYNTAX = re.compile(r"(?P<first>[^:]+?)\.\.(?P<last>[^:]+)(?::(?P<shape>\d{1,9}(?:x\d{1,9})*))?")
_LARGEST_BYTE = 255


@dataclass(frozen=True)
class ArrayRange:
    """Columns that become one array.

    Attributes:
        first: name of the first column.
        last: name of the last column.
        shape: shape of a row's array, with the last axis contiguous; empty for one axis.
    """

    first: str
    last: str
    shape: tuple[int, ...] = ()

    @classmethod
    def parse(cls, name: str, text: str) -> "ArrayRange":
        """Parse a range such as `pixel0..pixel783` or `pixel0..pixel783:28x28`.

        Args:
            name: name of the array, for errors.
            text: range in this syntax.

        Raises:
            ArgumentError: the text has another syntax.
        """
        match = _SYNTAX.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            expected = "FIRST..LAST or FIRST..LAST:SHAPE, such as pixel0..pixel783:28x28"
            raise ArgumentError(name=f"array {name}", value=text, expected=expected)
        shape = tuple(map(int, match["shape"].split("x"))) if match["shape"] else ()
        return cls(match["first"], match["last"], shape)

    def columns(self, names: Sequence[str], naming: Naming) -> list[str]:
        """Return the names of the columns from the first to the last one.

        Args:
            names: all columns, in order.
            naming: function that names columns; both names of a column are accepted.

        Raises:
            DshubError: a column does not exist, or the last one is before the first one.
        """
        places = []
        for column in (self.first, self.last):
            wanted = {column, naming(column, ())}
            place = next((i for i, name in enumerate(names) if name in wanted), None)
            if place is None:
                shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
                raise DshubError(f"there is no column {column!r}", hint=f"the columns are {shown}")
            places.append(place)
        first, last = places
        if last < first:
            reason = f"column {self.last!r} comes before column {self.first!r}"
            raise DshubError(reason, hint="swap them: the range is in the order of the columns")
        count = last - first + 1
        if self.shape and prod(self.shape) != count:
            shape = "x".join(map(str, self.shape))
            reason = f"{self.first}..{self.last} has {count:,} columns, which cannot be {shape}"
            raise DshubError(reason, hint="correct the shape, or the first or last column")
        return list(names[first : last + 1])


def stack(name: str, columns: Sequence[Column], shape: tuple[int, ...]) -> Stack:
    """Return the step that makes an array of columns.

    Text of integers from 0 to 255 becomes uint8, so that pixels stay small. Missing values become
    NaN.

    Raises:
        DshubError: a column does not have numbers.
    """
    dtypes = [_dtype(name, column) for column in columns]
    names = tuple(column.name for column in columns)
    missing = {text for column in columns for text in column.missing}
    return Stack(
        column=name,
        columns=names,
        dtype=_common(dtypes),
        shape=shape,
        missing=tuple(sorted(missing - {"NaN", "nan"})),
    )


def feature_of(step: Stack) -> NumberFeature:
    """Return the feature of stacked columns."""
    return NumberFeature(dtype=step.dtype, shape=step.shape or (len(step.columns),))


def _dtype(array: str, column: Column) -> Dtype:
    """Return the dtype of an array with the values of a column."""
    if column.types and is_text(column.type):
        dtype = _dtype_of_text(column)
    else:
        dtype = _dtype_of_numbers(column)
    if dtype is None:
        raise DshubError(
            f"column {column.name!r} of array {array!r} is not a column of numbers",
            hint="end the array before this column, or correct the values",
        )
    return "float64" if column.missing or column.nulls else dtype


def _dtype_of_text(column: Column) -> Dtype | None:
    """Return the dtype of texts; None if they are not numbers."""
    if not column.all_numbers or (column.all_digits and not column.all_integers):
        return None
    if not column.all_integers:
        return "float64"
    numbers = [int(text) for text in column.distinct - column.missing]
    is_small = bool(numbers) and min(numbers) >= 0 and max(numbers) <= _LARGEST_BYTE
    return "uint8" if is_small else column.all_integers


def _dtype_of_numbers(column: Column) -> Dtype | None:
    """Return the dtype of values with an Arrow type; None if they are not single numbers."""
    try:
        feature = infer_feature(column.name, cast_type(column.type)) if column.types else None
    except SchemaError:
        return None
    return feature.dtype if isinstance(feature, NumberFeature) and not feature.shape else None


def _common(dtypes: Sequence[Dtype]) -> Dtype:
    """Return the dtype that holds the values of all columns."""
    distinct = set(dtypes)
    if len(distinct) == 1:
        return dtypes[0]
    return "float64" if any(dtype.startswith("float") for dtype in distinct) else "int64"


def offers(features: Mapping[str, Feature]) -> Iterator[tuple[str, str, int]]:
    """Yield the first and last column, and the number of columns, that can become an array."""

    def dtype(name: str) -> str:
        match features[name]:
            case NumberFeature(shape=(), optional=False, dtype=kind):
                return kind
        return ""

    for kind, group in groupby(features, dtype):
        names = list(group)
        if kind and len(names) >= MANY:
            yield names[0], names[-1], len(names)
