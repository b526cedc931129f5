"""Validate arguments at the call site, and the values in files that others can write.

Argument checks return the value in its plain type, or raise an `ArgumentError` that names the
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
    """Return an integer, including NumPy's; reject `True` and `2.0`.

    Args:
        name: the argument's name, for the error.
        value: the argument.
        least, most: the allowed range.
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
    """Return a number that is not NaN; arguments as for `whole`."""
    if not _is_number(value) or math.isnan(value) or not _is_within(value, least, most):
        expected = f"a number{_range_text(least, most)}"
        raise ArgumentError(name=name, value=value, expected=expected)
    return float(value)


def above(name: str, value: Any) -> float:
    """Return a number above 0."""
    if number(name, value, least=0) > 0:
        return float(value)
    raise ArgumentError(name=name, value=value, expected="a number above 0")


def size(name: str, value: Any) -> int:
    """Return bytes from an integer, or from text such as `5 GB` (1000³) or `5GiB` (1024³)."""
    if not isinstance(value, str):
        return whole(name, value, least=0)
    return int(_amount(name, value, _BYTES, "a size with a unit (MB, GB, TB, GiB), such as 1.5GB"))


def span(name: str, value: Any) -> float:
    """Return seconds from a number, or from text such as `12h` or `30 d`."""
    if not isinstance(value, str):
        return number(name, value, least=0)
    units = "a span of time with a unit (s, min, h, d, w), such as 12h or 30d"
    return _amount(name, value, _SECONDS, units)


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
    """Return two numbers `(low, high)` of at least 0, or above 0 if `positive`."""
    ends = tuple(value) if isinstance(value, list | tuple) else ()
    valid = len(ends) == 2 and all(map(_is_number, ends)) and 0 <= ends[0] <= ends[1]
    if not valid or (positive and ends[0] == 0):
        expected = f"(low, high), two numbers {'above' if positive else 'of at least'} 0"
        raise ArgumentError(name=name, value=value, expected=expected)
    return float(ends[0]), float(ends[1])


def flag(name: str, value: Any) -> bool:
    """Return a bool, including NumPy's; reject others, because the text "no" would be true."""
    if type(value).__name__ not in {"bool", "bool_"}:
        raise ArgumentError(name=name, value=value, expected="True or False")
    return bool(value)


def choice(name: str, value: Any, known: Sequence[object]) -> Any:
    """Return a value that is among `known`, and of the same type."""
    if not any(type(value) is type(one) and value == one for one in known):
        *first, last = map(repr, known)
        expected = f"{', '.join(first)} or {last}"
        raise ArgumentError(name=name, value=value, expected=expected)
    return value


def called(name: str, value: Any, what: str) -> Callable[..., Any]:
    """Return a callable; `what` describes its argument, for the error."""
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


LARGEST = 2**53  # integers below it are exact in JavaScript and in float64

NAME = re.compile(r"(?=.{1,200}\Z)[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)?")
VERSION = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.(?:0|[1-9][0-9]{0,8})){2}(?:\+[0-9a-z.-]{1,100})?")
KEY = re.compile(r"(?=.{1,200}\Z)[a-z0-9]+(?:[_-]+[a-z0-9]+)*")
ETAG = re.compile(r'"[\x21\x23-\x7e]{0,1000}"')  # a strong one: RFC 9110, 8.8.3


def matching(pattern: str) -> Meta:
    """Constrain a str to match a pattern in full; msgspec searches by default."""
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
        ValueError: the data do not fit the type, are not UTF-8, or are nested too deeply.
    """
    with _plain_errors():
        return msgspec.json.decode(data, type=kind)


def decode_paths(data: bytes, kind: type[T]) -> T:
    """Decode JSON that holds paths, which need not be valid Unicode; raises as `decode`."""
    with _plain_errors():
        return msgspec.convert(json.loads(data), kind)


def convert(content: object, kind: type[T]) -> T:
    """Convert parsed TOML to a type; raises as `decode`."""
    with _plain_errors():
        return msgspec.convert(content, kind)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Reword msgspec's errors for users."""
    try:
        yield
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except msgspec.ValidationError as error:
        text = re.sub(r"`str` matching regex '.*'", "text of another form", str(error))
        raise ValueError(text) from None
