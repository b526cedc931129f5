"""Test that converting results of functions to columns changes no value silently."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dshub import Dataset
from dshub.catalog.features import (
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
)
from dshub.errors import SchemaError

COUNT = 300  # more than the rows from which features are inferred
CLASSES = LabelFeature(names=("a", "b", "c"), first=1)


@pytest.fixture
def ds() -> Dataset:
    """Return numbers, and labels that upstream numbers from 1."""
    columns = {"n": np.arange(COUNT), "label": np.arange(COUNT) % 3}
    return Dataset.from_arrays(columns, features={"label": CLASSES})


def column(ds: Dataset, make: Callable[[Any], Any], name: str = "x") -> tuple[str, list[Any]]:
    """Map a batched function, and return the kind and first two values of the new column."""
    mapped = ds.map(lambda batch: {name: make(batch["n"])}, batched=True)
    values = mapped[name]
    return short(mapped.features[name]), [plain(value) for value in values[:2]]


def plain(value: Any) -> Any:
    """Convert arrays to lists, at any depth."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return list(map(plain, value)) if isinstance(value, list) else value


def short(feature: Feature) -> str:
    if isinstance(feature, ListFeature):
        return f"lists of {short(feature.of)}"
    if isinstance(feature, NumberFeature):
        return f"{feature.dtype}{list(feature.shape) or ''}"
    return type(feature).__name__.removesuffix("Feature").lower()


@pytest.mark.parametrize(
    ("make", "kind", "first"),
    [
        (lambda n: n > 0, "bool", [False, True]),
        (lambda n: [bool(i) for i in n], "bool", [False, True]),
        (lambda n: np.ones((len(n), 2), bool), "bool[2]", [[True, True]] * 2),
        (lambda n: n.astype(np.float16), "float32", [0, 1]),
        (lambda n: n.astype(">i4"), "int32", [0, 1]),
        (lambda n: [2**63 + int(i) for i in n], "uint64", [2**63, 2**63 + 1]),
        (lambda n: n.astype(np.uint64) + np.uint64(2**63), "uint64", [2**63, 2**63 + 1]),
        (lambda n: [float(i) if i % 2 else int(i) for i in n], "float64", [0, 1]),
        (lambda n: [np.array(i) for i in n], "int64", [0, 1]),
        (lambda n: [np.float32(i) for i in n], "float32", [0, 1]),
        (lambda n: n.astype(str), "text", ["0", "1"]),
        (lambda n: n.astype(str).astype(object), "text", ["0", "1"]),
        (lambda n: [np.str_(i) for i in n], "text", ["0", "1"]),
        (lambda n: n.astype(object), "int64", [0, 1]),
        (lambda n: np.stack([n.astype(str)] * 2, 1), "lists of text", [["0", "0"], ["1", "1"]]),
        (lambda n: [[i] * (i % 3) for i in n.tolist()], "lists of int64", [[], [1]]),
        (lambda n: [np.arange(i % 3) for i in n], "lists of int64", [[], [0]]),
        (lambda n: [[True]] * len(n), "lists of bool", [[True], [True]]),
        (lambda n: [[[i]] for i in n.tolist()], "lists of lists of int64", [[[0]], [[1]]]),
        (lambda n: [{"a": i} for i in n.tolist()], "struct", [{"a": 0}, {"a": 1}]),
        (lambda n: [b"x"] * len(n), "bytes", [b"x"] * 2),
        (lambda n: n.astype("M8[D]"), "date", list(np.arange(2).astype("M8[D]"))),
        (pa.array, "int64", [0, 1]),
    ],
)
def test_kind_of_values_decides_the_feature(
    ds: Dataset, make: Callable[[Any], Any], kind: str, first: list[Any]
) -> None:
    assert column(ds, make) == (kind, first)


def test_nan_is_a_number_and_none_is_not(ds: Dataset) -> None:
    _, (nan, one) = column(ds, lambda n: [np.nan if i == 0 else float(i) for i in n])
    assert np.isnan(nan)
    assert one == 1
    with pytest.raises(SchemaError, match="row 200, column x of map: got None"):
        column(ds, lambda n: [None if i == 200 else float(i) for i in n])


@pytest.mark.parametrize("later", [0.5, 2.0, float("nan"), "007", True, 2**63, None, [1]], ids=repr)
def test_value_of_another_kind_is_refused_with_its_row(ds: Dataset, later: Any) -> None:
    mapped = ds.map(lambda row: {"x": 1 if row["n"] < 200 else later})
    with pytest.raises(SchemaError, match="own data, row 200, column x of map"):
        mapped["x"]


@pytest.mark.parametrize(
    "value",
    [None, [], 1j, {}, 2**64, [[]]],
    ids=repr,
)
def test_values_without_a_feature_are_refused(ds: Dataset, value: Any) -> None:
    with pytest.raises(SchemaError, match=r"column x of map|row 0, column x"):
        ds.map(lambda _: {"x": value})["x"]


@pytest.mark.parametrize(
    ("name", "make", "kind"),
    [
        ("n", lambda row: f"{row['n']:05}", "text"),
        ("n", lambda row: row["n"] * 2, "int64"),
        ("n", lambda row: row["n"] / 2, "float64"),
        ("label", lambda row: str(row["label"]), "text"),
        ("label", lambda row: row["label"] == 2, "bool"),
        ("label", lambda row: "abc"[row["label"]], "label"),
        ("label", lambda row: 2 - row["label"], "label"),
    ],
)
def test_replaced_column_keeps_its_feature_only_if_values_mean_the_same(
    ds: Dataset, name: str, make: Callable[[Any], Any], kind: str
) -> None:
    assert short(ds.map(lambda row: {name: make(row)}).features[name]) == kind


def test_classes_count_from_0_whatever_upstream_does(ds: Dataset) -> None:
    same = ds.map(lambda row: {"label": row["label"]})
    assert same.features == ds.features
    assert same["label"].tolist() == ds["label"].tolist()
    named = ds.map(lambda row: {"label": "abc"[row["label"]]})
    assert named["label"].tolist() == ds["label"].tolist()
    assert ds.cast({"label": CLASSES})["label"].tolist() == ds["label"].tolist()


@pytest.mark.parametrize("make", [list, tuple, np.array, lambda row: [np.int64(i) for i in row]])
def test_rows_of_equal_length_can_be_lists_or_arrays(
    ds: Dataset, make: Callable[[Any], Any]
) -> None:
    """Equal lengths in one block do not change the feature."""
    numbers = NumberFeature(dtype="int64")
    for feature, kind in (
        (ListFeature(of=numbers), list),
        (NumberFeature(dtype="int64", shape=(2,)), np.ndarray),
    ):
        mapped = ds.map(lambda row: {"x": make([row["n"], 1])}, features={"x": feature})
        assert isinstance(mapped["x"], kind)
        assert mapped[299]["x"].tolist() == [299, 1]


def test_lists_of_another_length_do_not_fit_a_shape(ds: Dataset) -> None:
    feature = NumberFeature(dtype="int64", shape=(2,))
    mapped = ds.map(lambda row: {"x": [0] * (2 + row["n"] // 150)}, features={"x": feature})
    with pytest.raises(SchemaError, match="row 150, column x of map"):
        mapped["x"]


def test_pixels_that_replace_an_image_are_an_image(photos: Dataset) -> None:
    cut = photos.map(lambda row: {"image": row["image"][:4, :4]})
    assert cut.features["image"] == ImageFeature(shape=(4, 4, 3))


def test_pandas_columns_are_values() -> None:
    pandas = pytest.importorskip("pandas")
    ds = Dataset.from_arrays({"n": np.arange(COUNT)})
    assert column(ds, lambda n: pandas.Series(n.astype(str))) == ("text", ["0", "1"])
    kind, values = column(ds, lambda n: pandas.Series(np.where(n, np.nan, 1.0)))
    assert (kind, values[0]) == ("float64", 1)
    assert np.isnan(values[1])


def test_tensors_are_values() -> None:
    torch = pytest.importorskip("torch")
    ds = Dataset.from_arrays({"n": np.arange(COUNT)})
    assert column(ds, torch.tensor) == ("int64", [0, 1])
    assert column(ds, lambda n: torch.ones(len(n), 2)) == ("float32[2]", [[1, 1]] * 2)
    assert column(ds, lambda n: [torch.tensor(i) for i in n]) == ("int64", [0, 1])
    with pytest.raises(SchemaError, match="requires grad"):
        column(ds, lambda n: torch.ones(len(n), requires_grad=True))


def test_values_that_replace_a_mask_are_a_mask() -> None:
    feature = MaskFeature(shape=(2, 3), names=("a", "b"), ignore=255)
    columns = {"mask": np.arange(12, dtype=np.uint8).reshape(2, 2, 3)}
    ds = Dataset.from_arrays(columns, features={"mask": feature})
    same = ds.map(lambda row: {"mask": row["mask"] // 2})
    assert same.features["mask"] == feature
    small = ds.map(lambda row: {"mask": row["mask"][:1]})
    assert small.features["mask"] == MaskFeature(shape=(1, 3), names=("a", "b"), ignore=255)
