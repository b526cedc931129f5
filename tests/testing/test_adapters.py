from typing import get_args

from dshub.catalog.features import (
    BytesFeature,
    DateFeature,
    Dtype,
    Feature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
    is_encoded,
)
from dshub.testing.adapters import kinds

DIFFERENT = {DateFeature, BytesFeature, StructFeature}  # between frameworks; see docs/data-model.md


def test_kinds_have_every_feature_and_dtype() -> None:
    features = kinds().features
    assert {type(feature) for feature in features.values()} == set(get_args(Feature)) - DIFFERENT
    assert set(get_args(Dtype)) <= set(features)
    lists = {type(f.of) for f in features.values() if isinstance(f, ListFeature)}
    assert lists == {LabelFeature, NumberFeature, TextFeature}
    assert {is_encoded(feature) for feature in features.values()} == {True, False}
