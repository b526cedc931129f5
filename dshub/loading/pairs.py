"""Convert columns to supervised pairs `(x, y)`.

Each part of a pair is one column or several. Several columns of numbers or labels become one array
(rows, columns). Other columns become a dict.
"""

import dis
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dshub.catalog.features import Feature, LabelFeature, NumberFeature
from dshub.catalog.manifest import Inputs, Pair, pair_columns
from dshub.errors import ArgumentError, DshubError, UnknownNameError


def check_pair(supervised: Any, names: Sequence[str]) -> Pair:
    """Return a pair of columns, with lists as tuples, after checking it.

    Raises:
        UnknownNameError: a column does not exist.
        ArgumentError: `supervised` is not a pair.
    """
    parts = tuple(map(_part, supervised)) if _is_list(supervised) else ()
    if len(parts) != 2 or not all(parts):
        expected = "a pair (x, y) of columns or lists of columns"
        raise ArgumentError(name="supervised", value=supervised, expected=expected)
    for name in pair_columns((parts[0], parts[1])):
        if name not in names:
            raise UnknownNameError(kind="column", name=name, known=names)
    return parts[0], parts[1]


def usable(pair: Pair | None, names: Collection[str]) -> Pair | None:
    """Return a pair if all its columns exist, or None otherwise."""
    return pair if pair is not None and set(pair_columns(pair)) <= set(names) else None


def paired(
    batch: Mapping[str, Any], pair: Pair, features: Mapping[str, Feature]
) -> tuple[Any, Any]:
    """Convert a batch to `(x, y)`.

    Raises:
        DshubError: transforms removed one of the columns.
    """
    for name in pair_columns(pair):
        if name not in batch:
            raise DshubError(
                f"the transforms removed column {name!r}, which `supervised` needs for (x, y)",
                hint=f"keep {name!r} in the batch, or leave `supervised` out",
            )
    x, y = (_values(batch, part, features) for part in pair)
    return x, y


def _values(batch: Mapping[str, Any], part: Inputs, features: Mapping[str, Feature]) -> Any:
    if isinstance(part, str):
        return batch[part]
    columns = {name: batch[name] for name in part}
    if all(name in features and is_single(features[name]) for name in part):
        arrays = list(columns.values())
        masked = any(isinstance(values, np.ma.MaskedArray) for values in arrays)
        return (np.ma.stack if masked else np.stack)(arrays, axis=-1)
    return columns


def is_single(feature: Feature) -> bool:
    """Return True if each row of a column is one number."""
    is_number = isinstance(feature, NumberFeature) and not feature.shape
    return is_number or isinstance(feature, LabelFeature)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _part(value: Any) -> Inputs:
    if isinstance(value, str):
        return value
    valid = _is_list(value) and all(isinstance(name, str) for name in value)
    return tuple(value) if valid else ()


class Row(dict[str, Any]):
    """A row as a dict that cannot be unpacked into `(x, y)`.

    ``x, y = row`` raises an error, because it would assign the names of two columns.
    """

    def __iter__(self) -> Iterator[str]:
        if is_unpacked(sys._getframe(1)):  # noqa: SLF001  # documented; CPython only
            x, y = [*self.keys(), "x", "y"][:2]
            raise ArgumentError(
                name="supervised",
                value=False,
                expected="True to unpack a row into (x, y)",
                hint=f'pass supervised=True or supervised=("{x}", "{y}") to ds.torch, or use '
                f'row["{x}"]',
            )
        return super().__iter__()


def is_unpacked(frame: Any) -> bool:
    """Return True if a frame is executing an assignment to several names."""
    return dis.opname[frame.f_code.co_code[frame.f_lasti]] in {"UNPACK_SEQUENCE", "UNPACK_EX"}
