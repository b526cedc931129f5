"""Resolve names and keyword arguments of other libraries.

Users of torchvision, TFDS, Hugging Face and Keras know the names of these libraries. The package
`dshub.hub.familiar` defines these names in one class for each class of dshub, and the keywords of
each function. It is imported on first use, so that `import dshub` stays fast.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_PACKAGE = "dshub.hub.familiar"


def _table(name: str) -> Any:
    module, _, item = name.partition(".")
    return getattr(import_module(f"{_PACKAGE}.{module}"), item)


def familiar(
    instance: object,
    name: str,
    table: str,
    lessons: Callable[[], Mapping[str, str]] = dict,
) -> Any:
    """Return an attribute by its name in another library, for use in `__getattr__`.

    Args:
        instance: object that lacks the attribute.
        name: name of the attribute in another library.
        table: class that defines the names, such as `labels.LabelNames`. Its attribute `_lessons`
            explains names without an equivalent.
        lessons: function that returns explanations of more names.

    Raises:
        AttributeError: the name is unknown or has no equivalent, or a property of `instance` with
            this name raised AttributeError.
    """
    if not name.startswith("_"):
        names = _table(table)
        if name in vars(names):
            return getattr(names(instance), name)
        words = {**lessons(), **vars(names).get("_lessons", {})}
        if name in words:
            raise AttributeError(
                f"{type(instance).__name__!r} object has no {name!r}: {words[name]}"
            )
    return object.__getattribute__(instance, name)


class FamiliarClass(type):
    """Metaclass of `Dataset` that resolves familiar constructors, such as `Dataset.from_dict`."""

    if not TYPE_CHECKING:  # type checkers would accept any attribute

        def __getattr__(cls, name: str) -> Any:
            if not name.startswith("_"):
                names = _table("datasets.DatasetNames")
                if isinstance(vars(names).get(name), staticmethod):
                    return getattr(names, name)
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")


def spelled(table: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that lets a function accept keyword arguments of other libraries.

    Args:
        table: entry of `dshub.hub.familiar.keywords`, such as `load`.
    """

    def decorated(function: Callable[P, T]) -> Callable[P, T]:
        known = frozenset(signature(function).parameters)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            if kwargs.keys() <= known:
                return function(*args, **kwargs)
            result: T = _table("keywords.call")(table, function, args, kwargs)
            return result

        return call

    return decorated
