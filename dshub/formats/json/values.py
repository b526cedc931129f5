"""Check values from JSON documents, and convert column values to JSON."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from dshub.errors import SchemaError
from dshub.formats.json.paths import Misfit, type_name

Type = Literal["string", "integer", "number", "boolean", "base64", "any"]


class Kind(NamedTuple):
    """A type of JSON values.

    Attributes:
        arrow: type of a column of these values; null to infer it.
        words: description for errors.
        convert: function that converts text or a number in a column to a JSON value.
    """

    arrow: pa.DataType
    words: str
    convert: Callable[[Any], Any]


def _plain(value: Any) -> Any:
    """Convert a value of a column, at any depth, to a JSON value."""
    if isinstance(value, list):
        return list(map(_plain, value))
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return str(value) if isinstance(value, date) else value


_BOOLEANS = {"false": False, "0": False, "true": True, "1": True}
KINDS: dict[Type, Kind] = {
    "string": Kind(pa.string(), "a string", str),
    "integer": Kind(pa.int64(), "a 64-bit integer", int),
    "number": Kind(pa.float64(), "a number that a float holds", float),
    "boolean": Kind(pa.bool_(), "a boolean", lambda value: _BOOLEANS[str(value).lower()]),
    "base64": Kind(pa.binary(), "base64", lambda value: b64encode(value).decode()),
    "any": Kind(pa.null(), "a value", _plain),
}
_EXACT = 1 << 53  # a float represents all integers up to this exactly


def checked(value: Any, kind: Type) -> Any:
    """Return a value after checking its type; integers become floats for "number".

    Raises:
        Misfit: the value has a different type; the message continues the path of the value.
    """
    is_integer = type(value) is int  # bool is a subclass of int
    match kind:
        case "any":
            return value
        case "base64":
            return _bytes(value)
        case "string" | "boolean" if isinstance(value, str if kind == "string" else bool):
            return value
        case "integer" if is_integer and -(2**63) <= value < 2**63:
            return value
        case "number" if isinstance(value, float) or (is_integer and abs(value) <= _EXACT):
            return float(value)
    raise Misfit(f"is {type_name(value)}, not {KINDS[kind].words}")


def _bytes(value: Any) -> bytes | None:
    """Decode base64; null is a missing value."""
    if value is None:
        return None
    try:
        return b64decode(value, validate=True)
    except (ValueError, TypeError):
        raise Misfit(f"is {type_name(value)}, not base64") from None


def cut(span: Any, text: str) -> str:
    """Return the characters of a string from `start` through `end`.

    Raises:
        Misfit: the span is malformed or outside the string; the message continues the span's path.
    """
    match span:
        case {"start": start, "end": end} if type(start) is int and type(end) is int:
            if 0 <= start <= end < len(text):
                return text[start : end + 1]
            raise Misfit(f"covers characters {start} to {end}, but the text has only {len(text)}")
    raise Misfit("is not an object with integers `start` and `end`")


def located(text: str, pieces: Sequence[str]) -> list[dict[str, int]]:
    """Return the spans of substrings; the inverse of `cut`.

    Raises:
        SchemaError: a substring is empty, or not in the text.
    """
    spans = []
    for piece in pieces:
        start = text.find(piece) if piece else -1
        if start < 0:
            raise SchemaError(where="a span", expected="a piece of the text", got=repr(piece))
        spans.append({"start": start, "end": start + len(piece) - 1})
    return spans


def converted(value: Any, kind: Type, name: str) -> Any:
    """Convert text or a number in a column to a JSON value.

    Raises:
        SchemaError: the value does not have the type `kind`.
    """
    try:
        return KINDS[kind].convert(value)
    except (ValueError, KeyError):
        expected = KINDS[kind].words
        raise SchemaError(where=f"column {name}", expected=expected, got=repr(value)) from None


def numbered(kind: Type, number: int) -> Any:
    """Return a value of a type for a row number; booleans alternate."""
    if kind == "base64":
        return str(number).encode()
    return KINDS[kind].convert(number % 2 if kind == "boolean" else number)
