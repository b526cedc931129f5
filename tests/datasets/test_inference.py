from typing import Any

import pyarrow as pa
import pytest

from dshub.catalog.features import (
    BytesFeature,
    DateFeature,
    Feature,
    ListFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
)
from dshub.datasets.inference import feature_of, missing_paths
from dshub.errors import SchemaError

INTEGER = NumberFeature(dtype="int64")


@pytest.mark.parametrize(
    ("values", "feature"),
    [
        (pa.array([True]), NumberFeature(dtype="bool")),
        (pa.array([1], pa.uint64()), NumberFeature(dtype="uint64")),
        (pa.array([1], pa.date32()), DateFeature()),
        (pa.array([86_400_000], pa.date64()), DateFeature()),
        (pa.array([1], pa.timestamp("ns", "UTC")), DateFeature(unit="ns", timezone="UTC")),
        (pa.array([b"x"], pa.large_binary()), BytesFeature()),
        (pa.array([[[1]]]), ListFeature(of=ListFeature(of=INTEGER))),
        (pa.array([{"a": 1}]), StructFeature(fields={"a": INTEGER})),
        (
            pa.array([[{"a": "x"}, {"a": None}]]),
            ListFeature(of=StructFeature(fields={"a": TextFeature(optional=True)})),
        ),
        (pa.array([[1], None]), ListFeature(of=INTEGER, optional=True)),
    ],
    ids=str,
)
def test_feature_follows_from_type_and_missing_values(values: pa.Array, feature: Feature) -> None:
    assert feature_of("x", [values]) == feature


def test_field_of_a_missing_struct_is_not_missing() -> None:
    assert feature_of("x", [pa.array([{"a": 1}, None])]) == StructFeature(
        fields={"a": INTEGER}, optional=True
    )


def test_any_chunk_can_make_a_feature_optional() -> None:
    chunks = [pa.array([1]), pa.array([None], pa.int64())]
    assert feature_of("x", chunks) == NumberFeature(dtype="int64", optional=True)


@pytest.mark.parametrize(
    ("values", "paths"),
    [
        ([1], set()),
        ([1, None], {""}),
        ([[1, None]], {"[]"}),
        ([None, {"a": [None]}], {"", ".a[]"}),
    ],
    ids=str,
)
def test_paths_of_missing_values(values: list[Any], paths: set[str]) -> None:
    assert set(missing_paths(pa.array(values))) == paths


@pytest.mark.parametrize(
    "values",
    [pa.nulls(1), pa.array([[]]), pa.array([1], pa.duration("s")), pa.array([{"a": None}])],
    ids=str,
)
def test_type_without_a_feature_is_refused(values: pa.Array) -> None:
    with pytest.raises(SchemaError, match="x"):
        feature_of("x", [values])
