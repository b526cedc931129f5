import time

import numpy as np
import pyarrow as pa
import pytest

from dshub.catalog.features import LabelFeature, NumberFeature
from dshub.errors import SchemaError
from dshub.tables.conforming import conform
from dshub.tables.types import arrow_type
from tests.tables.fitting import FEATURES, fit, good, nested


def test_matching_columns_keep_their_values() -> None:
    """Labels become int64, images get a channel axis, and columns follow the features' order."""
    columns = good()
    result = fit(dict(reversed(columns.items())) | {"extra": pa.array(range(5))})
    assert result.schema.names == list(FEATURES)
    assert result.schema.types == [arrow_type(feature) for feature in FEATURES.values()]
    for name in ("label", "number", "vector", "text"):
        assert result.column(name).to_pylist() == columns[name].to_pylist()
    images = np.array(result.column("image").to_pylist())
    np.testing.assert_array_equal(images, np.arange(30).reshape(5, 2, 3, 1))


def test_slices_are_conformed() -> None:
    result = fit({name: column.slice(2, 3) for name, column in good(9).items()})
    assert {name: result.column(name).to_pylist() for name in ("vector", "text")} == {
        name: good(9)[name].to_pylist()[2:5] for name in ("vector", "text")
    }
    assert np.array(result.column("image").to_pylist())[0, 0, 0, 0] == 12


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 3), (2, 3, 1)),
        ((2, 3, 1), (2, 3, 1)),
        ((2, 3, 1), (2, 3)),
        ((1,), ()),
        ((), (1,)),
        ((6, 1), (6,)),
    ],
)
def test_dimensions_of_length_one_are_added_and_dropped(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    array = np.arange(4 * int(np.prod(shape)), dtype=np.int32).reshape(4, *shape)
    features = {"x": NumberFeature(dtype="int32", shape=expected)}
    result = np.array(fit({"x": nested(array)}, features).column("x").to_pylist())
    np.testing.assert_array_equal(result, array.reshape(4, *expected))


def test_lists_of_the_lengths_of_an_array_become_arrays() -> None:
    """JSON has no arrays of a shape."""
    images = np.arange(30, dtype=np.uint8).reshape(5, 2, 3, 1)
    kind = pa.list_(pa.list_(pa.list_(pa.uint8())))
    lists = pa.array(images.tolist(), kind)
    assert fit(good() | {"image": lists}) == fit(good() | {"image": nested(images)})


def test_list_of_another_length_is_rejected_with_its_row() -> None:
    images = np.zeros((5, 2, 3, 1), np.uint8).tolist()
    images[3][1] = images[3][1][:2]
    with pytest.raises(SchemaError, match=r"row 103: got 2 values, expected 3 values"):
        fit(good() | {"image": pa.array(images)})


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("image", nested(np.zeros((5, 2, 3), np.int8)), "got 2x3 int8, expected 2x3x1 uint8"),
        ("image", nested(np.zeros((5, 3, 2), np.uint8)), "got 3x2 uint8, expected 2x3x1 uint8"),
        ("image", nested(np.zeros((5, 6), np.uint8)), "got 6 uint8, expected 2x3x1 uint8"),
        ("image", pa.array(["x"] * 5), "got one string, expected 2x3x1 uint8"),
        ("vector", pa.array([1] * 5, pa.int16()), "got one int16, expected 4 int16"),
        ("label", pa.array([1.0] * 5), "got double, expected class numbers"),
        ("text", pa.array([b"x"] * 5), "got binary, expected text"),
        ("text", pa.array([1] * 5), "got int64, expected text"),
    ],
)
def test_wrong_type_or_shape_is_rejected(column: str, values: pa.Array, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        fit(good() | {column: values})
    assert str(caught.value).startswith(f"ds, split train, column {column}: got ")
    assert message in str(caught.value)


@pytest.mark.parametrize("column", FEATURES)
def test_missing_column_is_rejected(column: str) -> None:
    columns = good()
    del columns[column]
    with pytest.raises(SchemaError, match=f"column {column}: got only ") as caught:
        fit(columns)
    assert all(name in str(caught.value) for name in columns)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("label", pa.array([0, 1, None, 2, None], pa.int32())),
        ("number", pa.array([0, 1, None, 2, 3], pa.float32())),
        ("text", pa.array(["a", "b", None, "c", "d"])),
        ("vector", pa.array([[1] * 4, [2] * 4, None, [3] * 4, [4] * 4], pa.list_(pa.int16(), 4))),
        ("vector", pa.array([[1] * 4] * 2 + [[1, 2, None, 3]] * 3, pa.list_(pa.int16(), 4))),
        (
            "image",
            pa.array(
                [[[1, 2, 3]] * 2] * 2 + [[[1, 2, 3], None]] * 3,
                pa.list_(pa.list_(pa.uint8(), 3), 2),
            ),
        ),
    ],
)
def test_null_is_rejected(column: str, values: pa.Array) -> None:
    """The error names the row in the split, at any depth of nesting."""
    with pytest.raises(SchemaError, match=f"column {column}, row 102: got none, expected a value"):
        fit(good() | {column: values})


@pytest.mark.parametrize(
    ("first", "labels", "message"),
    [
        (0, [0, 2, 3, 9], "row 102: got 3, expected a class from 0 to 2"),
        (0, [0, -1], "row 101: got -1, expected a class from 0 to 2"),
        (1, [1, 3, 0], "row 102: got 0, expected a class from 1 to 3"),
        (1, [4], "row 100: got 4, expected a class from 1 to 3"),
        (0, [0, 2**63], f"row 101: got {2**63}, expected"),
        (0, [2**64 - 1], f"row 100: got {2**64 - 1}, expected"),
        (1, [2**63], f"row 100: got {2**63}, expected"),
    ],
)
def test_label_out_of_range_is_rejected(first: int, labels: list[int], message: str) -> None:
    """The error names the row in the split, the value and the range."""
    features = {"label": LabelFeature(names=("a", "b", "c"), first=first)}
    kind = pa.int64() if min(labels) < 0 else pa.uint64()
    with pytest.raises(SchemaError) as caught:
        fit({"label": pa.array(labels, kind)}, features)
    assert message in str(caught.value)


def test_labels_start_at_zero() -> None:
    features = {"label": LabelFeature(names=("a", "b", "c"), first=1)}
    result = fit({"label": pa.array([3, 1, 2, 3], pa.uint8())}, features)
    assert result.column("label").to_pylist() == [2, 0, 1, 2]


def test_many_columns_take_linear_time() -> None:
    names = [f"column {i}" for i in range(5_000)]
    batch = pa.RecordBatch.from_arrays([pa.array([1])] * len(names), names)
    began = time.process_time()
    conform(batch, dict.fromkeys(names, NumberFeature(dtype="int64")), where="x", first_row=0)
    assert time.process_time() - began < 3  # ten times as long if each column lists all names
