"""What a transform is, and calling one."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

from dshub.manifest import Feature
from dshub.order import Draws

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
    """

    draws: Draws
    features: Mapping[str, Feature]
    pictures: Sequence[str] = ()
    labels: Sequence[str] = ()


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
    `numpy.random.Generator` for this batch, if it has a parameter of that name.

    Args:
        first: number of the first transform in the whole list.
    """
    for i, transform in enumerate(transforms, first):
        own = Context(context.draws.apart(i), context.features, context.pictures, context.labels)
        if isinstance(transform, Transform):
            batch = transform.apply(batch, own)
        elif _wants_generator(transform):
            batch = transform(batch, generator=own.draws.generator())
        else:
            batch = transform(batch)
    return batch


@lru_cache(maxsize=256)
def _wants_generator(transform: Callable[..., Batch]) -> bool:
    try:
        return "generator" in inspect.signature(transform).parameters
    except (TypeError, ValueError):  # built in C, without a signature
        return False
