from typing import Any

import numpy as np
import pytest

import dshub
from dshub.compat import tfds


@pytest.fixture(autouse=True)
def rows(synthetic: int) -> int:
    """Load synthetic rows."""
    return synthetic


@pytest.fixture
def tf() -> Any:
    """Return TensorFlow, which loading needs."""
    return pytest.importorskip("tensorflow")


def test_load_gives_datasets_and_info(tf: Any, rows: int) -> None:
    (train, part), info = tfds.load(
        "mnist:3.*.*", split=["train", "test[:25%]"], as_supervised=True, with_info=True
    )
    expected = dshub.load("mnist", "train")
    assert isinstance(train, tf.data.Dataset)
    assert (len(train), len(part)) == (rows, rows // 4)
    for (image, label), row in zip(train, expected, strict=True):
        np.testing.assert_array_equal(image, row["image"])
        assert label == row["label"]
    assert info.features["label"].num_classes == 10


def test_splits_keep_their_structure(tf: Any, rows: int) -> None:
    assert tfds.load("mnist").keys() == {"train", "test"}
    first, second = tfds.load("mnist", split=(tfds.Split.TEST, "train+test"))
    assert (len(first), len(second)) == (rows, 2 * rows)
    named = tfds.load("mnist", split={"all": "all", "few": ["train[:3]"]})
    assert (len(named["all"]), len(named["few"][0])) == (2 * rows, 3)
    assert len(tfds.load("mnist", split="all[:10%]")) == 2 * rows // 10


def test_batches_are_padded(tf: Any, rows: int) -> None:
    flowers = dshub.load("flowers-102", "train")
    batches = list(tfds.load("oxford_flowers102", split="train", batch_size=16))
    assert [len(batch["label"]) for batch in batches] == [16, 16, 8]
    image = flowers[1]["image"]
    padded = batches[0]["image"][1].numpy()
    np.testing.assert_array_equal(padded[: image.shape[0], : image.shape[1]], image)
    assert padded.sum() == image.sum()


def test_whole_split_becomes_arrays(tf: Any) -> None:
    x, y = tfds.as_numpy(tfds.load("mnist", split="test", batch_size=-1, as_supervised=True))
    expected = dshub.load("mnist", "test")
    np.testing.assert_array_equal(x, expected["image"])
    np.testing.assert_array_equal(y, expected["label"])


def test_as_numpy_can_be_iterated_again(tf: Any, rows: int) -> None:
    both = tfds.as_numpy(tfds.load("mnist", split=["train", "test"]))
    assert [len(part) for part in both] == [rows, rows]
    labels = dshub.load("mnist", "train")["label"].tolist()
    for _ in range(2):
        assert [int(row["label"]) for row in both[0]] == labels


def test_shuffled_rows_are_the_same_rows(tf: Any) -> None:
    def labels(**options: Any) -> list[int]:
        rows = tfds.load("mnist", split="train", **options)
        return [int(row["label"]) for row in tfds.as_numpy(rows)]

    shuffled = labels(shuffle_files=True)
    assert shuffled == labels(shuffle_files=True)
    assert shuffled != labels()
    assert shuffled != labels(shuffle_files=True, read_config=tfds.ReadConfig(shuffle_seed=1))
    assert sorted(shuffled) == sorted(labels())


def test_builder_prepares_and_opens(tf: Any, rows: int) -> None:
    builder = tfds.builder("cifar10", data_dir="data")
    builder.download_and_prepare(download_config=None)
    assert builder.info.name == "cifar-10"
    batches = builder.as_dataset(split="test", batch_size=8, as_supervised=True)
    assert len(batches) == rows / 8
    assert tfds.builder("mnist").info.full_name.startswith("mnist@")


def test_data_source_needs_no_tensorflow(rows: int) -> None:
    train, test = tfds.data_source("mnist", split=["train", "test"])
    assert (len(train), len(test)) == (rows, rows)
    assert train[3]["image"].shape == (28, 28, 1)
    assert tfds.builder("mnist").as_data_source().keys() == {"train", "test"}


def test_info_describes_features_and_splits(rows: int) -> None:
    info = tfds.builder("oxford_flowers102").info
    manifest: Any = dshub.info("flowers-102")
    assert info.splits["train"].num_examples == rows
    assert info.splits["train[:50%]+test"].num_examples == rows * 3 // 2
    assert info.splits.total_num_examples == 3 * rows
    assert list(info.splits) == ["train", "validation", "test"]
    assert info.features.shape == {"image": (None, None, 3), "label": ()}
    assert info.features.dtype == {"image": "uint8", "label": "int64"}
    assert info.features["label"].int2str(0) == manifest.features["label"].names[0]
    assert (info.supervised_keys, info.description) == (manifest.supervised, manifest.summary)
    assert "title" in info.citation


def test_unknown_names_and_options_are_errors() -> None:
    with pytest.raises(dshub.DshubError, match="no dataset named 'mnits'"):
        tfds.load("mnits")
    with pytest.raises(dshub.DshubError, match="no split"):
        tfds.data_source("mnist", split="valid")
    with pytest.raises(ValueError, match="split is 5"):
        tfds.data_source("mnist", split=5)
    with pytest.raises(ValueError, match="decoders is"):
        tfds.load("mnist", decoders={"image": 1})


def test_download_false_downloads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DSHUB_SYNTHETIC")
    with pytest.raises(dshub.DshubError, match="is not in the cache"):
        tfds.load("mnist", split="train", download=False)


def test_other_functions_exist() -> None:
    assert "mnist" in tfds.list_builders()
    tfds.disable_progress_bar()
