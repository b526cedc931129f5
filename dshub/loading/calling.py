"""Convert errors of the caller's functions to FunctionError."""

import reprlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from dshub.errors import DshubError, FunctionError


@contextmanager
def calling(
    method: str, function: object, where: Callable[[], str], value: object
) -> Iterator[None]:
    """Convert an exception to FunctionError, with the function, the rows and their values."""
    try:
        yield
    except DshubError:
        raise
    except Exception as error:
        raise FunctionError(
            method=method,
            function=name_of(function),
            where=where(),
            reason=f"{type(error).__name__}: {error}",
            value=describe_values(value),
        ) from error


def name_of(function: object) -> str:
    """Return the name of a function, or of the class of another callable."""
    return getattr(function, "__qualname__", type(function).__qualname__)


def describe_values(value: object) -> str:
    """Describe a row or a batch on one line, with the shape of arrays."""
    if isinstance(value, Mapping):
        parts = [f"{name!r}: {describe_values(item)}" for name, item in value.items()]
        return f"{{{', '.join(parts)}}}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, list):
        inner = describe_values(value[0]) if value else "nothing"
        return f"a list of {len(value):,}: {inner}{', …' if len(value) > 1 else ''}"
    return reprlib.repr(value)
