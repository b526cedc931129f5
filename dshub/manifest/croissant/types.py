"""Features as Croissant's data types."""

from typing import Any, assert_never

from dshub.manifest.croissant.vocabulary import WIDTHS, Version
from dshub.manifest.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)


def types(feature: Feature, version: Version, *, numbers: bool) -> dict[str, Any]:
    """`dataType` of a feature, and its shape where it has one.

    Version 1.0 knows no shapes: only that there are several values.

    Args:
        feature: the column.
        version: of Croissant.
        numbers: whether its classes are written as numbers.
    """
    kinds = _kinds(feature, numbers=numbers)
    shape = _shape(feature)
    if shape and version == "1.1":
        array = {"isArray": True, "arrayShape": ",".join(map(str, shape))}
        return {"dataType": kinds[0] if len(kinds) == 1 else kinds} | array
    if isinstance(feature, ImageFeature):
        return {"dataType": "sc:ImageObject"}  # atomic types are for arrays of values
    several = {"repeated": True} if shape else {}
    return {"dataType": kinds[0] if len(kinds) == 1 else kinds} | several


def _kinds(feature: Feature, *, numbers: bool) -> list[str]:
    match feature:
        case ImageFeature():
            return [
                "sc:ImageObject",
                *([WIDTHS[feature.dtype]] if feature.encoding == "raw" else []),
            ]
        case AudioFeature():
            return ["sc:AudioObject"]
        case LabelFeature():
            return ["sc:Integer" if numbers else "sc:Text", "cr:Label"]
        case NumberFeature():
            floats = feature.dtype.startswith("float")
            return ["sc:Float" if floats else "sc:Integer", WIDTHS[feature.dtype]]
        case TextFeature():
            return ["sc:Text"]
        case ListFeature():
            return _kinds(feature.of, numbers=numbers)
        case _:
            assert_never(feature)


def _shape(feature: Feature) -> tuple[int, ...]:
    """Lengths of an array, -1 for any; empty for one value."""
    if isinstance(feature, ListFeature):
        return (-1, *_shape(feature.of))
    if isinstance(feature, NumberFeature) or (
        isinstance(feature, ImageFeature) and feature.encoding == "raw"
    ):
        return feature.shape
    return ()
