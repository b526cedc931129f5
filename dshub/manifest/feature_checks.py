"""What must hold within a feature."""

from collections import Counter
from collections.abc import Iterator
from typing import assert_never

from dshub.manifest.faults import Fault
from dshub.manifest.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)


def check_feature(place: str, feature: Feature) -> Iterator[Fault]:
    """Every fault of a feature."""
    match feature:
        case ImageFeature():
            yield from _check_image(place, feature)
        case AudioFeature():
            if feature.rate < 1 or feature.channels < 1:
                yield Fault(place, "rate and channels must be at least 1")
        case LabelFeature():
            yield from _check_label(place, feature)
        case NumberFeature():
            yield from _check_number(place, feature)
        case ListFeature():
            yield from check_feature(f"{place}.of", feature.of)
        case TextFeature():
            pass
        case _:
            assert_never(feature)


def _check_image(place: str, feature: ImageFeature) -> Iterator[Fault]:
    known = len(feature.shape) == 3 and all(length >= 1 for length in feature.shape)
    if feature.encoding == "raw":
        if not known:
            yield Fault(f"{place}.shape", "must be height, width and channels, each at least 1")
        return
    if feature.shape and not (known and feature.shape[2] in {1, 3}):
        yield Fault(f"{place}.shape", "must be height, width and 1 or 3 channels, or left out")
    if feature.dtype != "uint8":
        yield Fault(f"{place}.dtype", "is uint8 where pictures are encoded")


def _check_label(place: str, feature: LabelFeature) -> Iterator[Fault]:
    if not feature.names:
        yield Fault(f"{place}.names", "must not be empty")
    for field in ("names", "codes"):
        found = getattr(feature, field)
        if len(set(found)) != len(found):
            twice = next(name for name, count in Counter(found).items() if count > 1)
            yield Fault(f"{place}.{field}", f"holds {twice!r} twice")
    if feature.codes and len(feature.codes) != len(feature.names):
        told = f"has {len(feature.codes)} codes for {len(feature.names)} classes"
        yield Fault(f"{place}.codes", told)


def _check_number(place: str, feature: NumberFeature) -> Iterator[Fault]:
    if any(length < 1 for length in feature.shape):
        yield Fault(f"{place}.shape", "must hold lengths of at least 1")
    if feature.missing and not feature.dtype.startswith("float"):
        yield Fault(f"{place}.missing", "needs a float: what is missing becomes NaN")
