"""Explain names that users know from torchvision, TFDS, Hugging Face and Keras."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dshub
from dshub import Dataset, Hub, Loader
from dshub.catalog.features import LabelFeature
from dshub.errors import UnknownNameError

Access = Callable[[Any], Any]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """Return ten rows of images and labels."""
    columns: dict[str, np.ndarray] = {
        "image": np.zeros((10, 2, 2, 1), np.uint8),
        "label": np.arange(10) % 2,
    }
    features = {"label": LabelFeature(names=("cat", "dog"))}
    return Dataset.from_arrays(columns, features=features, supervised=("image", "label"))


@pytest.mark.parametrize(
    ("access", "message"),
    [
        (lambda ds: ds.batch(32), "ds.batches(32)"),
        (lambda ds: ds.to_pandas(), 'ds.to("pandas")'),
        (lambda ds: ds.with_format("torch"), ".torch()"),
        (lambda ds: ds.train_test_split(0.1), "ds.split(0.9, seed=0)"),
        (lambda ds: ds.num_rows, "len(ds)"),
        (lambda ds: ds.column_names, "list(ds.features)"),
        (lambda ds: ds.targets, 'ds["label"]'),
        (lambda ds: ds.batches(2).shuffle(), "shuffle=True"),
        (lambda ds: ds.features["label"].int2str(1), "feature.str(number)"),
        (lambda ds: ds.features["label"].num_classes, "len(feature.names)"),
    ],
)
def test_attribute_of_another_library_is_explained(
    digits: Dataset, access: Access, message: str
) -> None:
    with pytest.raises(AttributeError) as caught:
        access(digits)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["to_pandas", "quite_unknown", "__array_interface__"])
def test_hasattr_is_false_for_names_of_other_libraries(digits: Dataset, name: str) -> None:
    assert not any(hasattr(thing, name) for thing in (digits, digits.batches(2)))


@pytest.mark.parametrize(
    ("access", "message"),
    [
        (lambda ds: ds.batches(batch_size=4), "ds.batches(32)"),
        (lambda ds: ds.batches(4, num_workers=2), "threads"),
        (lambda ds: ds.batches(4, drop_remainder=True), "drop_last=True"),
        (lambda ds: ds.shuffle(buffer_size=100), "shuffles all rows"),
        (lambda _: dshub.load("mnist", split="train", as_numpy=True), "ds.numpy()"),  # type: ignore[call-overload]
        (lambda _: dshub.load("mnist", download=True), "DSHUB_OFFLINE"),  # type: ignore[call-overload]
        (lambda _: dshub.load("mnist", train=True), 'split="train"'),  # type: ignore[call-overload]
        (lambda _: Hub().load("mnist", as_supervised=True), "supervised=True"),  # type: ignore[call-overload]
        (lambda _: dshub.load(5), "a string such as 'mnist'"),  # type: ignore[call-overload]
        (lambda ds: ds.split("train"), "shares of the rows"),
        (lambda ds: ds[["image", "label"]], "ds.columns(['image', 'label'])"),
    ],
)
def test_argument_of_another_library_is_explained(
    digits: Dataset, access: Access, message: str
) -> None:
    with pytest.raises(TypeError) as caught:
        access(digits)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("load_dataset", "load("),
        ("datasets", "load("),
        ("list_datasets", "names()"),
        ("DataLoader", "batches"),
        ("transforms", "from dshub.loading.transforms import"),
    ],
)
def test_function_of_another_library_is_explained(name: str, message: str) -> None:
    code = f"import dshub\ntry: dshub.{name}\nexcept AttributeError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert message in done.stdout


def test_attribute_of_splits_is_explained(hub: Hub) -> None:
    splits = hub.load("mnist", synthetic=5)
    with pytest.raises(AttributeError, match=r'splits\["train"\]$'):
        splits.train  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(AttributeError, match=r'splits\["train"\]\.take$'):
        splits.take(5)  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="quite_unknown"):
        splits.quite_unknown  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(UnknownNameError) as caught:
        splits["train"]["train"]
    assert 'load("mnist", "train")' in caught.value.hint


def test_failing_property_raises_its_own_error(digits: Dataset) -> None:
    class Broken(Dataset):
        @property
        def broken_property(self) -> int:
            return self.quite_unknown  # type: ignore[attr-defined]

    broken = Broken(**{name: getattr(digits, name) for name in ("_source", "_selection", "_names")})
    with pytest.raises(AttributeError, match="quite_unknown"):
        broken.broken_property  # noqa: B018


def test_repr_is_one_line(digits: Dataset, hub: Hub) -> None:
    loader: Loader = digits.batches(4, shuffle=True)
    shown = {
        repr(digits): "10 rows of image, label",
        repr(loader): "3 batches of 4 rows, shuffled, epoch 0: <Dataset",
        repr(hub): str(hub.settings.cache),
        repr(hub.registry): "registry",
        repr(hub.info("mnist")): "<Manifest mnist@1.0.0: train 60,000, test 10,000 rows of image,",
        repr(hub.info("imagenet-sketch").features["label"]): "1,000 names",
    }
    for text, message in shown.items():
        assert message in text
        assert len(text) < 400
        assert "\n" not in text
