"""Compare converted Hugging Face datasets with `datasets` itself."""

import datetime as dt
import importlib
import io
import pickle
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import (
    AudioFeature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    TextFeature,
)
from dshub.errors import ArgumentError, DshubError, ReadError, SchemaError

pytest.importorskip("datasets.table")  # `datasets` alone would match tests/datasets

hf: Any = importlib.import_module("datasets")


def png(value: int) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(np.full((2, 3, 3), value, np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def wav(samples: int) -> bytes:
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((1, 2, 8000, samples, "NONE", ""))
        file.writeframes(np.arange(samples, dtype="<i2").tobytes())
    return sink.getvalue()


ROWS = 7
FEATURES: dict[str, tuple[Any, Any, Callable[[int], Any]]] = {
    "int": (hf.Value("int16"), NumberFeature(dtype="int16"), lambda n: n),
    "float": (hf.Value("float64"), NumberFeature(dtype="float64"), lambda n: n / 4),
    "half": (hf.Value("float16"), NumberFeature(dtype="float32"), lambda n: n / 4),
    "bool": (hf.Value("bool"), NumberFeature(dtype="bool"), lambda n: n % 2 == 0),
    "text": (hf.Value("string"), TextFeature(), lambda n: "pâté" * n),
    "long": (hf.Value("large_string"), TextFeature(), lambda n: "pâté" * n),
    "label": (
        hf.ClassLabel(names=["cat", "dog", "owl"]),
        LabelFeature(names=("cat", "dog", "owl")),
        lambda n: n % 3,
    ),
    "tokens": (
        hf.List(hf.Value("int64")),
        ListFeature(of=NumberFeature(dtype="int64")),
        lambda n: list(range(n)),
    ),
    "flags": (
        hf.List(hf.Value("bool")),
        ListFeature(of=NumberFeature(dtype="bool")),
        lambda n: [True, False][: n % 3],
    ),
    "words": (
        hf.LargeList(hf.Value("string")),
        ListFeature(of=TextFeature()),
        lambda n: ["a", "pâté"] * n,
    ),
    "tags": (
        hf.List(hf.ClassLabel(names=["B", "I"])),
        ListFeature(of=LabelFeature(names=("B", "I"))),
        lambda n: [n % 2] * n,
    ),
    "vector": (
        hf.List(hf.Value("float32"), length=3),
        NumberFeature(dtype="float32", shape=(3,)),
        lambda n: [n, 1, 2],
    ),
    "matrix": (
        hf.Array2D((2, 3), "float32"),
        NumberFeature(dtype="float32", shape=(2, 3)),
        lambda n: [[n, 1, 2], [3, 4, n]],
    ),
    "cube": (
        hf.Array3D((2, 1, 2), "uint8"),
        NumberFeature(dtype="uint8", shape=(2, 1, 2)),
        lambda n: [[[n, 1]], [[2, n]]],
    ),
    "boxes": (
        hf.Array2D((None, 4), "int32"),
        ListFeature(of=NumberFeature(dtype="int32", shape=(4,))),
        lambda n: [[n, 0, i, i] for i in range(n % 3 + 1)],
    ),
    "image": (
        hf.Image(decode=False),
        ImageFeature(encoding="any"),
        lambda n: {"bytes": png(n), "path": None},
    ),
    "audio": (
        hf.Audio(decode=False),
        AudioFeature(rate=8000),
        lambda n: {"bytes": wav(n), "path": None},
    ),
}


def dataset_of(rows: list[dict[str, Any]], features: dict[str, Any]) -> Any:
    """Build a `datasets.Dataset` without encoding audio, which needs another package."""
    file = {"bytes": hf.Value("binary"), "path": hf.Value("string")}
    plain = {n: file if isinstance(kind, hf.Audio) else kind for n, kind in features.items()}
    dataset = hf.Dataset.from_list(rows, features=hf.Features(plain))
    for name, kind in features.items():
        dataset = dataset.cast_column(name, kind) if isinstance(kind, hf.Audio) else dataset
    return dataset


def row_of(n: int) -> dict[str, Any]:
    return {name: make(n) for name, (_, _, make) in FEATURES.items()}


@pytest.fixture(scope="module", params=["whole", "chunks", "mapped"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Build a source in one chunk, in several chunks or memory-mapped."""
    features = {name: kind for name, (kind, _, _) in FEATURES.items()}
    rows = [row_of(n) for n in range(ROWS)]
    if request.param == "whole":
        return dataset_of(rows, features)
    parts = [dataset_of(rows[a:b], features) for a, b in ((0, 2), (2, ROWS))]
    concatenated = hf.concatenate_datasets(parts)
    if request.param == "chunks":
        return concatenated
    folder = tmp_path_factory.mktemp("saved")
    concatenated.save_to_disk(folder, num_shards=2)
    return hf.load_from_disk(folder)


def plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def expected_row(n: int) -> dict[str, Any]:
    return row_of(n) | {"image": np.full((2, 3, 3), n).tolist(), "audio": list(range(n))}


@pytest.mark.parametrize("name", FEATURES)
def test_features_and_values_are_converted(source: Any, name: str) -> None:
    dataset = Dataset.from_hf(source.select_columns([name]))
    assert dataset.features == {name: FEATURES[name][1]}
    rows = [plain(row[name]) for row in dataset]
    assert rows == [expected_row(n)[name] for n in range(ROWS)]
    assert [plain(value) for value in dataset[[5, 0, 5]][name]] == [rows[5], rows[0], rows[5]]


def test_selections_keep_their_order(source: Any) -> None:
    views = [
        source,
        source.select([5, 0, 3]),
        source.select(range(2, 6)),
        source.shuffle(seed=1),
        source.filter(lambda row: row["int"] % 2 == 1),
    ]
    for view in views:
        numbers = list(view["int"])
        dataset = Dataset.from_hf(view)
        assert [row["int"] for row in dataset] == numbers
        assert [len(row["audio"]) for row in dataset] == numbers
        assert dataset.shuffle(3)["int"].tolist() == [
            numbers[i] for i in Dataset.from_arrays({"i": np.arange(len(view))}).shuffle(3)["i"]
        ]


def test_nothing_is_copied() -> None:
    """Numbers, arrays and lists share memory with `datasets`."""
    features = {name: FEATURES[name][0] for name in ("int", "matrix", "tokens")}
    source = dataset_of(
        [{name: row_of(n)[name] for name in features} for n in range(ROWS)], features
    )
    dataset = Dataset.from_hf(source)
    for name, depth in [("int", 0), ("matrix", 2), ("tokens", 1)]:
        array = source.data.column(name).chunk(0)
        array = array.storage if isinstance(array, pa.ExtensionArray) else array
        for _ in range(depth):
            array = array.values
        column = dataset[name]
        first = column if isinstance(column, np.ndarray) else column[1]
        assert first.ctypes.data == array.buffers()[1].address
        assert not first.flags.writeable


def test_pickle_opens_the_same_rows(source: Any) -> None:
    dataset = Dataset.from_hf(source).shuffle(2)
    unpickled = pickle.loads(pickle.dumps(dataset))
    assert [plain(row["text"]) for row in unpickled] == [row["text"] for row in dataset]
    assert unpickled.fingerprint == dataset.fingerprint
    assert Dataset.from_hf(source.select([1])).fingerprint != Dataset.from_hf(source).fingerprint


def test_images_can_be_paths(tmp_path: Path) -> None:
    """`datasets` can store paths instead of images."""
    paths = [str(tmp_path / f"{n}.png") for n in range(3)]
    for n, path in enumerate(paths):
        Path(path).write_bytes(png(n))
    source = hf.Dataset.from_dict({"image": paths}).cast_column("image", hf.Image(decode=False))
    dataset = Dataset.from_hf(source)
    assert [row["image"][0, 0, 0] for row in dataset] == [0, 1, 2]
    Path(paths[1]).unlink()
    assert dataset[2]["image"].shape == (2, 3, 3)
    with pytest.raises(ReadError, match=r"column image, row 1: .*1\.png"):
        dataset[1]


def test_hidden_classes_are_left_out() -> None:
    """A label column of only -1 is left out, but a column of some -1 is an error."""
    features = hf.Features({"n": hf.Value("int8"), "label": hf.ClassLabel(names=["a", "b"])})
    hidden = hf.Dataset.from_dict({"n": [1, 2], "label": [-1, -1]}, features=features)
    assert list(Dataset.from_hf(hidden).features) == ["n"]
    some = hf.Dataset.from_dict({"n": [1, 2], "label": [-1, 1]}, features=features)
    with pytest.raises(
        SchemaError, match="column label, row 0: got -1, expected a class from 0 to 1"
    ):
        Dataset.from_hf(some)


def test_bytes_become_images_with_a_feature() -> None:
    """Binary and text columns need `features` to become images and classes."""
    source = hf.Dataset.from_dict({"file": [png(1), png(2)], "kind": ["dog", "cat"]})
    source = source.cast_column("file", hf.Value("binary"))
    assert Dataset.from_hf(source)["file"] == [png(1), png(2)]
    features: Any = {
        "file": ImageFeature(encoding="png"),
        "kind": LabelFeature(names=("cat", "dog")),
    }
    dataset = Dataset.from_hf(source, features=features)
    assert dataset.features == features
    assert dataset[1]["file"][0, 0, 0] == 2
    assert dataset["kind"].tolist() == [1, 0]
    with pytest.raises(SchemaError, match="column fil: got no such column"):
        Dataset.from_hf(source, features={"fil": features["file"]})


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (hf.Value("int32"), [1, None]),
        (hf.Value("string"), [None, "a"]),
        (hf.List(hf.Value("int32")), [[1, None]]),
        (hf.List(hf.List(hf.Value("int32"))), [[[1], [2, 3]]]),
        (hf.List({"a": hf.Value("int32")}), [[{"a": 1}]]),
        ({"a": hf.Value("int32")}, [{"a": 1}]),
        (hf.List(hf.Image(decode=False)), [[{"bytes": b"a", "path": None}]]),
        (hf.ClassLabel(names=["a"]), [None, 0]),
        (hf.Value("date32"), [dt.date(2020, 1, 2), None]),
    ],
    ids=str,
)
def test_missing_and_nested_values_are_kept(kind: Any, values: list[Any]) -> None:
    source = dataset_of([{"x": value} for value in values], {"x": kind})
    dataset = Dataset.from_hf(source)
    assert dataset.arrow()["x"].to_pylist() == values
    assert dataset.to("hf")["x"][:] == values


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (hf.Value("duration[s]"), [dt.timedelta(1)]),
        (hf.Audio(decode=False), [{"bytes": b"ID3", "path": None}]),
    ],
    ids=str,
)
def test_unsupported_column_is_rejected(kind: Any, values: list[Any]) -> None:
    source = dataset_of([{"x": value} for value in values], {"x": kind})
    with pytest.raises(DshubError, match="column x") as caught:
        Dataset.from_hf(source)
    assert caught.value.exit_code == 9


def test_several_splits_or_a_stream_are_rejected() -> None:
    source = hf.Dataset.from_dict({"x": [1]})
    for other in (hf.DatasetDict({"train": source}), source.to_iterable_dataset(), [1]):
        with pytest.raises(ArgumentError, match=f"not a {type(other).__name__}"):
            Dataset.from_hf(other)


def test_empty_dataset_has_its_columns(source: Any) -> None:
    some, filtered = source.select([]), source.filter(lambda _: False)
    for empty in (some.remove_columns("audio"), filtered.remove_columns("audio")):
        dataset = Dataset.from_hf(empty)
        assert (len(dataset), list(dataset)) == (0, [])
        assert dataset.features == {k: f for k, (_, f, _) in FEATURES.items() if k != "audio"}
    with pytest.raises(SchemaError, match="column audio: got audio of unknown rate"):
        Dataset.from_hf(some)
    rated = some.cast_column("audio", hf.Audio(sampling_rate=8000, decode=False))
    assert Dataset.from_hf(rated).features["audio"] == AudioFeature(rate=8000)


def test_images_of_16_bits_and_masks_keep_their_values() -> None:
    depths = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    sink = io.BytesIO()
    Image.fromarray(depths).save(sink, "PNG")
    files = [{"bytes": sink.getvalue(), "path": None}] * 3
    features = hf.Features({"depth": hf.Image(), "mask": hf.Image()})
    source = hf.Dataset.from_dict({"depth": files, "mask": files}, features=features)
    mask = MaskFeature(encoding="any", dtype="uint16")
    ds = Dataset.from_hf(source, features={"mask": mask})
    assert ds.features["depth"] == ImageFeature(encoding="any", dtype="uint16")
    assert np.array_equal(ds[2]["depth"][..., 0], depths)
    assert np.array_equal(ds[2]["mask"], depths)
    assert len(Dataset.from_hf(source.select([]))) == 0
    back = Dataset.from_hf(ds.to("hf"), features={"mask": mask})
    assert back.features == ds.features
