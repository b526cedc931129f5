"""Describe how dshub reads the files of an export, so that `dshub new` gives back its features."""

from dataclasses import dataclass
from typing import Any

import msgspec

from dshub.catalog.features import (
    BytesFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    StructFeature,
    TextFeature,
    is_encoded,
)
from dshub.export._rows import is_file


@dataclass(frozen=True)
class Stored:
    """Reader of an export.

    Attributes:
        reader: options of the reader, as in a manifest.
        features: features of the columns, as far as the format holds them.
        part: name of the part of the files.
        member: pattern of the members of each file; empty for the whole file.
    """

    reader: dict[str, Any]
    features: dict[str, Feature]
    part: str = "rows"
    member: str = ""


def as_stored_file(feature: Feature) -> Feature:
    """Return the feature of a column that is written as files: raw pixels become PNG."""
    if isinstance(feature, ImageFeature) and feature.encoding == "raw" and is_file(feature):
        return msgspec.structs.replace(feature, encoding="png")
    return feature


def by_number(feature: Feature) -> Feature:
    """Return the feature of labels that are written as class numbers from 0."""
    if isinstance(feature, LabelFeature):
        return msgspec.structs.replace(feature, first=0)
    if isinstance(feature, ListFeature):
        return msgspec.structs.replace(feature, of=by_number(feature.of))
    if isinstance(feature, StructFeature):
        fields = {name: by_number(of) for name, of in feature.fields.items()}
        return msgspec.structs.replace(feature, fields=fields)
    return feature


def by_name(feature: Feature) -> Feature:
    """Return the feature of values as `json_value` writes them: labels by name, bytes as text."""
    if isinstance(feature, LabelFeature):
        return msgspec.structs.replace(feature, codes=(), first=0)
    if isinstance(feature, BytesFeature) or is_encoded(feature):
        return TextFeature(optional=feature.optional)
    if isinstance(feature, ListFeature):
        return msgspec.structs.replace(feature, of=by_name(feature.of))
    if isinstance(feature, StructFeature):
        fields = {name: by_name(of) for name, of in feature.fields.items()}
        return msgspec.structs.replace(feature, fields=fields)
    return feature
