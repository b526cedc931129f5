"""Validate arguments at the call site, and values in files from untrusted sources.

Argument checks return the value as a plain Python type, or raise an `ArgumentError` that names the
argument.
"""

import json
import math
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from dshub.errors import ArgumentError


def whole(name: str, value: Any, *, least: int | None = None, most: int | None = None) -> int:
    """Return a Python or NumPy integer as an int; reject bools and floats.

    Args:
        name: name of the argument in the error message.
        value: argument to check.
        least, most: bounds of the allowed range, inclusive.
    """
    try:
        integer = operator.index(value)
    except TypeError:
        integer = None
    if integer is None or isinstance(value, bool) or not _is_within(integer, least, most):
        expected = f"a whole number{_range_text(least, most)}"
        raise ArgumentError(name=name, value=value, expected=expected)
    return integer


def number(
    name: str, value: Any, *, least: float | None = None, most: float | None = None
) -> float:
    """Return a number as a float; reject bools and NaN.

    Args:
        name: name of the argument in the error message.
        value: argument to check.
        least, most: bounds of the allowed range, inclusive.
    """
    if not _is_number(value) or math.isnan(value) or not _is_within(value, least, most):
        expected = f"a number{_range_text(least, most)}"
        raise ArgumentError(name=name, value=value, expected=expected)
    return float(value)


def above(name: str, value: Any) -> float:
    """Return a number above 0 as a float."""
    if number(name, value, least=0) > 0:
        return float(value)
    raise ArgumentError(name=name, value=value, expected="a number above 0")


def size(name: str, value: Any) -> int:
    """Parse a number of bytes, or text such as `5 GB` (1000³ bytes) or `5GiB` (1024³ bytes)."""
    if not isinstance(value, str):
        return whole(name, value, least=0)
    return int(_amount(name, value, _BYTES, "a size with a unit (MB, GB, TB, GiB), such as 1.5GB"))


def span(name: str, value: Any) -> float:
    """Parse a number of seconds, or text such as `12h` or `30 d`, and return seconds."""
    if not isinstance(value, str):
        return number(name, value, least=0)
    expected = "a duration with a unit (s, min, h, d, w), such as 12h or 30d"
    return _amount(name, value, _SECONDS, expected)


_BYTES = {"b": 1} | {
    f"{letter}{end}": base**power
    for power, letter in enumerate("kmgtp", start=1)
    for end, base in (("", 1000), ("b", 1000), ("ib", 1024))
}
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([a-z]*)")


def _amount(name: str, text: str, units: dict[str, int], expected: str) -> float:
    match = _AMOUNT.fullmatch(text.strip().lower())
    if match and match[2] in units:
        return float(match[1]) * units[match[2]]
    if match and not match[2] and float(match[1]) == 0:
        return 0.0
    raise ArgumentError(name=name, value=text, expected=expected)


def interval(name: str, value: Any, *, positive: bool = False) -> tuple[float, float]:
    """Return a pair `(low, high)` of numbers of at least 0, or above 0 if `positive`."""
    ends = tuple(value) if isinstance(value, list | tuple) else ()
    valid = len(ends) == 2 and all(map(_is_number, ends)) and 0 <= ends[0] <= ends[1]
    if not valid or (positive and ends[0] == 0):
        expected = f"(low, high), two numbers {'above' if positive else 'of at least'} 0"
        raise ArgumentError(name=name, value=value, expected=expected)
    return float(ends[0]), float(ends[1])


def flag(name: str, value: Any) -> bool:
    """Return a Python or NumPy bool; reject other truthy values, such as the text "no"."""
    if type(value).__name__ not in {"bool", "bool_"}:
        raise ArgumentError(name=name, value=value, expected="True or False")
    return bool(value)


def choice(name: str, value: Any, choices: Sequence[object]) -> Any:
    """Return a value that equals one of the choices in type and value."""
    if not any(type(value) is type(item) and value == item for item in choices):
        *first, last = map(repr, choices)
        expected = f"{', '.join(first)} or {last}"
        raise ArgumentError(name=name, value=value, expected=expected)
    return value


def called(name: str, value: Any, what: str) -> Callable[..., Any]:
    """Return a callable, and reject other values.

    Args:
        name: name of the argument in the error message.
        value: argument to check.
        what: description of the parameter of the callable, such as "a row".
    """
    if not callable(value):
        raise ArgumentError(name=name, value=value, expected=f"a function of {what}")
    function: Callable[..., Any] = value
    return function


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_within(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _range_text(least: float | None, most: float | None) -> str:
    if most is not None:
        return f" from {least} to {most}"
    return "" if least is None else f" of at least {least}"


LARGEST = 2**53  # integers below this are exact in JavaScript and float64

NAME = re.compile(r"(?=.{1,200}\Z)[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)?")
DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # reserved on Windows
VERSION = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.(?:0|[1-9][0-9]{0,8})){2}(?:\+[0-9a-z.-]{1,100})?")
KEY = re.compile(r"(?=.{1,200}\Z)[a-z0-9]+(?:[_-]+[a-z0-9]+)*")
ETAG = re.compile(r'"[\x21\x23-\x7e]{0,1000}"')  # strong ETags only (RFC 9110, section 8.8.3)


def matching(pattern: str) -> Meta:
    """Return a constraint that requires strings to match a pattern in full."""
    return Meta(pattern=rf"\A(?:{pattern})\Z")


T = TypeVar("T")
Count = Annotated[int, Meta(ge=0, lt=LARGEST)]
Size = Annotated[int, Meta(ge=1, lt=LARGEST)]
Moment = Annotated[int, Meta(ge=-(2**62), le=2**62)]  # nanoseconds since the epoch
Text = Annotated[str, Meta(max_length=10_000)]
ETag = Annotated[str, matching(f"(?:{ETAG.pattern})?")]
PathText = Annotated[str, matching(r"[^\x00\ud800-\udc7f\udd00-\udfff]{0,10000}")]
FileName = Annotated[str, matching(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")]
Name = Annotated[str, matching(NAME.pattern)]
Version = Annotated[str, matching(VERSION.pattern)]
Key = Annotated[str, matching(KEY.pattern)]
Sha256 = Annotated[str, matching("[0-9a-f]{64}")]
Checksum = Annotated[str, matching("sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}")]
TableKey = Annotated[str, matching("[0-9a-f]{16}")]


def decode(data: bytes, kind: type[T]) -> T:
    """Decode JSON to a type.

    Raises:
        ValueError: the data does not match the type, is not UTF-8, or is nested too deeply.
    """
    with _plain_errors():
        return msgspec.json.decode(data, type=kind)


def decode_paths(data: bytes, kind: type[T]) -> T:
    """Decode JSON with paths, which can contain lone surrogates.

    Raises:
        ValueError: the data does not match the type, is not UTF-8, or is nested too deeply.
    """
    with _plain_errors():
        return msgspec.convert(json.loads(data), kind)


def convert(content: object, kind: type[T]) -> T:
    """Convert parsed TOML to a type.

    Raises:
        ValueError: the content does not match the type, or is nested too deeply.
    """
    with _plain_errors():
        return msgspec.convert(content, kind)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Reword the errors of msgspec for users."""
    try:
        yield
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except msgspec.ValidationError as error:
        text = re.sub(r"`str` matching regex '.*'", "text of another form", str(error))
        raise ValueError(text) from None
