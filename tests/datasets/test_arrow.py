from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dshub import Dataset, Hub
from dshub.testing.adapters import RowsTests, example, varied


def to_numpy(value: Any) -> Any:
    """Convert an Arrow value to the value that the dataset returns."""
    kind = value.type
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        return value.as_py()
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = kind
        while pa.types.is_nested(inner):
            inner = inner.value_type
        array = np.array(value.as_py(), inner.to_pandas_dtype())
        empty = pa.types.is_list(kind) and pa.types.is_fixed_size_list(kind.value_type)
        return array.reshape(-1, 4) if empty else array
    return value.as_py()


class TestArrow(RowsTests):
    name = "arrow"
    files = True

    def to_numpy(self, value: Any) -> Any:
        return to_numpy(value)

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        return self.table_rows(dataset.to("arrow"))

    def next_step(self, dataset: Dataset) -> list[dict[str, Any]]:
        table = dataset.to("arrow")
        reverse = pa.array(range(len(table)))[::-1]
        table = table.append_column("number", reverse).sort_by("number")
        return self.table_rows(table.drop_columns("number").take(reverse))

    def table_rows(self, table: pa.Table) -> list[dict[str, Any]]:
        return [
            {name: to_numpy(table.column(name)[i]) for name in table.schema.names}
            for i in range(table.num_rows)
        ]


def address(table: pa.Table, column: str) -> int:
    """Return the memory address of a column of arrays."""
    flat = table.column(column).chunk(0)
    while pa.types.is_fixed_size_list(flat.type):
        flat = flat.flatten()
    return int(flat.buffers()[1].address + flat.offset * flat.type.bit_width // 8)


def test_adjacent_rows_are_not_copied(hub: Hub) -> None:
    before = pa.total_allocated_bytes()
    dataset = hub.load("mnist", "train", synthetic=400)
    for view in (dataset, dataset.take(300).skip(17)):
        table = view.to("arrow")
        images = view.numpy()["image"]
        assert isinstance(images, np.ndarray)
        assert address(table, "image") == images.ctypes.data
        assert table.column("label").to_pylist() == view["label"].tolist()
    assert pa.total_allocated_bytes() - before < 28 * 28 * 300


def test_own_arrays_are_not_copied() -> None:
    values = np.arange(12.0).reshape(6, 2)
    table = Dataset.from_arrays({"x": values}).to("arrow")
    assert address(table, "x") == values.ctypes.data
    text = pa.table({"t": pa.array(["a", "bc", "d"]), "n": pa.array([[1], [], [2, 3]])})
    view = Dataset.from_arrow(text)
    assert view.to("arrow").column("t").chunk(0).buffers()[2].address == (
        text.column("t").chunk(0).buffers()[2].address
    )
    assert view.select([2, 0, 2]).to("arrow").to_pydict() == {
        "t": ["d", "a", "d"],
        "n": [[2, 3], [1], [2, 3]],
    }


def test_chunked_rows_keep_their_order() -> None:
    chunks = [pa.table({"t": [f"{i}.{j}" for j in range(50)]}) for i in range(7)]
    dataset = Dataset.from_arrow(pa.concat_tables(chunks))
    shuffled = dataset.shuffle(seed=1)
    assert shuffled.to("arrow").column("t").to_pylist() == shuffled["t"]
    assert dataset.skip(120).take(70).to("arrow").column("t").to_pylist() == dataset["t"][120:190]


def test_many_files_become_several_chunks() -> None:
    """Arrow offsets have 32 bits, so a chunk holds at most 2 GiB."""
    dataset = varied().select(np.arange(600) % 53).columns(["photo"])
    column = dataset.to("arrow").column("photo")
    assert column.num_chunks > 1
    assert column.to_pylist() == dataset.decode(False)["photo"]


def test_aligned_labels_have_their_new_numbers() -> None:
    dataset = example().align_labels(list("gfedcba"))
    table = dataset.to("arrow")
    assert table.column("label").to_pylist() == np.asarray(dataset["label"]).tolist()


def test_image_folder_becomes_a_table(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (2, 2)).save(tmp_path / name / "1.png")
    table = Dataset.from_folder(tmp_path).to("arrow")
    assert table.column("label").to_pylist() == [0, 1]
    assert table.column("image")[1].as_py() == (tmp_path / "dog" / "1.png").read_bytes()


def test_duckdb_queries_the_table_by_its_name(hub: Hub) -> None:
    duckdb = pytest.importorskip("duckdb")
    dataset = hub.load("mnist", "train", synthetic=200)
    digits = dataset.to("arrow")  # noqa: F841  # duckdb finds it by its name
    answer = duckdb.sql(
        "select label, count(*)::bigint as n from digits group by label order by label"
    )
    result = Dataset.from_arrow(answer.to_arrow_table())
    labels, counts = np.unique(np.asarray(dataset["label"]), return_counts=True)
    assert np.asarray(result["label"]).tolist() == labels.tolist()
    assert np.asarray(result["n"]).tolist() == counts.tolist()
