import importlib
import pickle
from typing import Any

import numpy as np
import pytest

import dshub
from dshub.compat.datasets import load_dataset

pytest.importorskip("datasets.table")  # `datasets` alone would match tests/datasets

datasets: Any = importlib.import_module("datasets")


@pytest.fixture(autouse=True)
def rows(synthetic: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> int:
    """Load synthetic rows, and keep `datasets` away from the network."""
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "hf")
    return synthetic


def test_splits_are_a_dataset_dict(rows: int) -> None:
    raw = load_dataset("glue", "sst2")
    assert isinstance(raw, datasets.DatasetDict)
    assert raw.num_rows == {"train": rows, "validation": rows, "test": rows}
    assert raw["train"].column_names == ["sentence", "label", "idx"]
    assert raw["train"].features["label"].names == ["negative", "positive"]
    assert raw["train"]["sentence"][:] == dshub.load("glue/sst2", "train")["sentence"]


def test_hidden_labels_are_minus_one(rows: int) -> None:
    test = load_dataset("nyu-mll/glue", "sst2", split="test")
    assert test.features == load_dataset("glue", "sst2", split="train").features
    assert test["label"][:] == [-1] * rows
    assert load_dataset("glue", "stsb", split="test")["label"][:] == [-1.0] * rows


def test_tables_are_memory_mapped(rows: int) -> None:
    split = load_dataset("glue", "sst2", split="train[10%:50%]")
    files = dshub.load("glue/sst2", "train").files
    assert [entry["filename"] for entry in split.cache_files] == list(map(str, files))
    assert (len(split), len(pickle.dumps(split)) < 20_000) == (rows * 2 // 5, True)


def test_methods_of_datasets_work(rows: int) -> None:
    raw = load_dataset("imdb", split="train")
    tokens = raw.map(lambda batch: {"size": [len(text) for text in batch["text"]]}, batched=True)
    tokens = tokens.remove_columns("text").train_test_split(0.25, seed=0)
    tokens["train"].set_format("numpy")
    assert tokens["train"][:4]["size"].shape == (4,)
    assert tokens.num_rows == {"train": rows * 3 // 4, "test": rows // 4}


def test_several_splits_are_a_list(rows: int) -> None:
    parts = load_dataset("imdb", "plain_text", split=["train", datasets.Split.TEST, "all"])
    assert [len(part) for part in parts] == [rows, rows, 3 * rows]


@pytest.mark.parametrize(("name", "column"), [("mnist", "image"), ("cifar10", "img")])
def test_raw_images_are_pil_images(name: str, column: str, rows: int) -> None:
    split, expected = load_dataset(name, split="test"), dshub.load(name, "test")["image"]
    assert split.column_names[0] == column
    for row in (0, rows - 1):
        image = split[row][column]
        assert image.mode == ("L" if name == "mnist" else "RGB")
        np.testing.assert_array_equal(np.asarray(image), expected[row].squeeze())
    kept = split.filter(lambda row: row["label"] > 4)
    assert kept[0][column].size == image.size


def test_columns_are_those_of_the_hub() -> None:
    question = load_dataset("squad", split="validation")
    expected = dshub.load("squad", "validation")[2]
    assert question.column_names == ["id", "title", "context", "question", "answers"]
    starts = expected["answer_start"].tolist()
    assert question[2]["answers"] == {"text": expected["answers"], "answer_start": starts}
    news, expected = load_dataset("ag_news", split="train")[1], dshub.load("ag-news", "train")[1]
    assert news["text"] == f"{expected['title']} {expected['description']}"
    truth = dshub.load("boolq", "train")[0]["answer"]
    assert load_dataset("boolq", split="train")[0]["answer"] is bool(truth)
    assert load_dataset("imdb", split="train").column_names == ["text", "label"]


def test_streaming_gives_the_same_rows(rows: int) -> None:
    stream = load_dataset("glue", "sst2", streaming=True)
    assert isinstance(stream, datasets.IterableDatasetDict)
    assert list(stream["train"]) == list(load_dataset("glue", "sst2", split="train"))


def test_other_datasets_come_from_the_package(tmp_path: Any) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    loaded = load_dataset("csv", data_files=str(tmp_path / "rows.csv"), split="train")
    assert loaded[0] == {"a": 1, "b": 2}
    with pytest.raises(Exception, match="owner/unknown"):
        load_dataset("owner/unknown")


def test_other_names_are_those_of_the_package() -> None:
    from dshub.compat.datasets import ClassLabel

    assert ClassLabel is datasets.ClassLabel
    with pytest.raises(AttributeError):
        from dshub.compat import datasets as compat

        compat.quite_unknown  # noqa: B018


def test_unknown_splits_are_errors() -> None:
    with pytest.raises(dshub.DshubError, match="no split"):
        load_dataset("glue", "sst2", split="tset")
