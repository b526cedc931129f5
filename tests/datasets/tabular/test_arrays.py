from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dshub.catalog.features import LabelFeature, NumberFeature
from dshub.datasets.tabular.arrays import ArrayRange
from dshub.errors import ArgumentError, DshubError
from tests.independent.own_files import write_text
from tests.publishing.authoring.conftest import New

NAMES = [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]


def write_pixels(path: Path, pixels: np.ndarray) -> None:
    """Write images as rows `label,1x1,…,28x28`, as in a well-known CSV of MNIST."""
    lines = [",".join(["label", *NAMES])]
    lines += [
        ",".join(map(str, [i % 10, *row.tolist()]))
        for i, row in enumerate(pixels.reshape(len(pixels), -1))
    ]
    write_text(path, "\n".join(lines) + "\n")


def test_pixel_columns_become_one_array(new: New, data: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 28, 28), dtype=np.uint8)
    write_pixels(data / "train.csv", pixels)
    write_pixels(data / "test.csv", pixels[:10])
    result = new(data, "--array", "pixels=1x1..28x28:28x28")
    features = result.manifest.features
    assert features["pixels"] == NumberFeature(dtype="uint8", shape=(28, 28))
    assert isinstance(features["label"], LabelFeature)
    assert list(features) == ["label", "pixels"]
    np.testing.assert_array_equal(result["train"]["pixels"][:], pixels)
    np.testing.assert_array_equal(result["test"]["pixels"][:], pixels[:10])
    flat = new(data, "--array", "pixels=1x1..28x28", "--force")["train"]["pixels"][:]
    np.testing.assert_array_equal(flat, pixels.reshape(30, 784))


def test_array_is_offered_for_many_columns(new: New, data: Path) -> None:
    write_pixels(data / "train.csv", np.ones((3, 28, 28), np.uint8))
    (doubt,) = new(data).doubts("as one array")
    assert doubt.startswith("the 784 columns from '1x1' to '28x28'")
    assert '--array "values=1x1..28x28"' in doubt


def test_integers_and_decimals_and_missing_values_share_an_array(new: New, data: Path) -> None:
    write_text(data / "a.csv", "A 1,A 2,A 3,name\n1,2.5,,x\n300,4,NA,y\n-5,6,7,z\n")
    result = new(data, "--array", "a=A 1..A 3")
    assert result.manifest.features["a"] == NumberFeature(dtype="float64", shape=(3,))
    expected = [[1, 2.5, np.nan], [300, 4, np.nan], [-5, 6, 7]]
    np.testing.assert_array_equal(result["train"]["a"][:], expected)


def test_columns_of_parquet_and_json_become_arrays(new: New, data: Path) -> None:
    kind = pa.float32()
    table = {"a": pa.array([1, None], kind), "b": pa.array([3, 4], kind), "c": [5, 6]}
    pq.write_table(pa.table(table), data / "a.parquet")
    result = new(data, "--array", "p=a..b")
    np.testing.assert_array_equal(result["train"]["p"][:], [[1, 3], [np.nan, 4]])
    (data / "a.parquet").unlink()
    write_text(data / "a.jsonl", '{"a": 1, "b": 2, "c": 3.5}\n{"a": 4, "b": 5, "c": 6}\n')
    result = new(data, "--array", "p=a..b", "--array", "q=c..c", "--force")
    assert result["train"]["p"][:].tolist() == [[1, 2], [4, 5]]
    assert result["train"]["q"][:].tolist() == [[3.5], [6]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ("p=a..z", "there is no column 'z'"),
        ("p=b..a", "column 'b' comes before|column 'a' comes before column 'b'"),
        ("p=a..c", "column 'c' of array 'p' is not a column of numbers"),
        ("p=a..b:3x1", r"a\.\.b has 2 columns, which cannot be 3x1"),
        ("c=a..b", "array 'c' has the name of a column"),
        ("p=a-b", "it must be FIRST..LAST"),
    ],
)
def test_impossible_arrays_are_rejected(new: New, data: Path, array: str, message: str) -> None:
    write_text(data / "a.csv", "a,b,c\n1,2,x\n3,4,y\n")
    with pytest.raises(DshubError, match=message):
        new(data, "--array", array)


def test_column_is_in_one_array_at_most(new: New, data: Path) -> None:
    write_text(data / "a.csv", "a,b,c\n1,2,5\n3,4,6\n")
    with pytest.raises(DshubError, match="column 'b' is in two arrays"):
        new(data, "--array", "p=a..b", "--array", "q=b..c")


def test_split_with_some_columns_of_an_array_is_rejected(new: New, data: Path) -> None:
    write_text(data / "train.csv", "a,b,c\n1,2,5\n3,4,6\n")
    write_text(data / "test.csv", "a,c\n1,5\n3,6\n")
    with pytest.raises(DshubError, match="split test has no column 'b', which array 'p' needs"):
        new(data, "--array", "p=a..b")
    write_text(data / "test.csv", "c\n5\n6\n")
    result = new(data, "--array", "p=a..b")
    assert result.manifest.splits["test"].without == ("p",)
    assert result["test"]["c"][:].tolist() == [5, 6]


def test_ranges_have_an_optional_shape() -> None:
    assert ArrayRange.parse("p", "a..b") == ArrayRange("a", "b")
    assert ArrayRange.parse("p", "x.1..x.9:3x3") == ArrayRange("x.1", "x.9", (3, 3))
    with pytest.raises(ArgumentError, match="array p is"):
        ArrayRange.parse("p", "a..b:3by3")
