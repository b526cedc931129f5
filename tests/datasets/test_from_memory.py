from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from dshub import Dataset
from dshub.catalog.features import (
    BytesFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.errors import ArgumentError, SchemaError, UnknownNameError


def test_features_are_inferred() -> None:
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


def test_arrays_are_not_copied_and_read_only() -> None:
    array = np.arange(10)
    column = Dataset.from_arrays({"n": array})["n"]
    assert isinstance(column, np.ndarray)
    assert np.shares_memory(array, column)
    assert array.flags.writeable
    assert not column.flags.writeable


def test_arrays_become_native_byte_order() -> None:
    column = Dataset.from_arrays({"n": np.arange(5, dtype=">u4")})["n"]
    assert isinstance(column, np.ndarray)
    assert column.dtype == np.dtype("uint32")
    assert column.dtype.isnative
    assert column.tolist() == [0, 1, 2, 3, 4]


def test_bools_become_0_and_1_as_in_arrow() -> None:
    flags = np.array([True, False])
    columns: dict[str, Any] = {"flag": flags, "pair": [[True], [False, True]]}
    dataset = Dataset.from_arrays(columns)
    assert dataset.features == Dataset.from_arrow(pa.table(columns)).features
    assert np.shares_memory(flags, dataset["flag"])
    assert dataset["flag"].tolist() == [True, False]
    assert [row.tolist() for row in dataset["pair"]] == [[True], [False, True]]


def test_object_arrays_of_text_are_text() -> None:
    """Columns of text in pandas are such arrays."""
    words = np.array(["a", "bc"], object)
    dataset = Dataset.from_arrays({"word": words})
    assert dataset["word"] == ["a", "bc"]
    assert Dataset.from_arrays({"word": np.array(["a", None], object)})["word"] == ["a", None]


def test_given_features_are_kept() -> None:
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
    assert dataset.image_columns == ["image"]
    assert dataset.supervised == ("image", "label")


@pytest.mark.parametrize(
    ("column", "feature", "words"),
    [
        (np.array([0, 1, 2]), LabelFeature(names=("a", "b")), "from 0 to 2, .* from 0 to 1"),
        (np.array([-1, 1]), LabelFeature(names=("a", "b")), "from -1 to 1, .* from 0 to 1"),
        (np.array([0, 1], np.uint8), LabelFeature(names=("a", "b")), "uint8 .* int64"),
        (["c"], LabelFeature(names=("a", "b")), "row 0: got 'c', expected one of the classes a, b"),
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
def test_column_that_does_not_fit_its_feature_is_rejected(
    column: Any, feature: Feature, words: str
) -> None:
    """The error names the column, its values and the expected values."""
    with pytest.raises(SchemaError, match=f"column x.*{words}"):
        Dataset.from_arrays({"x": column}, features={"x": feature})


def test_feature_of_unknown_column_is_rejected() -> None:
    with pytest.raises(SchemaError, match="column labl: got no such column"):
        Dataset.from_arrays({"label": np.zeros(2)}, features={"labl": TextFeature()})


@pytest.mark.parametrize("own", [Dataset.from_arrays, Dataset.from_arrow])
def test_unknown_supervised_column_is_rejected(own: Callable[..., Dataset]) -> None:
    table = pa.table({"image": np.zeros(2), "label": np.zeros(2)})
    columns = (
        table if own == Dataset.from_arrow else {n: table[n].to_numpy() for n in table.schema.names}
    )
    with pytest.raises(UnknownNameError, match="'lable'"):
        own(columns, supervised=("image", "lable"))


def test_columns_of_different_lengths_are_rejected() -> None:
    with pytest.raises(SchemaError, match="image 1,000, label 999"):
        Dataset.from_arrays({"image": np.zeros(1000), "label": np.zeros(999)})


def test_unsupported_dtype_is_rejected() -> None:
    with pytest.raises(SchemaError, match="column x: got complex128") as caught:
        Dataset.from_arrays({"x": np.array([1j])})
    assert "astype" in caught.value.hint
    assert "float32" in caught.value.hint


@pytest.mark.parametrize("make", [Dataset.from_arrays, lambda x: Dataset.from_arrow(pa.table(x))])
def test_missing_value_of_a_declared_feature_is_rejected(make: Callable[..., Dataset]) -> None:
    with pytest.raises(SchemaError, match="column x, row 1: got none, expected a value") as caught:
        Dataset.from_arrays({"x": ["a", None]}, features={"x": TextFeature()})
    assert "optional" in caught.value.hint
    assert make({"x": ["a", None]}).features == {"x": TextFeature(optional=True)}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Dataset.from_arrays([1, 2]), r"columns is \[1, 2\]; it must be a dict"),  # type: ignore[arg-type]
        (lambda: Dataset.from_arrays({"x": 5}), "column x is 5; it must be an array or a list"),  # type: ignore[dict-item]
        (lambda: Dataset.from_arrays({"x": np.array(5)}), "column x is array"),
        (lambda: Dataset.from_arrow({"x": [1]}), "table is .* it must be a pyarrow.Table"),
        (lambda: Dataset.from_arrays({"x": [1]}, supervised="x"), "supervised is 'x'; .* a pair"),  # type: ignore[arg-type]
        (lambda: Dataset.from_arrays({"x": [1]}, supervised=("x",)), "it must be a pair"),  # type: ignore[arg-type]
    ],
)
def test_wrong_type_is_rejected(make: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()


def test_arrow_c_stream_is_a_table() -> None:
    """DuckDB returns a stream of batches, and pandas exports a DataFrame as a stream."""
    table = pa.table({"n": [1, 2, 3], "text": ["a", "b", "c"]})
    dataset = Dataset.from_arrow(table.to_reader())
    assert dataset[:]["text"] == ["a", "b", "c"]
    assert dataset["n"].tolist() == [1, 2, 3]
    frames = pytest.importorskip("pandas")
    assert Dataset.from_arrow(frames.DataFrame({"n": [1, 2]}))["n"].tolist() == [1, 2]


def nested(values: list[Any], *lengths: int) -> pa.Array:
    kind = pa.float32()
    for length in reversed(lengths):
        kind = pa.list_(kind, length)
    return pa.array(values, kind)


def test_arrow_table() -> None:
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


def test_arrow_column_is_not_copied() -> None:
    values = pa.array(np.arange(1000))
    column = Dataset.from_arrow(pa.table({"n": values}))["n"]
    assert isinstance(column, np.ndarray)
    assert column.ctypes.data == values.buffers()[1].address


def test_empty_arrow_table() -> None:
    schema = pa.schema({"n": pa.int64(), "t": pa.string(), "m": pa.list_(pa.uint8(), 3)})
    dataset = Dataset.from_arrow(schema.empty_table())
    assert len(dataset) == 0
    assert dataset["t"] == []
    assert dataset.features["m"] == NumberFeature(dtype="uint8", shape=(3,))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([None, None]),
        pa.array([[1, None]], pa.list_(pa.int64(), 2)),
        pa.array([[], []]),
        pa.array([{}]),
        pa.array([1], pa.duration("s")),
    ],
    ids=str,
)
def test_unsupported_arrow_column_is_rejected(column: pa.Array) -> None:
    with pytest.raises(SchemaError, match="column x"):
        Dataset.from_arrow(pa.table({"x": column}))


def values_of(column: Any) -> list[Any]:
    return [value.tolist() if isinstance(value, np.ndarray) else value for value in column]


LISTS: list[tuple[Any, Any]] = [
    ([[1, 2], [], [3]], NumberFeature(dtype="int64")),
    ([np.zeros(2, np.float32), np.ones(3, np.float32)], NumberFeature(dtype="float32")),
    ([np.zeros((2, 4)), np.ones((0, 4))], NumberFeature(dtype="float64", shape=(4,))),
    ([["le", "pâté"], [], ["chat"]], TextFeature()),
    ([["a", "b"], ["c", "d"]], TextFeature()),
]


@pytest.mark.parametrize(("rows", "item"), LISTS, ids=str)
def test_rows_of_several_lengths_are_lists(rows: Any, item: Any) -> None:
    dataset = Dataset.from_arrays({"x": rows})
    assert dataset.features == {"x": ListFeature(of=item)}
    assert values_of(dataset["x"]) == values_of(rows)
    assert values_of(dataset[[1, 0]]["x"]) == values_of([rows[1], rows[0]])
    if not isinstance(item, TextFeature):
        assert {value.dtype.name for value in dataset["x"]} == {item.dtype}


def test_list_feature_applies_to_rows_of_one_length() -> None:
    label = LabelFeature(names=("cat", "dog"))
    features: dict[str, Feature] = {
        "x": ListFeature(of=NumberFeature(dtype="int16")),
        "label": ListFeature(of=label),
        "none": ListFeature(of=label),
    }
    columns: dict[str, Any] = {"x": [[1, 2], [3, 4]], "label": [[0], [1]], "none": [[], []]}
    dataset = Dataset.from_arrays(columns, features=features)
    assert dataset.features == features
    assert (values_of(dataset["x"]), dataset[1]["x"].dtype.name) == ([[1, 2], [3, 4]], "int16")
    assert dataset[0]["none"].dtype == np.int64
    with pytest.raises(SchemaError, match=r"column label: got lists of .* from 0 to 2"):
        Dataset.from_arrays(columns | {"label": [[0], [2]]}, features=features)


@pytest.mark.parametrize(
    "rows",
    [
        [np.zeros(1, np.int8), np.zeros(2, np.int16)],
        [["a"], [1, 2]],
        [1, [2, 3]],
        [[1], [[2], [3]]],
        [{"a": 1}, 2],
    ],
    ids=str,
)
def test_rows_of_several_kinds_are_rejected(rows: Any) -> None:
    with pytest.raises(SchemaError, match="column x"):
        Dataset.from_arrays({"x": rows})


def test_gathered_rows_are_copies() -> None:
    dataset = Dataset.from_arrays({"x": [[1, 2], [3]]})
    dataset[0]["x"][:] = 9
    dataset[[0, 1]]["x"][1][:] = 9
    assert values_of(dataset["x"]) == [[1, 2], [3]]


def test_bytes_are_files_only_with_a_feature() -> None:
    assert Dataset.from_arrays({"x": [b"abc"]}).features == {"x": BytesFeature()}
    image = ImageFeature(encoding="any")
    with pytest.raises(SchemaError, match="column x: got text, expected bytes"):
        Dataset.from_arrays({"x": ["abc"]}, features={"x": image})
    dataset = Dataset.from_arrays({"x": [b"abc", b"d"]}, features={"x": image})
    assert dataset.decode(False)["x"] == [b"abc", b"d"]


def test_arrow_lists_and_files() -> None:
    """Arrow's list types are recognized, but files need a feature."""
    rows = [[1], [], [2, 3], [4], [5, 6, 7]]
    words = [["a"], ["b", ""], [], ["pâté"], ["c"]]
    table = pa.table(
        {
            "n": pa.chunked_array([rows[:2], [], rows[2:]], pa.list_(pa.int16())),
            "large": pa.array(rows, pa.large_list(pa.float32())),
            "words": pa.array(words, pa.list_(pa.large_string())),
            "pairs": pa.array([[[n, n]] * n for n in range(5)], pa.list_(pa.list_(pa.int8(), 2))),
            "photo": pa.array([b"BM%d" % n for n in range(5)], pa.large_binary()),
            "kind": ["dog", "cat", "cat", "dog", "cat"],
        }
    ).slice(1, 4)
    features: dict[str, Feature] = {
        "photo": ImageFeature(encoding="any"),
        "kind": LabelFeature(names=("cat", "dog")),
    }
    dataset = Dataset.from_arrow(table, features=features).decode(False)
    assert dataset.features["n"] == ListFeature(of=NumberFeature(dtype="int16"))
    assert dataset.features["pairs"] == ListFeature(of=NumberFeature(dtype="int8", shape=(2,)))
    assert dataset.features["words"] == ListFeature(of=TextFeature())
    for name in ("n", "large", "words", "pairs", "photo"):
        assert values_of(dataset[name]) == table.column(name).to_pylist()
        assert values_of(dataset[[3, 0]][name]) == table.column(name).take([3, 0]).to_pylist()
    assert values_of(dataset["kind"]) == [0, 0, 1, 0]


def test_arrow_lists_are_not_copied() -> None:
    array = pa.array([[1, 2], [3]], pa.list_(pa.int64()))
    row = Dataset.from_arrow(pa.table({"x": array}))["x"][1]
    assert row.ctypes.data == array.values.buffers()[1].address + 16
    assert not row.flags.writeable


def test_missing_value_in_a_list_names_its_row() -> None:
    chunks = pa.chunked_array([[[1], [2]], [[3], [4, None], [5]]], pa.list_(pa.int64()))
    integers = ListFeature(of=NumberFeature(dtype="int64"))
    with pytest.raises(SchemaError, match="column x, row 3: got none"):
        Dataset.from_arrow(pa.table({"x": chunks}), features={"x": integers})


def test_rows_become_columns() -> None:
    dataset = Dataset.from_rows({"a": i, "b": f"{i}"} for i in range(3))
    assert dataset["a"].tolist() == [0, 1, 2]
    assert dataset["b"] == ["0", "1", "2"]
    assert len(Dataset.from_rows([])) == 0


@pytest.mark.parametrize("values", [[2**63 + 1, 7], [2**53 + 1, None], [-(2**63), 1]], ids=str)
def test_large_integers_never_become_floats(values: list[int | None]) -> None:
    assert [row["x"] for row in Dataset.from_rows({"x": value} for value in values)] == values


def test_rows_of_nested_arrays_are_lists() -> None:
    ds = Dataset.from_arrays({"x": [[np.arange(2), np.arange(0)], []]})
    assert [[inner.tolist() for inner in row] for row in ds["x"]] == [[[0, 1], []], []]


def test_key_that_a_row_lacks_is_a_missing_value() -> None:
    rows: list[dict[str, Any]] = [{"a": 1}, {"b": "x", "a": 2}, {"b": "y"}]
    assert list(Dataset.from_rows(rows)) == [
        {"a": 1, "b": None},
        {"a": 2, "b": "x"},
        {"a": None, "b": "y"},
    ]
    with pytest.raises(ArgumentError, match="dicts"):
        Dataset.from_rows([1])  # type: ignore[list-item]


def test_features_that_are_not_features_are_rejected() -> None:
    features: Any = {"x": "int64"}
    with pytest.raises(ArgumentError, match="the feature of x is 'int64'"):
        Dataset.from_arrays({"x": [1]}, features=features)
    with pytest.raises(ArgumentError, match="the feature of x is 'int64'"):
        Dataset.from_arrays({"x": [1]}).cast(features)


def test_pandas_columns_of_any_kind() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "n": [1.0, np.nan],
            "i": pandas.array([1, None], "Int64"),
            "b": [True, False],
            "c": pandas.Categorical(["y", "x"]),
            "d": pandas.to_datetime(["2020-01-02", None]),
            "m": [np.zeros((2, 3)), np.ones((2, 3))],
        }
    )
    ds = Dataset.from_arrow(frame)
    assert np.isnan(ds[1].pop("n"))
    assert [row["i"] for row in ds] == [1, None]
    assert ds["b"].tolist() == [True, False]
    assert ds["d"].tolist() == frame["d"].to_numpy().tolist()
    assert [row.tolist() for row in ds[1]["m"]] == [[1, 1, 1], [1, 1, 1]]
    assert [ds.features["c"].names[n] for n in ds["c"]] == ["y", "x"]
