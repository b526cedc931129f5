from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

import dshub
from dshub.compat import torchvision as compat
from dshub.errors import ReadError


def test_images_and_classes_are_those_of_the_dataset(synthetic: int) -> None:
    rows, expected = compat.Flowers102("data", "val"), dshub.load("flowers-102", "validation")
    for row in (0, synthetic - 1):
        image, target = rows[row]
        assert (image.mode, target) == ("RGB", expected[row]["label"])
        assert np.abs(np.asarray(image, int) - expected[row]["image"]).max() <= 2
    assert rows.targets == expected["label"].tolist() == rows._labels
    assert rows.classes == list(expected.features["label"].names)


def test_loader_gets_an_open_file(synthetic: int) -> None:
    def load(file: Any) -> Any:
        with Image.open(file) as image:
            return ImageOps.grayscale(image)

    assert compat.Food101("data", loader=load)[0][0].mode == "L"


def test_damaged_image_is_named(synthetic: int) -> None:
    def damaged(_: Any) -> Any:
        raise OSError("truncated")

    with pytest.raises(ReadError, match=r"split train.* row 3.*truncated"):
        compat.Food101("data", loader=damaged)[3]


def test_classes_of_imagenet_are_tuples(synthetic: int) -> None:
    small, full = compat.Imagenette("data"), compat.ImageNet("data", split="val")
    assert small.classes[0] == ("tench", "Tinca tinca")
    assert (small.class_to_idx["Tinca tinca"], small.wnids[1]) == (0, "n02102040")
    assert full.classes[0] == small.classes[0]
    assert full.wnid_to_idx[small.wnids[1]] == full.class_to_idx["English springer"]
    assert [target for _, target in full.samples] == full.targets


def test_classes_of_imagenette_equal_torchvision(synthetic: int, torchvision: Any) -> None:
    theirs = torchvision.datasets.Imagenette._WNID_TO_CLASS
    rows = compat.Imagenette("data")
    assert dict(zip(rows.wnids, rows.classes, strict=True)) == theirs


def test_classes_of_flowers_equal_torchvision(synthetic: int, torchvision: Any) -> None:
    theirs = torchvision.datasets.Flowers102.classes
    assert [name.lower() for name in compat.Flowers102("data").classes] == [
        name.lower() for name in theirs
    ]


def test_partition_of_dtd_selects_other_rows(synthetic: int) -> None:
    first, second = compat.DTD("data"), compat.DTD("data", partition=2)
    assert [rows._manifest.name for rows in (first, second)] == ["dtd", "dtd-folds/2"]


def test_pets_have_several_kinds_of_targets(synthetic: int) -> None:
    expected = dshub.load("oxford-iiit-pet", "test")
    row = expected[4]
    both = compat.OxfordIIITPet("data", "test", target_types=["category", "binary-category"])
    assert both[4][1] == (row["label"], row["species"])
    single = compat.OxfordIIITPet("data", "test", "binary-category")
    assert single[4][1] == row["species"]
    joint = compat.OxfordIIITPet("data", "test", transforms=lambda *row: (row[1], 0))
    assert joint[4] == (row["label"], 0)
    assert compat.OxfordIIITPet("data").classes[1] == "American Bulldog"


def test_trainval_of_aircraft_is_both_splits(synthetic: int) -> None:
    parts = [compat.FGVCAircraft("data", split).targets for split in ("train", "val")]
    assert compat.FGVCAircraft("data").targets == parts[0] + parts[1]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Places365", {}),
        ("FGVCAircraft", {"annotation_level": "family"}),
        ("Caltech101", {"target_type": "annotation"}),
        ("OxfordIIITPet", {"target_types": "segmentation"}),
    ],
    ids=["Places365", "FGVCAircraft", "Caltech101", "OxfordIIITPet"],
)
def test_data_that_the_registry_lacks_is_an_error(
    name: str, options: dict[str, Any], synthetic: int
) -> None:
    with pytest.raises(ValueError, match="it must be"):
        getattr(compat, name)("data", **options)


def test_caltech_has_categories(synthetic: int) -> None:
    rows = compat.Caltech101("data")
    assert (rows.categories, rows.y) == (rows.classes, rows.targets)
