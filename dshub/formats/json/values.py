"""Values of JSON documents: checking what is read, and making what is written."""

from collections.abc import Sequence
from typing import Any, Literal

import pyarrow as pa

from dshub.errors import SchemaError
from dshub.formats.json.paths import Misfit, Place, Trail, told

Type = Literal["string", "integer", "number", "boolean"]

TYPES: dict[Type, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
}
_EXACT = 1 << 53  # whole numbers up to here are floats without loss


def checked(value: Any, kind: Type, place: Place, trail: Trail) -> Any:
    """A value that is what its column holds.

    Raises:
        Misfit: it is something else.
    """
    match kind:
        case "string" if isinstance(value, str):
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "integer" if _is_whole(value) and -(2**63) <= value < 2**63:
            return value
        case "number" if isinstance(value, float):
            return value
        case "number" if _is_whole(value) and abs(value) <= _EXACT:
            return float(value)
    raise Misfit(f"{place.shown(trail)} is {told(value)}, not {_words(kind)}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _words(kind: Type) -> str:
    match kind:
        case "integer":
            return "a whole number of 64 bits"
        case "number":
            return "a number that a float holds"
        case _:
            return f"a {kind}"


def cut(text: str, span: Any, place: Place, trail: Trail) -> str:
    """The piece of a text from `start` to `end`, which belongs to it.

    Raises:
        Misfit: the span is none, or leads out of the text.
    """
    held: dict[str, Any] = span if isinstance(span, dict) else {}
    start: Any = held.get("start")
    end: Any = held.get("end")
    if not _is_whole(start) or not _is_whole(end):
        raise Misfit(f"{place.shown(trail)} holds what is no object with a start and an end")
    if not 0 <= start <= end < len(text):
        reason = f"{place.shown(trail)} leads from character {start} to {end} of {len(text)}"
        raise Misfit(reason)
    return text[start : end + 1]


def located(text: str, pieces: Sequence[str]) -> list[dict[str, int]]:
    """Where pieces stand in a text; the inverse of `cut`.

    Raises:
        SchemaError: one is empty, or not in it.
    """
    found = []
    for piece in pieces:
        start = text.find(piece) if piece else -1
        if start < 0:
            raise SchemaError(where="a span", expected="a piece of the text", got=repr(piece))
        found.append({"start": start, "end": start + len(piece) - 1})
    return found


def converted(value: Any, kind: Type, name: str) -> Any:
    """A value as a document holds it; classes come as the text that upstream writes for them.

    Raises:
        SchemaError: it cannot be such a value.
    """
    try:
        match kind:
            case "string":
                return str(value)
            case "integer":
                return int(value)
            case "number":
                return float(value)
            case "boolean":
                return {"false": False, "true": True}[str(value).lower()]
    except (ValueError, KeyError):
        raise SchemaError(where=f"column {name}", expected=_words(kind), got=repr(value)) from None


def made_up(kind: Type, numbers: Sequence[int]) -> list[Any]:
    """A value for each number, all different as far as the type allows."""
    match kind:
        case "string":
            return [str(number) for number in numbers]
        case "integer":
            return list(numbers)
        case "number":
            return [float(number) for number in numbers]
        case "boolean":
            return [bool(number % 2) for number in numbers]
