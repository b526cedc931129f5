"""From the options of `batches` to a plan."""

from typing import Any

import numpy as np

from dshub.arguments import choice, flag, number, whole
from dshub.dataset.unknown import unknown_column
from dshub.errors import ArgumentError
from dshub.loader import Plan, Rows
from dshub.manifest import Feature, ListFeature, TextFeature, is_encoded
from dshub.order import Blocks, InOrder, Order, Shuffled, Weighted, this_rank
from dshub.transforms import is_own
from dshub.transforms.foreign import needs_caller


def plan_of(rows: Rows, size: int, **options: Any) -> Plan:
    """The plan that the options of `Dataset.batches` describe; for errors see there."""
    seed = whole("seed", options.pop("seed", 0))
    shuffle, weights = options.pop("shuffle", False), options.pop("weights", None)
    transforms = _transforms(options.pop("transform", None))
    options = _checked(rows, options)
    if needs_caller(transforms):
        options["threads"] = 0
    rank, world = _rank(options.pop("rank", None), options.pop("world", None))
    plan = Plan(
        size=whole("size", size, least=1),
        order=_order(len(rows), shuffle, seed, weights),
        seed=seed,
        transforms=transforms,
        rank=rank,
        world=world,
        **options,
    )
    if plan.supervised and rows.supervised is None:
        raise ArgumentError(
            name="supervised",
            value=True,
            expected="False: these rows do not say which columns (x, y) means",
            hint="Dataset.from_arrays(…, supervised=(…, …)); `ds.columns` keeps both columns",
        )
    return plan


def _checked(rows: Rows, options: dict[str, Any]) -> dict[str, Any]:
    """Those options that are handed on as they are, or without a choice."""
    for name in options.keys() & {"drop_last", "supervised"}:
        flag(name, options[name])
    for name, known in {"layout": ("hwc", "chw"), "uneven": ("pad", "drop", "exact")}.items():
        choice(name, options.get(name, known[0]), known)
    whole("threads", options.get("threads", 0), least=0)
    number("prefetch", options.get("prefetch", 0), least=0)
    bucket = options.get("bucket")
    if bucket is not None:
        _check_bucket(bucket, rows)
    return options


def _check_bucket(name: Any, rows: Rows) -> None:
    feature: Feature | None = rows.features.get(name) if isinstance(name, str) else None
    if feature is None:
        raise unknown_column(name, rows.features)
    if not isinstance(feature, TextFeature | ListFeature) and not is_encoded(feature):
        expected = "a column of text or lists, whose rows differ in length"
        raise ArgumentError(name="bucket", value=name, expected=expected)


def _transforms(given: Any) -> tuple[Any, ...]:
    found = () if given is None else tuple(given) if isinstance(given, list | tuple) else (given,)
    for transform in found:
        if is_own(transform) and isinstance(transform, type):
            made = f"an instance of it, such as {transform.__name__}(…)"
            raise ArgumentError(name="transform", value=transform, expected=made)
        if not callable(transform) and not is_own(transform):
            raise ArgumentError(
                name="transform",
                value=transform,
                expected="a function that is called with a batch and returns one, or one of "
                "dshub.transforms",
            )
    own = [is_own(transform) for transform in found]
    if own != sorted(own, reverse=True):
        raise ArgumentError(
            name="transform",
            value=list(found),
            expected="in order: transforms of dshub.transforms stand before your own callables",
        )
    return found


def _rank(rank: Any, world: Any) -> tuple[int, int]:
    if (rank is None) != (world is None):
        name, value = ("rank", rank) if world is None else ("world", world)
        expected = "left out, or rank and world given together"
        raise ArgumentError(name=name, value=value, expected=expected)
    if rank is None:
        return this_rank()
    world = whole("world", world, least=1)
    return whole("rank", rank, least=0, most=world - 1), world


def _order(length: int, shuffle: Any, seed: int, weights: Any) -> Order:
    if not isinstance(shuffle, np.bool_):
        choice("shuffle", shuffle, (True, False, "blocks"))
    if weights is not None:
        return _weighted(length, seed, weights)
    if shuffle == "blocks":
        return Blocks(length, seed)
    return Shuffled(length, seed) if shuffle else InOrder(length)


def _weighted(length: int, seed: int, given: Any) -> Weighted:
    try:
        weights = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        weights = np.empty(0)
    valid = weights.shape == (length,) and np.isfinite(weights).all()
    if not valid or (length and not (weights.min() >= 0 and weights.sum() > 0)):
        expected = f"{length:,} numbers of at least 0, one for each row, and not all 0"
        raise ArgumentError(name="weights", value=given, expected=expected)
    return Weighted(weights, seed, length)
