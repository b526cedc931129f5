"""What a transform is, and calling one."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeGuard, runtime_checkable

from dshub.errors import DshubError
from dshub.manifest import Feature
from dshub.order import Draws
from dshub.transforms.foreign import changed, package_of

Batch = dict[str, Any]
"""Column name to an array (rows, …), or to a list where rows differ in shape or are text."""


@dataclass(frozen=True)
class Context:
    """What a transform is told besides the batch.

    Attributes:
        draws: random numbers of the rows.
        features: what the columns held when they were read.
        pictures: the columns that hold pictures.
        labels: the columns that hold classes.
        planes: whether channels come first in what callables of other packages are given.
    """

    draws: Draws
    features: Mapping[str, Feature]
    pictures: Sequence[str] = ()
    labels: Sequence[str] = ()
    planes: bool = False


@runtime_checkable
class Transform(Protocol):
    """A transform of dshub's own: a frozen value."""

    def apply(self, batch: Batch, context: Context) -> Batch:
        """The batch, changed; arrays may be changed in place."""


AnyTransform = Transform | Callable[..., Batch]


def apply(
    transforms: Sequence[AnyTransform], batch: Batch, context: Context, *, first: int = 0
) -> Batch:
    """The batch after all transforms, each with draws of its own.

    A callable of another kind is called with the batch; and with `generator`, a
    `numpy.random.Generator` for this batch, if it has a parameter of that name. One of
    torchvision or albumentations is called with each picture: `dshub.transforms.foreign`.

    Args:
        first: number of the first transform in the whole list.

    Raises:
        DshubError: a callable returns no batch.
    """
    transform: Any  # a type checker cannot know that what is not dshub's own is called
    for i, transform in enumerate(transforms, first):
        own = replace(context, draws=context.draws.apart(i))
        if is_own(transform):
            batch = transform.apply(batch, own)
        elif package_of(transform):
            for name in own.pictures:
                batch[name] = changed(transform, batch[name], own.draws.bits(), planes=own.planes)
        elif _wants_generator(transform):
            batch = _returned(transform, transform(batch, generator=own.draws.generator()))
        else:
            batch = _returned(transform, transform(batch))
    return batch


def is_own(transform: Any) -> TypeGuard[Transform]:
    """Whether it is one of dshub's kind; albumentations' have a method of the same name."""
    return isinstance(transform, Transform) and not package_of(transform)


def _returned(transform: Any, found: Any) -> Batch:
    """The batch that a callable returned; a forgotten `return` is what people meet most."""
    if isinstance(found, Mapping):
        return found  # type: ignore[return-value]  # such as a tokenizer's own kind
    name = getattr(transform, "__qualname__", type(transform).__name__)
    raise DshubError(
        f"the transform {name} returned {type(found).__name__}, and no batch",
        hint="let it return the dict that it was given, changed, or another one",
    )


def _wants_generator(transform: Callable[..., Batch]) -> bool:
    try:
        return "generator" in inspect.signature(transform).parameters
    except (TypeError, ValueError):  # built in C, without a signature
        return False
