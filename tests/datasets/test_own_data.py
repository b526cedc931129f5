"""Read users' tables, and compare the values with those of other readers."""

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dshub import Dataset, Feature
from dshub.catalog.features import LabelFeature, ListFeature, NumberFeature, TextFeature
from dshub.errors import DshubError, ReadError, SchemaError
from tests.independent.own_files import write_text

CSV = 'id,Full Name,score,label\n1,"a, b",1.5,pos\n2,"c ""d""",,neg\n3,e,2,pos\n'


def test_csv_is_inferred(tmp_path: Path) -> None:
    write_text(tmp_path / "a.csv", CSV)
    ds = Dataset.from_csv(tmp_path / "a.csv", supervised=("Full Name", "label"))
    rows = list(csv.DictReader(io.StringIO(CSV)))
    assert ds["id"].tolist() == [int(row["id"]) for row in rows]
    assert ds["Full Name"] == [row["Full Name"] for row in rows]
    np.testing.assert_array_equal(ds["score"], [1.5, np.nan, 2])
    assert ds.features["label"] == LabelFeature(names=("neg", "pos"))
    assert ds["label"].tolist() == [1, 0, 1]
    assert ds.supervised == ("Full Name", "label")


def test_features_of_csv_can_be_stated(tmp_path: Path) -> None:
    write_text(tmp_path / "a.csv", CSV)
    features: dict[str, Feature] = {
        "id": NumberFeature(dtype="uint8"),
        "score": NumberFeature(dtype="float32", missing=("",)),
        "label": TextFeature(),
    }
    ds = Dataset.from_csv(tmp_path / "a.csv", features=features)
    assert ds["id"].dtype == np.uint8
    assert ds["score"].dtype == np.float32
    assert ds["label"] == ["pos", "neg", "pos"]
    with pytest.raises(SchemaError, match=r"a\.csv, column none: got no such column"):
        Dataset.from_csv(tmp_path / "a.csv", features={"none": TextFeature()})
    with pytest.raises(SchemaError, match=r"a\.csv, column Full Name, row 0: got 'a, b'") as caught:
        Dataset.from_csv(tmp_path / "a.csv", features={"Full Name": NumberFeature(dtype="int64")})
    assert "manifest" not in caught.value.hint


def test_several_compressed_csv_files_are_one_dataset(tmp_path: Path) -> None:
    for part in range(3):
        data = "x,y\n" + "".join(f"{part},{i}\n" for i in range(5))
        (tmp_path / f"{part}.csv.gz").write_bytes(gzip.compress(data.encode()))
    for paths in (tmp_path, f"{tmp_path}/*.csv.gz", sorted(tmp_path.iterdir())):
        ds = Dataset.from_csv(paths)
        assert ds["y"].tolist() == list(range(5)) * 3
        assert ds["x"].tolist() == [0] * 5 + [1] * 5 + [2] * 5
    write_text(tmp_path / "3.csv", "x,z\n1,2\n")
    with pytest.raises(DshubError, match="differ in columns"):
        Dataset.from_csv(tmp_path)


def test_damaged_csv_is_rejected_with_its_line(tmp_path: Path) -> None:
    write_text(tmp_path / "a.csv", "x,y\n" + "1,2\n" * 500 + "3\n")
    with pytest.raises(ReadError, match=r"a\.csv: line 502 has 1 of 2 fields"):
        Dataset.from_csv(tmp_path / "a.csv")
    write_text(tmp_path / "a.csv", "x,y\n")
    with pytest.raises(ReadError, match=r"a\.csv: it has no rows"):
        Dataset.from_csv(tmp_path / "a.csv", header=True)


def test_columns_of_csv_become_an_array(tmp_path: Path) -> None:
    write_text(tmp_path / "a.csv", "label,p0,p1,p2,p3\n1,0,1,2,255\n0,4,5,6,7\n1,1,1,1,1\n")
    ds = Dataset.from_csv(tmp_path / "a.csv", arrays={"p": "p0..p3:2x2"})
    assert ds["p"].tolist() == [[[0, 1], [2, 255]], [[4, 5], [6, 7]], [[1, 1], [1, 1]]]
    assert ds["p"].dtype == np.uint8
    assert list(ds.features) == ["label", "p"]


def test_json_lines_keep_their_structure(tmp_path: Path) -> None:
    rows = [
        {"id": 2**60, "user": {"name": "a"}, "tags": ["x"], "Mixed Case": 1.5, "ok": True},
        {"id": 1, "user": {"name": "b"}, "tags": [], "Mixed Case": 2, "ok": False},
    ]
    write_text(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    ds = Dataset.from_json(tmp_path / "a.jsonl")
    assert ds["id"].tolist() == [2**60, 1]
    assert [row["user"] for row in ds] == [{"name": "a"}, {"name": "b"}]
    assert [row["tags"] for row in ds] == [["x"], []]
    assert ds["Mixed Case"].tolist() == [1.5, 2]
    assert ds["ok"].tolist() == [True, False]
    write_text(tmp_path / "b.json", json.dumps({"version": 1, "data": rows}))
    assert Dataset.from_json(tmp_path / "b.json")["id"].tolist() == [2**60, 1]


def test_keys_without_a_common_type_are_left_out_with_a_warning(tmp_path: Path) -> None:
    write_text(tmp_path / "a.jsonl", '{"a": 1, "b": 2}\n{"a": 2, "b": "x"}\n')
    with pytest.warns(UserWarning, match="key 'b' is omitted: its values are integer and string"):
        assert list(Dataset.from_json(tmp_path / "a.jsonl").features) == ["a"]
    write_text(tmp_path / "a.jsonl", '{"a": 1}\n{"a": \n')
    with pytest.raises(ReadError, match=r"a\.jsonl: line 2"):
        Dataset.from_json(tmp_path / "a.jsonl")


def test_parquet_files_keep_their_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "x": pa.array([0.5, 1.5], pa.float32()),
            "words": [["a", "b"], []],
            "where": [{"lat": 1, "lon": 2}, {"lat": 3, "lon": 4}],
        }
    )
    for part in range(2):
        pq.write_table(table, tmp_path / f"{part}.parquet")
    ds = Dataset.from_parquet(f"{tmp_path}/*.parquet")
    assert ds["x"].dtype == np.float32
    assert ds["x"].tolist() == [0.5, 1.5] * 2
    assert [row["where"] for row in ds] == table["where"].to_pylist() * 2
    assert ds.features["words"] == ListFeature(of=TextFeature())


def test_exported_class_names_are_read_back(tmp_path: Path) -> None:
    ds = Dataset.from_dict(
        {"x": [1, 2, 3], "label": [2, 0, 1]},
        features={"label": LabelFeature(names=("neg", "neu", "pos"))},
    )
    pq.write_table(ds.to("arrow"), tmp_path / "a.parquet")
    again = Dataset.from_parquet(tmp_path / "a.parquet")
    assert again.features["label"] == LabelFeature(names=("neg", "neu", "pos"))
    assert again["label"].tolist() == [2, 0, 1]


def test_plan_of_dshub_new_and_readers_agree(tmp_path: Path) -> None:
    """The same classes from each format, named by the distinct numbers in numeric order."""
    table = pa.table({"x": [1.5, 2.5, 3.5], "label": [10, -1, 10]})
    write_text(tmp_path / "a.csv", "x,label\n1.5,10\n2.5,-1\n3.5,10\n")
    write_text(tmp_path / "a.json", json.dumps(table.to_pylist()))
    pq.write_table(table, tmp_path / "a.parquet")
    for read, name in (
        (Dataset.from_csv, "a.csv"),
        (Dataset.from_json, "a.json"),
        (Dataset.from_parquet, "a.parquet"),
    ):
        ds = read(tmp_path / name)
        feature = ds.features["label"]
        assert isinstance(feature, LabelFeature)
        assert (name, feature.names) == (name, ("-1", "10"))
        assert ds["label"].tolist() == [1, 0, 1]


def test_lists_and_dicts_become_columns() -> None:
    ds = Dataset.from_list([{"a": 1, "b": "x"}, {"a": 2}])
    assert ds["a"].tolist() == [1, 2]
    assert list(ds["b"]) == ["x", None]
    assert Dataset.from_dict({"a": np.arange(3)}, supervised=("a", "a"))["a"].tolist() == [0, 1, 2]


def test_pandas_frames_keep_dtypes_and_missing_values() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None, 2**60], "Int64"),
            "f": np.array([1, np.nan, 3], np.float32),
            "c": pd.Categorical([4, 0, 4]),
            "image": [np.full((2, 2), i, np.float32) for i in range(3)],
            "ragged": [np.arange(i, dtype=np.uint8) for i in range(3)],
        },
        index=["x", "y", "z"],
    )
    ds = Dataset.from_pandas(frame)
    assert [row["i"] for row in ds] == [1, None, 2**60]
    assert ds["f"].dtype == np.float32
    assert ds.features["c"] == LabelFeature(names=("0", "4"))
    assert ds["c"].tolist() == [1, 0, 1]
    assert ds.features["image"] == NumberFeature(dtype="float32", shape=(2, 2))
    assert ds.features["ragged"] == ListFeature(of=NumberFeature(dtype="uint8"))
    assert list(ds.features) == list(frame.columns)
