"""Test the features of annotations, which follow from the values of all splits."""

from pathlib import Path

from dshub import Dataset
from dshub.catalog.features import LabelFeature, ListFeature, NumberFeature
from tests.datasets.detection_folders import box, coco, write


def fields(root: Path, *annotations: dict[str, object]) -> list[str]:
    """Return the names of the fields of objects in one image."""
    write(root, {"1.jpg": None, "a.json": coco(["1.jpg"], annotations)})
    return list(Dataset.from_folder(root).features["objects"].fields)


def test_only_fields_with_values_become_features(tmp_path: Path) -> None:
    plain = box(1, 1, 0, 0, 1, 1)
    polygon = [[0, 0, 1, 0, 1, 1]]
    assert fields(tmp_path, plain) == ["boxes", "labels", "area"]
    assert fields(tmp_path, plain | {"segmentation": [], "iscrowd": 0})[3:] == []
    assert fields(tmp_path, plain | {"segmentation": polygon})[3:] == ["segmentation"]
    runs = {"size": [48, 64], "counts": [3072]}
    crowd = plain | {"iscrowd": 1, "segmentation": runs}
    assert fields(tmp_path, crowd)[3:] == ["iscrowd", "rle"]


def test_keypoints_of_categories_become_an_array(tmp_path: Path) -> None:
    person = [{"id": 1, "name": "person", "keypoints": ["nose", "eye"]}]
    annotation = box(1, 1, 0, 0, 1, 1, keypoints=[1, 2, 2, 3, 4, 0])
    write(tmp_path, {"1.jpg": None, "a.json": coco(["1.jpg"], [annotation], person)})
    ds = Dataset.from_folder(tmp_path)
    shape = NumberFeature(dtype="float32", shape=(2, 3))
    assert ds.features["objects"].fields["keypoints"] == ListFeature(of=shape)
    assert ds[0]["objects"]["keypoints"].tolist() == [[[1, 2, 2], [3, 4, 0]]]


def test_ids_of_images_that_are_not_numbers_stay_text(tmp_path: Path) -> None:
    text = coco(["1.jpg"], []).replace('"id": 1', '"id": "007"', 1)
    write(tmp_path, {"1.jpg": None, "a.json": text})
    assert Dataset.from_folder(tmp_path)["image_id"] == ["007"]


def test_files_of_captions_have_no_objects(tmp_path: Path) -> None:
    caption = {"image_id": 1, "caption": "a cat"}
    write(tmp_path, {"1.jpg": None, "captions.json": coco(["1.jpg"], [caption], [])})
    ds = Dataset.from_folder(tmp_path)
    assert "objects" not in ds.features
    assert ds[0]["captions"] == ["a cat"]
    assert ds.supervised == ("image", "captions")


def test_equal_names_of_categories_stay_distinct(tmp_path: Path) -> None:
    twice = [{"id": 1, "name": "dog"}, {"id": 2, "name": "dog"}]
    write(tmp_path, {"1.jpg": None, "a.json": coco(["1.jpg"], [box(1, 2, 0, 0, 1, 1)], twice)})
    label: LabelFeature = Dataset.from_folder(tmp_path).features["objects"].fields["labels"].of
    assert label.names == ("dog", "dog (2)")
