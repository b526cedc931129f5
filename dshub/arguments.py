"""What an argument must be, looked at where it is given rather than where it is first used.

Each function returns the value as what it was asked for, or raises `ArgumentError` with the name
of the argument.
"""

import math
import operator
import re
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

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
