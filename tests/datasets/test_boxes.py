"""Compare converted boxes with hand-computed numbers, at every depth of a column."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset, DshubError
from dshub.catalog.features import (
    BoxFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    StructFeature,
)
from dshub.errors import ArgumentError, SchemaError
from dshub.loading.transforms.colors import ToFloat
from dshub.loading.transforms.geometry import CenterCrop, RandomHorizontalFlip, Resize
from dshub.loading.transforms.mixing import CutMix, MixUp

# one box of an image with 200 x 100 pixels: left 20, top 10, width 40, height 30
FORMS: dict[tuple[Any, bool], Sequence[float]] = {
    ("xyxy", False): (20, 10, 60, 40),
    ("xywh", False): (20, 10, 40, 30),
    ("cxcywh", False): (40, 25, 40, 30),
    ("xyxy", True): (0.1, 0.1, 0.3, 0.4),
    ("xywh", True): (0.1, 0.1, 0.2, 0.3),
    ("cxcywh", True): (0.2, 0.25, 0.2, 0.3),
}


def objects(box: BoxFeature) -> StructFeature:
    labels = ListFeature(of=LabelFeature(names=("cat", "dog")))
    return StructFeature(fields={"boxes": ListFeature(of=box), "labels": labels})


def detection(box: BoxFeature, values: Sequence[float], **columns: Any) -> Dataset:
    """Return an image with one box, and an image without any."""
    rows = [{"boxes": [values], "labels": [1]}, {"boxes": [], "labels": []}]
    features = {"objects": objects(box)}
    return Dataset.from_arrays({"objects": rows, **columns}, features=features)


@pytest.mark.parametrize("new", FORMS)
@pytest.mark.parametrize("old", FORMS)
def test_boxes_are_converted_between_all_formats(
    old: tuple[Any, bool], new: tuple[Any, bool]
) -> None:
    box = BoxFeature(format=old[0], relative=old[1])
    ds = detection(box, FORMS[old], width=[200, 200], height=[100, 100])
    converted = ds.convert_boxes(new[0], relative=new[1])
    full, empty = converted["objects"]
    np.testing.assert_allclose(full["boxes"], [FORMS[new]], rtol=1e-6)
    assert empty["boxes"].shape == (0, 4)
    assert full["boxes"].dtype == np.float32
    assert full["labels"].tolist() == [1]
    feature = objects(BoxFeature(format=new[0], relative=new[1]))
    assert converted.features["objects"] == feature


def test_size_comes_from_the_image_if_no_columns_state_it() -> None:
    image = np.zeros((2, 100, 200, 3), np.uint8)
    features: dict[str, Feature] = {
        "objects": objects(BoxFeature()),
        "image": ImageFeature(shape=(100, 200, 3)),
    }
    rows = [{"boxes": [FORMS["xyxy", False]], "labels": [1]}, {"boxes": [], "labels": []}]
    ds = Dataset.from_arrays({"objects": rows, "image": image}, features=features)
    boxes = ds.convert_boxes("cxcywh", relative=True)[0]["objects"]["boxes"]
    np.testing.assert_allclose(boxes, [FORMS["cxcywh", True]], rtol=1e-6)


def test_rotated_photograph_has_the_size_that_decoding_gives(tmp_path: Path) -> None:
    """The EXIF orientation 6 turns 200 x 100 stored pixels into 100 x 200."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (200, 100)).save(tmp_path / "1.jpg", exif=exif)
    ds = Dataset.from_folder(tmp_path).with_column("box", np.array([[10, 20, 20, 40]], np.float32))
    ds = ds.cast({"box": BoxFeature(format="xyxy")}).convert_boxes("xyxy", relative=True)
    assert ds[0]["image"].shape == (200, 100, 3)
    np.testing.assert_allclose(ds[0]["box"], (0.1, 0.1, 0.2, 0.2))


def test_column_of_one_box_per_row_is_converted() -> None:
    ds = Dataset.from_arrays({"box": [[0, 0, 2, 4], [1, 1, 2, 2]]}, features={"box": BoxFeature()})
    assert ds.convert_boxes("xywh")["box"].tolist() == [[0, 0, 2, 4], [1, 1, 1, 1]]
    assert ds.convert_boxes("xywh")[:0]["box"].shape == (0, 4)


def test_optional_boxes_stay_missing() -> None:
    feature = ListFeature(of=BoxFeature(), optional=True)
    ds = Dataset.from_arrays({"x": [None, [[0, 0, 2, 2]]]}, features={"x": feature})
    rows = ds.convert_boxes("cxcywh")["x"]
    assert rows[0] is None
    assert rows[1].tolist() == [[1, 1, 2, 2]]


def test_cast_does_not_relabel_the_format() -> None:
    ds = detection(BoxFeature(format="xywh"), (1, 2, 3, 4))
    with pytest.raises(SchemaError, match="xywh") as caught:
        ds.cast({"objects": objects(BoxFeature(format="xyxy"))})
    assert 'ds.convert_boxes("xyxy", relative=False)' in caught.value.hint


def test_numbers_become_boxes_by_cast() -> None:
    ds = Dataset.from_arrays({"box": np.arange(8.0).reshape(2, 4)})
    box = ds.cast({"box": BoxFeature(format="xywh")})["box"]
    assert box.dtype == np.float32
    assert box.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_boxes_without_four_numbers_are_rejected() -> None:
    features = {"objects": objects(BoxFeature())}
    rows = [{"objects": {"boxes": [[1, 2, 3]], "labels": [0]}}]
    with pytest.raises(SchemaError, match="got 3 values, expected 4 values"):
        Dataset.from_rows(rows, features=features)


def test_conversion_needs_boxes_a_known_format_and_a_size() -> None:
    plain = Dataset.from_arrays({"x": [1]})
    with pytest.raises(SchemaError, match="a column of boxes"):
        plain.convert_boxes("xyxy")
    ds = detection(BoxFeature(), (1, 2, 3, 4))
    with pytest.raises(ArgumentError, match="cxcywh"):
        ds.convert_boxes("yolo")  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="`width` and `height`"):
        ds.convert_boxes("xyxy", relative=True)


def test_transforms_that_move_objects_are_refused() -> None:
    """Resizing keeps boxes right if they are fractions, and cropping never does."""
    image = np.zeros((2, 8, 8, 3), np.uint8)
    ds = detection(BoxFeature(), (1, 2, 3, 4), width=[8, 8], height=[8, 8])
    ds = ds.with_column("image", image).cast({"image": ImageFeature(shape=(8, 8, 3))})
    for transform in (RandomHorizontalFlip(), CenterCrop(4), Resize(4), CutMix(), MixUp()):
        with pytest.raises(DshubError, match=f"{type(transform).__name__}.*boxes of column obj"):
            ds.batches(2, transform=transform)
    with pytest.raises(DshubError, match="Resize"):
        ds.resize(4)
    relative = ds.convert_boxes("xyxy", relative=True)
    assert next(iter(relative.batches(2, transform=Resize(4))))["image"].shape == (2, 4, 4, 3)
    assert relative.resize((4, 4))["image"].shape == (2, 4, 4, 3)
    with pytest.raises(DshubError, match="CenterCrop"):
        relative.batches(2, transform=CenterCrop(4))
    assert next(iter(ds.batches(2, transform=ToFloat())))["image"].dtype == np.float32
    without = ds.without(["objects"]).batches(2, transform=CenterCrop(4))
    assert next(iter(without))["image"].shape == (2, 4, 4, 3)


@pytest.mark.parametrize("package", ["torchvision.transforms", "torchvision.transforms.v2"])
def test_geometric_transforms_of_torchvision_are_refused(package: str) -> None:
    transforms = pytest.importorskip(package)
    ds = detection(BoxFeature(), (1, 2, 3, 4))
    ds = ds.with_column("image", np.zeros((2, 8, 8, 3), np.uint8))
    ds = ds.cast({"image": ImageFeature(shape=(8, 8, 3))})
    crop = transforms.Compose([transforms.RandomCrop(4)])
    with pytest.raises(DshubError, match="boxes"):
        ds.batches(2, transform=crop)
    gray = transforms.Compose([transforms.Grayscale()])
    assert next(iter(ds.batches(2, transform=gray)))["image"].shape == (2, 8, 8, 1)


def test_functions_can_change_boxes() -> None:
    """The format of the boxes is kept, and images can have any number of them."""
    ds = detection(BoxFeature(format="xywh"), (1, 2, 3, 4))

    def double(row: dict[str, Any]) -> dict[str, Any]:
        changed = {**row["objects"], "boxes": row["objects"]["boxes"] * 2}
        return {"objects": changed, "boxes": np.concatenate([row["objects"]["boxes"]] * 2)}

    doubled = ds.map(double)
    assert doubled.features["objects"] == ds.features["objects"]
    assert doubled[0]["objects"]["boxes"].tolist() == [[2, 4, 6, 8]]
    assert doubled[1]["objects"]["boxes"].shape == (0, 4)
    boxes = doubled.cast({"boxes": ListFeature(of=BoxFeature(format="xywh"))})["boxes"]
    assert [box.tolist() for box in boxes] == [[[1, 2, 3, 4]] * 2, []]
