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
    typed = False

    def to_numpy(self, value: Any) -> Any:
        if isinstance(value, dict):  # encoded audio; decoding it needs another package
            with wave.open(io.BytesIO(value["bytes"])) as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
                channels = file.getnchannels()
                return samples if channels == 1 else samples.reshape(-1, channels)
        return np.asarray(value) if hasattr(value, "getbbox") else value

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        return [self.plain(row) for row in self.split_of(dataset)]

    def next_step(self, dataset: Dataset) -> list[dict[str, Any]]:
        split = self.split_of(dataset)
        # `map` converts Python integers to int64 first, where these do not fit
        wide = split.select_columns([name for name in split.column_names if name == "uint64"])
        mapped = split.remove_columns(wide.column_names).map(
            dict, batched=True, batch_size=8, keep_in_memory=True
        )
        joined = datasets.concatenate_datasets([mapped, wide], axis=1) if wide.features else mapped
        return [self.plain(row) for row in joined.select_columns(split.column_names)]

    def split_of(self, dataset: Dataset) -> Any:
        """Return the split, with audio as files because decoding needs another package."""
        split = dataset.to("hf")
        for name in {"sound", "mono"} & set(dataset.encoded):
            split = split.cast_column(name, datasets.Audio(decode=False))
        return split

    def plain(self, row: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {name: self.to_numpy(value) for name, value in row.items()}
        if np.ndim(values.get("depth", 0)) == 2:  # Pillow images have no channel of gray
            values["depth"] = values["depth"][..., None]
        return values


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
