from typing import get_args

from dshub.catalog.features import Dtype, Feature, ListFeature, is_encoded
from dshub.testing.adapters import kinds


def test_kinds_have_every_feature_and_dtype() -> None:
    features = kinds().features
    assert {type(feature) for feature in features.values()} == set(get_args(Feature))
    assert set(get_args(Dtype)) <= set(features)
    assert {type(f.of) for f in features.values() if isinstance(f, ListFeature)} == set(
        get_args(ListFeature.__annotations__["of"])
    )
    assert {is_encoded(feature) for feature in features.values()} == {True, False}
