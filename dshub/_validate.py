"""Validate arguments, and values of files that others can write.

What an argument must be, looked at where it is given rather than where it is first used.

Each function returns the value as what it was asked for, or raises `ArgumentError` with the name
of the argument.
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
    """A whole number, also one of NumPy's; `True` and `2.0` are none.

    Args:
        name: of the argument.
        value: what was given.
        least, most: where it must lie.
    """
    try:
        found = operator.index(value)
    except TypeError:
        found = None
    if found is None or isinstance(value, bool) or not _within(found, least, most):
        expected = f"a whole number{_told(least, most)}"
        raise ArgumentError(name=name, value=value, expected=expected)
    return found


def number(
    name: str, value: Any, *, least: float | None = None, most: float | None = None
) -> float:
    """A number that is not NaN; arguments as of `whole`."""
    valid = isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)
    if not valid or not _within(value, least, most):
        raise ArgumentError(name=name, value=value, expected=f"a number{_told(least, most)}")
    return float(value)


def above(name: str, value: Any) -> float:
    """A number above 0."""
    if number(name, value, least=0) > 0:
        return float(value)
    raise ArgumentError(name=name, value=value, expected="a number above 0")


def size(name: str, value: Any) -> int:
    """Bytes: a whole number, or a text with a unit such as `5 GB` (1000³) or `5GiB` (1024³)."""
    if not isinstance(value, str):
        return whole(name, value, least=0)
    return int(_amount(name, value, _BYTES, "a size with a unit (MB, GB, TB, GiB), such as 1.5GB"))


def span(name: str, value: Any) -> float:
    """Seconds: a number, or a text with a unit such as `12h` or `30 d`."""
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
    """Two numbers of at least 0, or above it, the first at most as large as the second."""
    found = tuple(value) if isinstance(value, list | tuple) else ()
    valid = [isinstance(one, Real) and not isinstance(one, bool) for one in found] == [True, True]
    if not valid or not 0 <= found[0] <= found[1] or (positive and found[0] == 0):
        expected = f"(from, to), two numbers {'above' if positive else 'of at least'} 0"
        raise ArgumentError(name=name, value=value, expected=expected)
    return float(found[0]), float(found[1])


def flag(name: str, value: Any) -> bool:
    """`True` or `False`, also NumPy's; a text such as "no" would count as true."""
    if type(value).__name__ not in {"bool", "bool_"}:
        raise ArgumentError(name=name, value=value, expected="True or False")
    return bool(value)


def choice(name: str, value: Any, known: Sequence[object]) -> Any:
    """One of a few values."""
    if not any(type(value) is type(one) and value == one for one in known):
        *first, last = map(repr, known)
        expected = f"{', '.join(first)} or {last}"
        raise ArgumentError(name=name, value=value, expected=expected)
    return value


def called(name: str, value: Any, what: str) -> Callable[..., Any]:
    """Something that can be called.

    Args:
        what: it is called with, for the error.
    """
    if not callable(value):
        raise ArgumentError(name=name, value=value, expected=f"a function of {what}")
    found: Callable[..., Any] = value
    return found


def _within(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _told(least: float | None, most: float | None) -> str:
    if most is not None:
        return f" from {least} to {most}"
    return "" if least is None else f" of at least {least}"


LARGEST = 2**53  # the numbers below it are exact in JavaScript and in float64, too

NAME = re.compile(r"(?=.{1,200}\Z)[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)?")
VERSION = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.(?:0|[1-9][0-9]{0,8})){2}(?:\+[0-9a-z.-]{1,100})?")
KEY = re.compile(r"(?=.{1,200}\Z)[a-z0-9]+(?:[_-]+[a-z0-9]+)*")
ETAG = re.compile(r'"[\x21\x23-\x7e]{0,1000}"')  # a strong one: RFC 9110, 8.8.3


def matching(pattern: str) -> Meta:
    """A text that matches from its beginning to its end; msgspec searches by itself."""
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
    """JSON as a value of some type.

    Raises:
        ValueError: it is not; also where it is not UTF-8, or nested too deeply.
    """
    with _in_plain_words():
        return msgspec.json.decode(data, type=kind)


def decode_paths(data: bytes, kind: type[T]) -> T:
    """The same for a note with a path in it: names of files need not be Unicode.

    Raises:
        ValueError: as of `decode`.
    """
    with _in_plain_words():
        return msgspec.convert(json.loads(data), kind)


def convert(content: object, kind: type[T]) -> T:
    """Parsed TOML as a value of some type; raises ValueError as `decode`."""
    with _in_plain_words():
        return msgspec.convert(content, kind)


@contextmanager
def _in_plain_words() -> Iterator[None]:
    try:
        yield
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except msgspec.ValidationError as error:
        text = re.sub(r"`str` matching regex '.*'", "text of another form", str(error))
        raise ValueError(text) from None
