import importlib
import io
import pickle
import wave
from typing import Any

import numpy as np
import pytest

from dshub import Dataset, Hub
from dshub.testing.adapters import RowsTests, assert_same, example, varied

pytest.importorskip("datasets.table")  # `datasets` alone would match tests/datasets

datasets: Any = importlib.import_module("datasets")


class TestHuggingFace(RowsTests):
    name = "hf"

    def to_numpy(self, value: Any) -> Any:
        if isinstance(value, dict):  # encoded audio; decoding it needs another package
            with wave.open(io.BytesIO(value["bytes"])) as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
                return samples.reshape(-1, file.getnchannels())
        return np.asarray(value) if hasattr(value, "getbbox") else value

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        split = dataset.to("hf")
        if "sound" in dataset.encoded:
            split = split.cast_column("sound", datasets.Audio(decode=False))
        dtypes = {"size": "float32", "tokens": "int64", "boxes": "float32", "image": "uint8"}
        rows = [{name: self.to_numpy(value) for name, value in row.items()} for row in split]
        for row in rows:
            for name in row.keys() & dtypes:
                row[name] = np.array(row[name], dtypes[name])
            if "boxes" in row:
                row["boxes"] = row["boxes"].reshape(-1, 4)
        return rows


def test_features_are_converted() -> None:
    features = example().to("hf").features
    assert features["label"] == datasets.ClassLabel(names=list("abcdefg"))
    assert features["text"] == datasets.Value("string")
    features = varied().to("hf").features
    assert isinstance(features["photo"], datasets.Image)
    assert features["sound"].sampling_rate == 8000
    assert features["tokens"].feature == datasets.Value("int64")
    assert varied().decode(False).to("hf").features["photo"] == datasets.Value("binary")


def test_prepared_tables_are_memory_mapped(hub: Hub) -> None:
    """The dataset maps dshub's own files, and any selection of rows pickles to a few kilobytes."""
    dataset = hub.load("mnist", "train", synthetic=2000)
    for view in (dataset, dataset.take(1500).skip(20), dataset.select([5, 3, 1999])):
        split = view.to("hf")
        assert [entry["filename"] for entry in split.cache_files] == list(map(str, dataset.files))
        assert len(pickle.dumps(split)) < 20_000
        assert split["label"][:] == np.asarray(view["label"]).tolist()
        row = pickle.loads(pickle.dumps(split)).with_format("numpy")[1]
        assert np.array_equal(row["image"], view[1]["image"])
    assert dataset.to("hf").info.homepage == dataset.manifest.homepage  # type: ignore[union-attr]


def test_concatenated_splits_with_fewer_columns(hub: Hub) -> None:
    dataset = hub.load("mnist", "train+test", synthetic=60, columns=["label"])
    split = dataset.to("hf")
    assert split.column_names == ["label"]
    assert split["label"][:] == np.asarray(dataset["label"]).tolist()


def test_result_converts_back_to_a_dataset() -> None:
    dataset = varied().shuffle(seed=1)
    converted = Dataset.from_hf(dataset.columns(["photo", "tokens", "words"]).to("hf"))
    for one, other in zip(dataset, converted, strict=True):
        assert_same([one["photo"], one["words"]], [other["photo"], other["words"]])
        assert one["tokens"].tolist() == other["tokens"].tolist()


def test_datasets_maps_and_filters_the_rows() -> None:
    split = example().to("hf").filter(lambda row: row["label"] == 3, keep_in_memory=True)
    assert split["text"][:] == [row["text"] for row in example() if row["label"] == 3]
