"""From the options of `batches` to a plan."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from dshub.dataset.unknown import unknown_column
from dshub.loader import Plan, Rows
from dshub.order import Blocks, InOrder, Order, Shuffled, Weighted, this_rank
from dshub.transforms import is_own
from dshub.transforms.foreign import needs_caller


def plan_of(rows: Rows, size: int, **options: Any) -> Plan:
    """The plan that the options of `Dataset.batches` describe; for errors see there."""
    size, seed = operator.index(size), operator.index(options.pop("seed", 0))
    shuffle, weights = options.pop("shuffle", False), options.pop("weights", None)
    transforms = _transforms(options.pop("transform", None))
    rank, world = _rank(options.pop("rank", None), options.pop("world", None))
    order = _order(len(rows), shuffle, seed, weights)
    if needs_caller(transforms):
        options["threads"] = 0
    plan = Plan(
        size=size, order=order, seed=seed, transforms=transforms, rank=rank, world=world, **options
    )
    _check(rows, plan)
    return plan


def _check(rows: Rows, plan: Plan) -> None:
    if plan.size < 1:
        raise ValueError(f"a batch holds at least 1 row, not {plan.size}")
    if plan.supervised and rows.supervised is None:
        raise ValueError("these rows do not say which columns (x, y) means")
    _check_choice("layout", plan.layout, ("hwc", "chw"))
    _check_choice("uneven", plan.uneven, ("pad", "drop", "exact"))
    if plan.threads < 0 or plan.prefetch < 0:
        raise ValueError("threads and prefetch are at least 0")
    if plan.bucket is not None and plan.bucket not in rows.features:
        raise unknown_column(plan.bucket, rows.features)


def _check_choice(name: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} is {' or '.join(map(repr, known))}, not {value!r}")


def _transforms(given: Any) -> tuple[Any, ...]:
    found = () if given is None else tuple(given) if isinstance(given, list | tuple) else (given,)
    for transform in found:
        if not callable(transform) and not is_own(transform):
            raise TypeError(f"a transform is called with a batch, and {transform!r} cannot be")
    own = [is_own(transform) for transform in found]
    if own != sorted(own, reverse=True):
        raise ValueError("transforms of dshub.transforms stand before your own callables")
    return found


def _rank(rank: int | None, world: int | None) -> tuple[int, int]:
    if (rank is None) != (world is None):
        raise ValueError("rank and world are given together")
    if rank is None or world is None:
        return this_rank()
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} of {world}: ranks run from 0 to {world - 1}")
    return rank, world


def _order(length: int, shuffle: Any, seed: int, weights: Any) -> Order:
    if weights is not None:
        return _weighted(length, seed, np.asarray(weights, np.float64))
    if shuffle == "blocks":
        return Blocks(length, seed)
    if not isinstance(shuffle, bool | np.bool_):
        raise ValueError(f"shuffle is True, False or 'blocks', not {shuffle!r}")  # noqa: TRY004
    return Shuffled(length, seed) if shuffle else InOrder(length)


def _weighted(length: int, seed: int, weights: np.ndarray) -> Weighted:
    if weights.shape != (length,):
        raise ValueError(f"{weights.shape} weights for {length:,} rows")
    if length and not (np.isfinite(weights).all() and weights.min() >= 0 and weights.sum() > 0):
        raise ValueError("weights are at least 0, and not all 0")
    return Weighted(weights, seed, length)
