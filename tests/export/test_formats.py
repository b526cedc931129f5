"""Each format is read back by programs that are not dshub: the same rows in the same order."""

import base64
import csv
import gc
import importlib
import io
import json
import math
import os
import struct
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from independent import recordio, tfrecord
from PIL import Image

from dshub import Dataset, DshubError
from dshub.catalog.features import ImageFeature, LabelFeature, NumberFeature
from dshub.export._running import export

Some = Callable[..., Dataset]
Rows = list[dict[str, Any]]

CLASSES = ("cat", "T-shirt/top", "owl")
SHARD = 1500  # bytes: several shards


def written(dataset: Dataset, to: str, folder: Path, size: int = SHARD) -> list[Path]:
    """The files of an export, of several shards where the format has them."""
    found = export({"train": dataset}, to, folder, shard_size=size)["train"]
    assert found.rows == len(dataset)
    return list(found.files)


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def same(found: Any, made: Any) -> bool:
    """Whether two values are the same, whatever kind of list or array they come in."""
    if isinstance(made, np.ndarray | list):
        return len(found) == len(made) and all(map(same, found, made))
    return bool(found == made)


@pytest.mark.parametrize("to", ["parquet", "arrow"])
def test_arrow_reads_every_column(some: Some, rows: Rows, tmp_path: Path, to: str) -> None:
    """Rows and types are there for any program that reads Arrow; files are structs."""
    files = written(some(), to, tmp_path)
    assert len(files) > 1
    read = pq.read_table if to == "parquet" else lambda path: pa.ipc.open_stream(path).read_all()
    found = [row for path in files for row in read(path).to_pylist()]
    assert len(found) == len(rows)
    for row, made in zip(found, rows, strict=True):
        for name in ("photo", "sound"):
            assert row.pop(name) == {"bytes": made[name], "path": None}
        assert all(same(value, made[name]) for name, value in row.items())


@pytest.mark.parametrize("to", ["parquet", "arrow"])
def test_hugging_face_sees_its_own_features(
    some: Some, rows: Rows, tmp_path: Path, to: str
) -> None:
    """`datasets` opens the files with pictures, recordings and class names as such."""
    pytest.importorskip("datasets.table")  # `datasets` alone can be a folder of tests
    datasets: Any = importlib.import_module("datasets")
    files = written(some(), to, tmp_path / "made")
    found = (
        datasets.Dataset.from_parquet(
            [str(path) for path in files], cache_dir=str(tmp_path / "cache")
        )
        if to == "parquet"
        else datasets.concatenate_datasets(
            [datasets.Dataset.from_file(str(path)) for path in files]
        )
    )
    assert found.features["label"].names == list(CLASSES)
    assert found.features["sound"].sampling_rate == 8000
    assert isinstance(found.features["photo"], datasets.Image)
    assert [row["text"] for row in found.remove_columns("sound")] == [row["text"] for row in rows]
    for image, made in zip(found["photo"], rows, strict=True):
        assert np.array_equal(np.asarray(image), pixels(made["photo"]))


def test_parquet_in_pandas(some: Some, rows: Rows, tmp_path: Path) -> None:
    """A data frame has the same numbers and text."""
    pandas = pytest.importorskip("pandas")
    files = written(some("label", "text", "exact", "ratio"), "parquet", tmp_path)
    frame = pandas.concat(map(pandas.read_parquet, files))
    for name in frame:
        assert frame[name].tolist() == [row[name] for row in rows]
    assert frame["ratio"].dtype == np.float32


def test_csv_is_read_by_the_standard_library(some: Some, rows: Rows, tmp_path: Path) -> None:
    """Quotes, lines and other alphabets come back; classes are names, numbers exact."""
    files = written(some("label", "text", "count", "ratio", "exact"), "csv", tmp_path, 300)
    assert len(files) > 1
    found = []
    for path in files:
        with path.open(encoding="utf-8", newline="") as file:
            found += list(csv.DictReader(file))
    for row, made in zip(found, rows, strict=True):
        assert row["label"] == CLASSES[made["label"]]
        assert row["text"] == made["text"]
        assert int(row["count"]) == made["count"]
        assert np.float32(row["ratio"]) == made["ratio"]
        assert float(row["exact"]) == made["exact"]


def test_csv_in_pandas(some: Some, rows: Rows, tmp_path: Path) -> None:
    """So does pandas, where it is told that an empty text is one."""
    pandas = pytest.importorskip("pandas")
    files = written(some("label", "text", "exact"), "csv", tmp_path, 300)
    frame = pandas.concat(pandas.read_csv(path, keep_default_na=False) for path in files)
    assert frame["text"].tolist() == [row["text"] for row in rows]
    assert np.allclose(frame["exact"], [row["exact"] for row in rows], rtol=1e-15, atol=0)


def test_json_lines(some: Some, rows: Rows, tmp_path: Path) -> None:
    """Classes are names, files base64, raw pixels a PNG, arrays and lists are lists."""
    found = [
        json.loads(line)
        for path in written(some(), "jsonl", tmp_path)
        for line in path.read_text("utf-8").splitlines()
    ]
    for row, made in zip(found, rows, strict=True):
        assert base64.b64decode(row.pop("photo")) == made["photo"]
        assert base64.b64decode(row.pop("sound")) == made["sound"]
        assert same(pixels(base64.b64decode(row.pop("pixels"))), made["pixels"][:, :, 0])
        assert row.pop("label") == CLASSES[made["label"]]
        assert row.pop("tags") == [CLASSES[tag] for tag in made["tags"]]
        assert np.array_equal(np.array(row.pop("box"), np.float32), made["box"])
        assert np.float32(row.pop("ratio")) == made["ratio"]
        assert all(same(value, made[name]) for name, value in row.items())


def test_json_has_no_numbers_that_are_none(tmp_path: Path) -> None:
    """NaN becomes null, as strict readers want it; an infinite number is an error with its row."""
    dataset = Dataset.from_arrays({"x": np.array([1.5, math.nan])})
    (path,) = written(dataset, "jsonl", tmp_path / "nan")
    assert path.read_text() == '{"x": 1.5}\n{"x": null}\n'
    dataset = Dataset.from_arrays({"x": np.array([1.5, math.inf])})
    with pytest.raises(DshubError, match="row 1: an infinite number"):
        written(dataset, "jsonl", tmp_path / "inf")


def test_npz_has_whole_columns(some: Some, rows: Rows, tmp_path: Path) -> None:
    """`numpy.load` reads all of it without pickle, with the names of classes."""
    dataset = some("pixels", "label", "text", "count", "exact", "box")
    (path,) = written(dataset, "npz", tmp_path)
    with np.load(path, allow_pickle=False) as found:
        assert set(found) == {*dataset.features, "label_names"}
        assert found["label_names"].tolist() == list(CLASSES)
        for name in dataset.features:
            assert same(found[name], [row[name] for row in rows])
        assert (found["pixels"].dtype, found["box"].dtype) == (np.uint8, np.float32)


def test_encoded_pictures_of_one_shape_are_pixels_in_npz(tmp_path: Path) -> None:
    """Files of pictures are decoded there."""
    made = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    files = []
    for picture in made:
        sink = io.BytesIO()
        Image.fromarray(picture).save(sink, "PNG")
        files.append(sink.getvalue())
    feature = ImageFeature(shape=(4, 5, 3), encoding="png")
    dataset = Dataset.from_arrays({"x": files}, features={"x": feature})
    (path,) = written(dataset, "npz", tmp_path)
    with np.load(path) as found:
        assert np.array_equal(found["x"], made)


def test_npz_is_refused_where_it_fits_no_memory(tmp_path: Path) -> None:
    """A text of a million characters would make each of a million rows as long: 4 TB are said."""
    texts = ["short"] * 1_000_000
    texts[3] = "x" * 1_000_000
    with pytest.raises(DshubError, match=r"are 4\.0 TB together"):
        written(Dataset.from_arrays({"text": texts}), "npz", tmp_path)
    assert not list(tmp_path.iterdir())


def test_image_folders(some: Some, rows: Rows, tmp_path: Path) -> None:
    """A folder for each class, named so that any file system can; files as they are kept."""
    (folder,) = written(some("photo", "label"), "imagefolder", tmp_path)
    found = {
        int(path.stem): (path.parent.name, path.suffix, path.read_bytes())
        for path in folder.glob("*/*")
    }
    names = ["cat", "T-shirt_top", "owl"]
    for number, row in enumerate(rows):
        suffix = ".png" if number % 2 else ".jpg"
        assert found[number] == (names[row["label"]], suffix, row["photo"])
    assert {path.name for path in folder.iterdir()} == set(names)


def test_image_folders_in_hugging_face(some: Some, rows: Rows, tmp_path: Path) -> None:
    """`load_dataset("imagefolder")` gives the pictures of each class, raw ones too."""
    pytest.importorskip("datasets.table")  # `datasets` alone can be a folder of tests
    datasets: Any = importlib.import_module("datasets")
    written(some("pixels", "label"), "imagefolder", tmp_path / "made")
    found = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "made"), cache_dir=str(tmp_path / "cache")
    )["train"]
    names = found.features["label"].names
    got = sorted((names[row["label"]], int(np.asarray(row["image"])[0, 0])) for row in found)
    folders = ["cat", "T-shirt_top", "owl"]
    assert got == sorted((folders[row["label"]], int(row["pixels"][0, 0, 0])) for row in rows)


def test_names_of_classes_that_are_no_names_of_folders(tmp_path: Path) -> None:
    """What differs in case alone, names of devices and dots get folders of their own."""
    names = ("Owl", "owl", "con", "..", "a/b", "a:b", " x ", "")
    count = len(names)
    dataset = Dataset.from_arrays(
        {"image": np.zeros((count, 2, 2, 1), np.uint8), "label": np.arange(count)},
        features={"image": ImageFeature(shape=(2, 2, 1)), "label": LabelFeature(names=names)},
    )
    (folder,) = written(dataset, "imagefolder", tmp_path)
    found = sorted((int(path.stem), path.parent.name) for path in folder.glob("*/*.png"))
    assert [name for _, name in found] == [
        *("Owl", "owl_2", "con_", "_", "a_b", "a_b_2", "x", "__2")
    ]


def test_webdataset_by_tar(some: Some, rows: Rows, tmp_path: Path) -> None:
    """Members of a row are side by side, with nothing of this machine or hour in them."""
    found: dict[str, bytes] = {}
    for path in written(some(), "webdataset", tmp_path):
        with tarfile.open(path) as archive:
            for member in archive:
                assert (member.mtime, member.uid, member.uname) == (0, 0, "")
                file = archive.extractfile(member)
                assert file is not None
                found[member.name] = file.read()
    for number, row in enumerate(rows):
        key = f"{number:08d}"
        assert found[f"{key}.photo.{'png' if number % 2 else 'jpg'}"] == row["photo"]
        assert found[f"{key}.sound.wav"] == row["sound"]
        assert same(pixels(found[f"{key}.pixels.png"]), row["pixels"][:, :, 0])
        assert int(found[f"{key}.cls"]) == row["label"]
        assert np.array_equal(np.load(io.BytesIO(found[f"{key}.box.npy"])), row["box"])
        assert np.array_equal(np.load(io.BytesIO(found[f"{key}.tokens.npy"])), row["tokens"])
        rest = json.loads(found[f"{key}.json"])
        assert rest.keys() == {"text", "count", "ratio", "exact", "words", "tags"}
        assert all(same(value, row[name]) for name, value in rest.items())
    assert list(found) == sorted(found, key=lambda name: name.partition(".")[0])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_by_webdataset(some: Some, rows: Rows, tmp_path: Path) -> None:
    """The package sees picture, class and the rest, in order."""
    webdataset = pytest.importorskip("webdataset")
    files = written(some("photo", "label", "text"), "webdataset", tmp_path)
    urls = [path.as_uri().replace("file://", "file:") for path in files]
    found = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    gc.collect()  # it leaves files open, which is no business of the next test
    for sample, (number, row) in zip(found, enumerate(rows), strict=True):
        assert sample["__key__"].endswith(f"{number:08d}")
        assert np.array_equal(sample["png" if number % 2 else "jpg"], pixels(row["photo"]))
        assert (sample["cls"], sample["json"]) == (row["label"], {"text": row["text"]})


def test_tfrecord_by_its_description(some: Some, rows: Rows, tmp_path: Path) -> None:
    """Every checksum is right, and every feature what a reader of the format expects."""
    files = written(some(), "tfrecord", tmp_path)
    found = [tfrecord.example(record) for path in files for record in tfrecord.records(path)]
    for row, made in zip(found, rows, strict=True):
        assert row["photo"] == [made["photo"]]
        assert row["sound"] == [made["sound"]]
        assert same(pixels(row["pixels"][0]), made["pixels"][:, :, 0])
        assert row["text"] == [made["text"].encode()]
        assert row["words"] == [text.encode() for text in made["words"]]
        assert row["exact"] == [struct.pack("<d", made["exact"])]
        assert np.array_equal(np.array(row["box"], np.float32), made["box"].reshape(-1))
        for name in ("label", "count", "ratio"):
            assert row[name] == [made[name]]
        for name in ("tokens", "tags"):
            assert row[name] == made[name].tolist()


def test_tfrecord_by_tensorflow(some: Some, rows: Rows, tmp_path: Path) -> None:
    """`TFRecordDataset` and `parse_example` read every row, in order."""
    tf = pytest.importorskip("tensorflow")
    files = written(some(), "tfrecord", tmp_path)
    one = {
        name: tf.io.FixedLenFeature((), kind)
        for name, kind in {
            "photo": tf.string,
            "pixels": tf.string,
            "exact": tf.string,
            "text": tf.string,
            "label": tf.int64,
            "count": tf.int64,
            "ratio": tf.float32,
        }.items()
    }
    lists = {"tokens": tf.int64, "tags": tf.int64, "words": tf.string}
    wanted = one | {"box": tf.io.FixedLenFeature((2, 2), tf.float32)}
    wanted |= {name: tf.io.RaggedFeature(kind) for name, kind in lists.items()}
    batches = tf.data.TFRecordDataset([str(path) for path in files]).batch(100)
    (found,) = (tf.io.parse_example(batch, wanted) for batch in batches)
    for i, row in enumerate(rows):
        assert np.array_equal(tf.io.decode_image(found["photo"][i]), pixels(row["photo"]))
        assert np.array_equal(tf.io.decode_png(found["pixels"][i]), row["pixels"])
        assert tf.io.decode_raw(found["exact"][i], tf.float64)[0] == row["exact"]
        assert found["text"][i].numpy().decode() == row["text"]
        assert np.array_equal(found["box"][i], row["box"])
        assert [text.decode() for text in found["words"][i].numpy()] == row["words"]
        for name in ("label", "count", "ratio"):
            assert found[name][i].numpy() == row[name]
        for name in ("tokens", "tags"):
            assert np.array_equal(found[name][i], row[name])


def test_long_records_have_right_checksums(tmp_path: Path) -> None:
    """Records of many lengths, short ones and some of several pieces."""
    texts = ["x" * length for length in (0, 1, 3, 1000, 1023, 1024, 1025, 5000, 70001)]
    (path,) = written(Dataset.from_arrays({"t": texts}), "tfrecord", tmp_path, 1 << 30)
    found = [tfrecord.example(record)["t"] for record in tfrecord.records(path)]
    assert found == [[text.encode()] for text in texts]


def test_numbers_that_tfrecord_has_not(tmp_path: Path) -> None:
    """It has signed numbers of 64 bits; one above is an error that names its row."""
    right = np.array([0, 2**63 - 1], np.uint64)
    feature = {"n": NumberFeature(dtype="uint64")}
    (path,) = written(
        Dataset.from_arrays({"n": right}, features=feature), "tfrecord", tmp_path / "right"
    )
    assert [tfrecord.example(record)["n"] for record in tfrecord.records(path)] == [
        [0],
        [2**63 - 1],
    ]
    wrong = Dataset.from_arrays({"n": right + np.array([0, 1], np.uint64)}, features=feature)
    with pytest.raises(DshubError, match=r"column n, row 1: a number above"):
        written(wrong, "tfrecord", tmp_path / "wrong")


MAGIC = struct.pack("<I", 0xCED7230A).decode("latin-1")


def records(files: list[Path]) -> list[tuple[float, int, bytes]]:
    stems = [path.with_suffix("") for path in files if path.suffix == ".rec"]
    return [record for stem in stems for record in recordio.read(stem)]


@pytest.mark.parametrize("column", ["photo", "pixels", "sound", "text"])
def test_recordio_by_its_description(some: Some, rows: Rows, tmp_path: Path, column: str) -> None:
    """Records with label and identifier, which begin where the index says."""
    found = records(written(some(column, "label"), "recordio", tmp_path, 300))
    assert [(label, number) for label, number, _ in found] == [
        (row["label"], i) for i, row in enumerate(rows)
    ]
    for (_, _, content), row in zip(found, rows, strict=True):
        if column == "pixels":
            assert same(pixels(content), row[column][:, :, 0])
        else:
            assert content == (row[column].encode() if column == "text" else row[column])


def with_magic() -> Dataset:
    """Files that hold the format's magic number, at places where it must be cut out and others."""
    magic = struct.pack("<I", 0xCED7230A)
    head = b"\x89PNG"
    files = [
        head,
        head + magic,
        head + magic * 3 + b"z",
        head + b"x" + magic,
        head + magic + b"xy" + magic,
    ]
    feature = ImageFeature(encoding="png")
    return Dataset.from_arrays({"image": files}, features={"image": feature})


def test_recordio_cuts_out_its_magic_number(tmp_path: Path) -> None:
    """Content that holds what records begin with comes back as it was."""
    dataset = with_magic()
    found = records(written(dataset, "recordio", tmp_path, 1 << 20))
    assert [content for _, _, content in found] == dataset.decode(False)["image"]


READ = """
import sys, mxnet
for stem in sys.argv[1:]:
    file = mxnet.recordio.MXIndexedRecordIO(stem + ".idx", stem + ".rec", "r")
    for key in file.keys:
        header, content = mxnet.recordio.unpack(file.read_idx(key))
        print(key, header.id, int(header.label), content.hex())
"""


def test_recordio_by_mxnet(some: Some, rows: Rows, tmp_path: Path) -> None:
    """MXNet's own reader, by the Python that DSHUB_TEST_MXNET names: it wants an old NumPy."""
    python = os.environ.get("DSHUB_TEST_MXNET")
    if not python:
        pytest.skip("DSHUB_TEST_MXNET does not name a Python that has mxnet")
    for dataset in (some("photo", "label"), with_magic()):
        files = written(dataset, "recordio", tmp_path / str(len(dataset)))
        stems = [str(path.with_suffix("")) for path in files if path.suffix == ".rec"]
        done = subprocess.run(
            [python, "-c", READ, *stems], capture_output=True, encoding="utf-8", check=True
        )
        found = [line.split(" ") for line in done.stdout.splitlines()]
        assert [bytes.fromhex(line[3]) for line in found] == list(
            next(iter(dataset.decode(False).numpy().values()))
        )
        labels = (
            [row["label"] for row in rows] if "label" in dataset.features else [0] * len(dataset)
        )
        assert [[int(cell) for cell in line[:3]] for line in found] == [
            [i, i, label] for i, label in enumerate(labels)
        ]


@pytest.mark.parametrize(
    ("to", "column", "told"),
    [
        ("csv", "photo", "holds pictures"),
        ("csv", "box", "holds arrays"),
        ("csv", "words", "holds lists"),
        ("npz", "photo", "holds pictures that differ in shape"),
        ("npz", "sound", "holds recordings that differ in shape"),
        ("npz", "tokens", "holds lists that differ in shape"),
        ("imagefolder", "text", "holds text"),
        ("recordio", "count", "holds numbers"),
    ],
)
def test_columns_that_a_format_cannot_hold(
    some: Some, tmp_path: Path, to: str, column: str, told: str
) -> None:
    """Nothing is written; the error names the column, and how to go on without it."""
    with pytest.raises(DshubError, match=f"column {column} {told}") as caught:
        written(
            some("pixels", "label", column) if to != "csv" else some("label", column), to, tmp_path
        )
    assert "--columns" in caught.value.hint
    assert not list(tmp_path.iterdir())
