import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dshub import Dataset
from dshub.catalog.features import ListFeature, NumberFeature
from dshub.tables.missing import concatenated, hidden, is_valid, item, present, replaced
from tests.tables.example import MISSING

VALID = np.array([True, False, True])


@pytest.fixture(params=MISSING)
def values(request: pytest.FixtureRequest) -> list[Any]:
    return MISSING[request.param]


def plain(value: Any) -> Any:
    """Convert a row to the Python values that it was made of."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return list(map(plain, value))
    return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def rows(dataset: Dataset) -> list[Any]:
    return [plain(row["x"]) for row in dataset]


def test_missing_values_survive_every_way_to_read_them(values: list[Any]) -> None:
    dataset = Dataset.from_arrays({"x": values})
    assert rows(dataset) == values
    assert rows(dataset.select([2, 0, 1])) == [values[2], values[0], values[1]]
    assert rows(dataset + dataset) == values * 2
    assert [plain(item(one)) for one in dataset[1:]["x"]] == values[1:]
    assert dataset.arrow()["x"].to_pylist() == values
    assert dataset.select([2, 1]).arrow()["x"].to_pylist() == [values[2], values[1]]


def test_missing_values_survive_saving(values: list[Any], tmp_path: Path) -> None:
    """The saved file is read by Arrow, too."""
    dataset = Dataset.from_arrays({"x": values, "n": np.arange(3)})
    repeated = Dataset.concat([dataset] * 200).shuffle(seed=0)
    repeated.save(tmp_path / "saved")
    opened = Dataset.open(tmp_path / "saved")
    expected = [values[n] for n in repeated["n"].tolist()]
    assert opened.features == dataset.features
    assert rows(opened) == expected
    shards = [
        pa.ipc.open_stream(file.read_bytes()).read_all()
        for file in sorted((tmp_path / "saved").glob("*.arrow"))
    ]
    assert pa.concat_tables(shards)["x"].to_pylist() == expected


@pytest.mark.parametrize("start", [0, 1, 2])
def test_arrow_slices_keep_missing_values(values: list[Any], start: int) -> None:
    """An Arrow array can begin within a byte of validity bits."""
    table = pa.table({"x": pa.array(values * 5)}).slice(start, 11)
    dataset = Dataset.from_arrow(table)
    assert rows(dataset) == table["x"].to_pylist()
    assert rows(Dataset.from_arrow(dataset.arrow())) == table["x"].to_pylist()


def test_fingerprint_depends_on_missing_values() -> None:
    variants: list[list[Any]] = [[0, 1], [None, 1], [0, None]]
    prints = {Dataset.from_arrays({"x": pa.array(x)}).fingerprint for x in variants}
    assert len(prints) == 3


def test_missing_floats_are_nan_and_dates_nat() -> None:
    dataset = Dataset.from_arrays({"f": [1.5, None], "d": [dt.date(2020, 1, 1), None]})
    assert np.isnan(dataset[1]["f"])
    assert np.isnat(dataset[1]["d"])
    assert dataset["f"].dtype == np.float64
    assert dataset["d"].dtype == "datetime64[D]"


def test_arrays_of_integers_are_masked() -> None:
    column = Dataset.from_arrays({"x": [1, None, 3]})["x"]
    assert column.mask.tolist() == [False, True, False]
    assert column.sum() == 4


def test_large_integers_stay_exact() -> None:
    values = [2**63 + 5, None, 7]
    dataset = Dataset.from_arrays({"x": values})
    assert rows(dataset) == dataset.arrow()["x"].to_pylist() == values


def test_rows_of_arrays_are_missing_as_a_whole() -> None:
    pairs = pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int16(), 2))
    dataset = Dataset.from_arrow(pa.table({"x": pairs}))
    assert rows(dataset) == [[1, 2], None, [3, 4]]
    assert dataset.arrow()["x"].to_pylist() == [[1, 2], None, [3, 4]]


@pytest.mark.parametrize(
    "values", [[1, 2, 3], [1.0, 2.0, 3.0], [True, False, True], ["a", "b", "c"]], ids=str
)
def test_hidden_values_are_not_valid(values: list[Any]) -> None:
    column = values if isinstance(values[0], str) else np.array(values)
    assert is_valid(hidden(column, VALID)).tolist() == VALID.tolist()
    assert is_valid(column).all()


def test_replaced_values_keep_their_dtype() -> None:
    for column in (np.arange(3, dtype=np.int16), np.arange(3, dtype=np.float32)):
        filled = replaced(hidden(column, VALID), 9)
        assert filled.tolist() == [0, 9, 2]
        assert filled.dtype == column.dtype


def test_present_values_are_not_masked() -> None:
    assert present(hidden(np.arange(3), VALID)).tolist() == [0, 2]
    assert present(np.arange(3)).tolist() == [0, 1, 2]


def test_concatenation_keeps_masks() -> None:
    joined = concatenated([hidden(np.arange(3), VALID), np.arange(2)])
    assert is_valid(joined).tolist() == [True, False, True, True, True]


def test_row_of_a_list_keeps_its_other_items() -> None:
    feature = ListFeature(of=NumberFeature(dtype="int64", optional=True))
    ds = Dataset.from_arrays({"x": [[1, None], [2]]}, features={"x": feature})
    assert ds[0]["x"].tolist() == [1, None]
    assert [row["x"].tolist() for row in ds] == [[1, None], [2]]
