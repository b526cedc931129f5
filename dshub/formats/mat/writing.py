"""Encode variables for MATLAB level 5 files, in the layout described in `parsing`."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dshub.errors import SchemaError
from dshub.formats.mat.parsing import CELL, CHAR, COMPRESSED, MATRIX, NUMERIC, STRUCT, TYPES

HEADER = b"MATLAB 5.0 MAT-file".ljust(116) + bytes(8) + struct.pack("<2H", 0x0100, 0x4D49)
_INT8, _UINT16, _INT32, _UINT32 = 1, 4, 5, 6  # element types
_CLASSES = dict(
    zip(["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"], NUMERIC, strict=True)
)


def matrix(name: str, array: np.ndarray) -> bytes:
    """Encode an array of numbers as a compressed variable; 1-D arrays become columns.

    Raises:
        SchemaError: the format does not support the dtype of the array.
    """
    return _packed(_numbers(name, array[:, None] if array.ndim == 1 else array))


def cells(name: str, values: Sequence[Any]) -> bytes:
    """Encode a column of cells, each with a string or a number."""
    inside = b"".join(map(_value, values))
    return _packed(_variable(name, CELL, (len(values), 1), inside))


def structs(name: str, fields: Mapping[str, Sequence[Any]]) -> bytes:
    """Encode a row of structs with a string or a number in each field."""
    names = b"".join(field.encode("ascii")[:31].ljust(32, b"\0") for field in fields)
    inside = struct.pack("<HHi", _INT32, 4, 32) + _element(_INT8, names)
    rows = list(zip(*fields.values(), strict=True))
    inside += b"".join(_value(value) for row in rows for value in row)
    return _packed(_variable(name, STRUCT, (1, len(rows)), inside))


def _packed(variable: bytes) -> bytes:
    packed = zlib.compress(variable)
    return struct.pack("<2I", COMPRESSED, len(packed)) + packed


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        data = value.encode("utf-16-le")
        return _variable("", CHAR, (min(1, len(data)), len(data) // 2), _element(_UINT16, data))
    return _numbers("", np.asarray(value).reshape(1, 1))


def _numbers(name: str, array: np.ndarray) -> bytes:
    text = array.dtype.str[1:]
    if text not in _CLASSES:
        raise SchemaError(where="a MATLAB file", expected="numbers", got=str(array.dtype))
    kind = next(code for code, other in TYPES.items() if other == text)
    data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes(order="F")
    return _variable(name, _CLASSES[text], array.shape, _element(kind, data))


def _variable(name: str, kind: int, shape: Sequence[int], inside: bytes) -> bytes:
    begin = _element(_UINT32, struct.pack("<2I", kind, 0))
    begin += _element(_INT32, struct.pack(f"<{len(shape)}i", *shape))
    begin += _element(_INT8, name.encode("ascii"))
    return struct.pack("<2I", MATRIX, len(begin) + len(inside)) + begin + inside


def _element(kind: int, data: bytes) -> bytes:
    return struct.pack("<2I", kind, len(data)) + data + bytes(-len(data) % 8)
