"""Compare columns of every kind with what each format's own reader gives."""

import base64
import csv
import datetime as dt
import gc
import json
import math
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dshub import Dataset
from dshub.catalog.features import Feature, LabelFeature, ListFeature
from dshub.export import export
from tests.export.kinds import NAMES, dataset, held, plain, rows
from tests.independent import tfrecord


def exported(kind: str, to: str, folder: Path) -> tuple[Dataset, Path]:
    """Export a kind, and return the dataset and its only file."""
    ds = dataset(kind)
    (path,) = export({"train": ds}, to, folder)["train"].files[-1:]
    return ds, path


def named(value: Any, feature: Feature) -> Any:
    """Replace class numbers with names."""
    if isinstance(feature, ListFeature):
        return None if value is None else [named(item, feature.of) for item in value]
    return NAMES[value] if isinstance(feature, LabelFeature) and value is not None else value


def as_json(value: Any) -> Any:
    """Convert a plain value as JSON has it: NaN is null, and bytes are base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return None if value == "NaN" else value


def timeless(value: Any) -> Any:
    """Convert a date or time to text without a time zone, as in `plain`."""
    if isinstance(value, list):
        return [timeless(item) for item in value]
    if hasattr(value, "isoformat"):
        if getattr(value, "tzinfo", None):
            value = value.astimezone(dt.UTC).replace(tzinfo=None)
        return str(np.datetime64(value, "us"))
    if isinstance(value, str) and value[:2] in {"20", "19"}:
        return str(np.datetime64(value.removesuffix("Z"), "us"))
    return value


def content(kind: str, ds: Dataset) -> list[Any]:
    """Return the plain values of a kind, with images as files."""
    return rows(ds.decode(on=False)) if kind.startswith("image") else rows(ds)


@pytest.mark.parametrize(("to", "kind"), held("parquet", "arrow"))
def test_pyarrow_reads_the_values(to: str, kind: str, tmp_path: Path) -> None:
    ds, path = exported(kind, to, tmp_path)
    table = pq.read_table(path) if to == "parquet" else pa.ipc.open_stream(path).read_all()
    values = table["x"].to_pylist()
    if kind.startswith("image"):
        values = [value["bytes"] for value in values]
    expected = content(kind, ds)
    if kind == "float, optional":
        expected = as_json(expected)  # a missing value is null in files, and NaN in rows
    assert plain(timeless(values)) == expected


@pytest.mark.parametrize(("to", "kind"), held("csv"))
def test_csv_module_reads_the_values(to: str, kind: str, tmp_path: Path) -> None:
    """Missing values are empty fields, and NaN is `nan`."""
    ds, path = exported(kind, to, tmp_path)
    with path.open(encoding="utf-8", newline="") as file:
        cells = [row["x"] for row in csv.DictReader(file)]
    feature = ds.features["x"]
    for cell, value in zip(cells, rows(ds), strict=True):
        text = "" if value is None else str(named(value, feature))
        if kind.startswith("float") and text != "NaN":
            assert math.isclose(float(cell), value, rel_tol=1e-7)
        else:
            assert timeless(cell.replace("nan", "NaN")) == text


@pytest.mark.parametrize(("to", "kind"), held("jsonl", "webdataset"))
def test_json_module_reads_the_values(to: str, kind: str, tmp_path: Path) -> None:
    """NaN is null, because JSON has no other way to write it."""
    ds, path = exported(kind, to, tmp_path)
    expected = as_json([named(value, ds.features["x"]) for value in content(kind, ds)])

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    if to == "jsonl":
        lines = path.read_text("utf-8").split("\n")[:-1]
    else:
        with tarfile.open(path) as tar:
            files = [(item.name, tar.extractfile(item)) for item in tar]
            lines = [f.read().decode() for name, f in files if f and name.endswith(".json")]
        if len(lines) < 2:  # in files of their own
            assert any(name.partition(".")[2] != "json" for name, _ in files)
            return
    values = [json.loads(line, parse_constant=refuse)["x"] for line in lines]
    if kind == "float32":
        assert np.array_equal(np.array(values, np.float32), np.array(expected, np.float32))
    elif not kind.startswith("pixels"):
        assert timeless(values) == expected


@pytest.mark.parametrize(("to", "kind"), held("npz"))
def test_numpy_reads_the_values(to: str, kind: str, tmp_path: Path) -> None:
    ds, path = exported(kind, to, tmp_path)
    with np.load(path, allow_pickle=False) as arrays:
        assert plain(arrays["x"]) == rows(ds)
        if kind == "class":
            assert arrays["x_names"].tolist() == list(NAMES)


@pytest.mark.parametrize(("to", "kind"), held("tfrecord"))
def test_independent_parser_reads_tfrecord(to: str, kind: str, tmp_path: Path) -> None:
    """A missing value is an absent feature."""
    ds, path = exported(kind, to, tmp_path)
    examples = [tfrecord.example(record) for record in tfrecord.records(path)]
    for example, value in zip(examples, content(kind, ds), strict=True):
        assert ("x" not in example) == (value is None)
        if kind in {"integer", "integer, optional", "uint64", "int8", "bool", "class"} and example:
            assert example["x"] == [int(value)]
        if kind.startswith(("text", "empty text")) and example:
            assert example["x"] == [value.encode()]
        if kind in {"list of integers", "list of classes", "list, optional"} and example:
            assert example["x"] == value


def test_tensorflow_gives_defaults_for_missing_values(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    _, path = exported("integer, optional", "tfrecord", tmp_path)
    feature = {"x": tf.io.FixedLenFeature((), tf.int64, default_value=-1)}
    records = tf.data.TFRecordDataset(str(path))
    values = [int(tf.io.parse_single_example(record, feature)["x"]) for record in records]
    assert values == [2**53 + 1, -1]


@pytest.mark.parametrize("kind", ["bytes, optional", "image, optional", "class, optional"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_samples_with_missing_files(kind: str, tmp_path: Path) -> None:
    """A sample of which everything is missing still exists."""
    webdataset = pytest.importorskip("webdataset")
    _, path = exported(kind, "webdataset", tmp_path)
    samples = list(webdataset.WebDataset(f"file:{path}", shardshuffle=False))
    gc.collect()  # closes files that webdataset leaves open
    assert [sample["__key__"][-8:] for sample in samples] == ["00000000", "00000001"]


def test_hugging_face_reads_class_names(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    for kind in ("class", "class, optional"):
        ds, path = exported(kind, "parquet", tmp_path / kind)
        read = datasets.Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "cache"))
        assert read.features["x"].names == list(NAMES)
        assert read["x"][:] == rows(ds)
