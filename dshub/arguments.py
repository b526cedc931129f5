"""What an argument must be, looked at where it is given rather than where it is first used.

Each function returns the value as what it was asked for, or raises `ArgumentError` with the name
of the argument.
"""

import math
import operator
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
