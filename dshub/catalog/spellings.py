"""Resolve names and keyword arguments of other libraries.

Users of torchvision, TFDS, Hugging Face and Keras type the names of these libraries. The package
`dshub.hub.familiar` has them: a class of names for each class of dshub, and the keywords of each
method. It is imported on first use, so the classes stay small and `import dshub` stays fast.
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
    """Return a familiar attribute of an object; to be called from `__getattr__`.

    Args:
        instance: the object.
        name: of the attribute.
        table: class with the names, such as `labels.LabelNames`. Names without an equivalent are
            explained in its attribute `_lessons`.
        lessons: returns explanations of other names.

    Raises:
        AttributeError: the name has no equivalent. A property that raised AttributeError raises
            it again.
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
    """Decorate a function to take keyword arguments in the spellings of other libraries.

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
