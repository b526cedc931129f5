from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from dshub import Dataset
from dshub.errors import SchemaError, UnknownNameError
from dshub.manifest import Feature, ImageFeature, LabelFeature, NumberFeature, TextFeature


def test_features_are_guessed() -> None:
    """From dtype and shape; lists of `str`, and NumPy's strings, are text."""
    dataset = Dataset.from_arrays(
        {
            "one": np.zeros(3, np.int16),
            "many": np.zeros((3, 2, 4), np.float32),
            "list": cast("Any", [1, 2, 3]),
            "text": ["a", "b", "c"],
            "strings": np.array(["d", "e", "f"]),
        }
    )
    assert dataset.features == {
        "one": NumberFeature(dtype="int16"),
        "many": NumberFeature(dtype="float32", shape=(2, 4)),
        "list": NumberFeature(dtype="int64"),
        "text": TextFeature(),
        "strings": TextFeature(),
    }
    assert dataset["strings"] == ["d", "e", "f"]
    assert (len(dataset), dataset.manifest, dataset.supervised) == (3, None, None)


def test_arrays_are_used_as_they_are_and_handed_out_read_only() -> None:
    """No copy is made, and a view that is handed out cannot change them."""
    own = np.arange(10)
    column = Dataset.from_arrays({"n": own})["n"]
    assert isinstance(column, np.ndarray)
    assert np.shares_memory(own, column)
    assert own.flags.writeable
    assert not column.flags.writeable


def test_the_order_of_bytes_is_this_machines() -> None:
    """Arrays of the other order, as files have them, become what frameworks take."""
    column = Dataset.from_arrays({"n": np.arange(5, dtype=">u4")})["n"]
    assert isinstance(column, np.ndarray)
    assert column.dtype == np.dtype("uint32")
    assert column.dtype.isnative
    assert column.tolist() == [0, 1, 2, 3, 4]


def test_features_say_what_columns_hold() -> None:
    """Pictures and classes keep what was said of them."""
    features: dict[str, Feature] = {
        "image": ImageFeature(shape=(4, 5, 3)),
        "label": LabelFeature(names=("cat", "dog")),
    }
    dataset = Dataset.from_arrays(
        {"image": np.zeros((2, 4, 5, 3), np.uint8), "label": np.array([1, 0])},
        features=features,
        supervised=("image", "label"),
    )
    assert dataset.features == features
    assert dataset.pictures == ["image"]
    assert dataset.supervised == ("image", "label")


@pytest.mark.parametrize(
    ("column", "feature", "words"),
    [
        (np.array([0, 1, 2]), LabelFeature(names=("a", "b")), "from 0 to 2, .* from 0 to 1"),
        (np.array([-1, 1]), LabelFeature(names=("a", "b")), "from -1 to 1, .* from 0 to 1"),
        (np.array([0, 1], np.uint8), LabelFeature(names=("a", "b")), "uint8 .* int64"),
        (["a"], LabelFeature(names=("a", "b")), "got text, expected int64"),
        (np.zeros((2, 4, 5)), ImageFeature(shape=(4, 5, 1)), r"float64 .* uint8 \(rows, 4, 5, 1\)"),
        (
            np.zeros((2, 3), np.uint8),
            ImageFeature(shape=(4, 5, 1)),
            r"\(2, 3\).* \(rows, 4, 5, 1\)",
        ),
        (np.zeros(2), TextFeature(), "float64 .* text"),
        (np.zeros(2, np.int32), NumberFeature(dtype="int64"), "int32 .* int64"),
    ],
    ids=str,
)
def test_columns_that_do_not_fit_their_features(column: Any, feature: Feature, words: str) -> None:
    """The error names the column, what it holds and what it had to."""
    with pytest.raises(SchemaError, match=f"column x: .*{words}"):
        Dataset.from_arrays({"x": column}, features={"x": feature})


def test_features_of_columns_that_are_not_there() -> None:
    """A name that was misspelt is said."""
    with pytest.raises(SchemaError, match="column labl: got no such column"):
        Dataset.from_arrays({"label": np.zeros(2)}, features={"labl": TextFeature()})


@pytest.mark.parametrize("own", [Dataset.from_arrays, Dataset.from_arrow])
def test_supervised_columns_that_are_not_there(own: Callable[..., Dataset]) -> None:
    """A typo is refused at once, rather than when pairs are asked for."""
    table = pa.table({"image": np.zeros(2), "label": np.zeros(2)})
    columns = (
        table if own == Dataset.from_arrow else {n: table[n].to_numpy() for n in table.schema.names}
    )
    with pytest.raises(UnknownNameError, match="'lable'"):
        own(columns, supervised=("image", "lable"))


def test_columns_of_different_lengths() -> None:
    """The error tells the length of each."""
    with pytest.raises(SchemaError, match="image 1,000, label 999"):
        Dataset.from_arrays({"image": np.zeros(1000), "label": np.zeros(999)})


@pytest.mark.parametrize(
    "column",
    [np.array([True]), np.array([None]), np.array(["2020-01-01"], "M8[D]"), np.array([1j])],
    ids=str,
)
def test_values_that_no_feature_holds(column: np.ndarray) -> None:
    """They are refused with their dtype."""
    with pytest.raises(SchemaError, match=rf"column x: got {column.dtype}".replace("[", r"\[")):
        Dataset.from_arrays({"x": column})


def nested(values: list[Any], *lengths: int) -> pa.Array:
    kind = pa.float32()
    for length in reversed(lengths):
        kind = pa.list_(kind, length)
    return pa.array(values, kind)


def test_arrow_tables() -> None:
    """Numbers, nested lists of fixed lengths and text, also in several chunks or sliced."""
    matrix = nested([[[n, 1, 2], [3, 4, n]] for n in range(6)], 2, 3)
    table = pa.table(
        {
            "n": pa.chunked_array([[1, 2], [], [3, 4, 5, 6]], pa.int16()),
            "matrix": matrix,
            "text": ["a", "", "c", "d", "e", "pâté"],
            "large": pa.array(list("ghijkl"), pa.large_string()),
        }
    ).slice(1, 5)
    dataset = Dataset.from_arrow(table, supervised=("matrix", "n"))
    assert dataset.features["matrix"] == NumberFeature(dtype="float32", shape=(2, 3))
    assert dataset.features["n"] == NumberFeature(dtype="int16")
    assert dataset.supervised == ("matrix", "n")
    for name in table.schema.names:
        column = dataset[name]
        values = column.tolist() if isinstance(column, np.ndarray) else column
        assert values == table.column(name).to_pylist()


def test_an_arrow_column_in_one_piece_is_not_copied() -> None:
    """Its buffer is what is handed out."""
    values = pa.array(np.arange(1000))
    column = Dataset.from_arrow(pa.table({"n": values}))["n"]
    assert isinstance(column, np.ndarray)
    assert column.ctypes.data == values.buffers()[1].address


def test_empty_arrow_tables() -> None:
    """They have no rows, and the columns they say."""
    schema = pa.schema({"n": pa.int64(), "t": pa.string(), "m": pa.list_(pa.uint8(), 3)})
    dataset = Dataset.from_arrow(schema.empty_table())
    assert len(dataset) == 0
    assert dataset["t"] == []
    assert dataset.features["m"] == NumberFeature(dtype="uint8", shape=(3,))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None]),
        pa.array(["a", None]),
        pa.array([[1, 2], None], pa.list_(pa.int64(), 2)),
        pa.array([[1, None]], pa.list_(pa.int64(), 2)),
        pa.array([[1], [1, 2]]),
        pa.array([{"a": 1}]),
    ],
    ids=str,
)
def test_arrow_columns_that_no_feature_holds(column: pa.Array) -> None:
    """Missing values and other types are an error that names the column."""
    with pytest.raises(SchemaError, match="column x"):
        Dataset.from_arrow(pa.table({"x": column}))
