"""Load folders with annotations, and compare the rows with the values that were written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import BoxFeature
from dshub.errors import ArgumentError, DshubError, ReadError, SchemaError, UnknownNameError
from tests.datasets.detection_folders import SIZE, box, coco, voc, write


def objects(ds: Dataset) -> list[tuple[list[Any], list[str]]]:
    """Return the boxes and class names of each row."""
    label = ds.features["objects"].fields["labels"].of
    return [
        (row["objects"]["boxes"].tolist(), [label.str(n) for n in row["objects"]["labels"]])
        for row in ds
    ]


def form(ds: Dataset) -> BoxFeature:
    """Return the feature of the boxes."""
    feature: BoxFeature = ds.features["objects"].fields["boxes"].of
    return feature


def test_coco_with_its_own_layout(tmp_path: Path) -> None:
    """Category ids with holes become class numbers in the order of ids."""
    boxes = [box(2, 90, 1.5, 2, 10, 20), box(2, 18, 0, 0, 64, 48, iscrowd=1)]
    captions = '{"info": {}, "images": [{"id": 1, "file_name": "b.jpg"}], "annotations": ['
    write(
        tmp_path,
        {
            "train2017/a.jpg": None,
            "train2017/b.jpg": None,
            "train2017/unlisted.jpg": None,
            "val2017/c.jpg": None,
            "annotations/instances_train2017.json": coco(["b.jpg", "a.jpg"], boxes),
            "annotations/captions_train2017.json": captions
            + '{"id": 7, "image_id": 1, "caption": "a cat"}]}',
            "annotations/instances_val2017.json": coco(["c.jpg"], [box(1, 1, 0, 0, 1, 1)]),
        },
    )
    ds = Dataset.from_folder(tmp_path, "train")
    assert ds.features["objects"].fields["labels"].of.names == ("person", "dog", "toothbrush")
    assert ds.features["objects"].fields["labels"].of.codes == ("1", "18", "90")
    assert objects(ds) == [([], []), ([[1.5, 2, 10, 20], [0, 0, 64, 48]], ["toothbrush", "dog"])]
    assert form(ds) == BoxFeature(format="xywh")
    assert ds[:]["captions"] == [["a cat"], []]
    assert ds["image_id"].tolist() == [1, 2]
    assert (ds[0]["width"], ds[0]["height"]) == SIZE
    assert ds[1]["objects"]["iscrowd"].tolist() == [False, True]
    assert ds.where(0).endswith("b.jpg")
    assert ds.supervised == ("image", "objects")
    assert objects(Dataset.from_folder(tmp_path, "val")) == [([[0, 0, 1, 1]], ["person"])]
    assert len(Dataset.from_folder(tmp_path, "train+validation[:1]")) == 3


def test_batches_are_what_detection_models_of_torchvision_take(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    files = {
        "1.jpg": None,
        "2.jpg": None,
        "a.json": coco(["1.jpg", "2.jpg"], [box(2, 1, 1, 2, 3, 4)]),
    }
    ds = Dataset.from_folder(write(tmp_path, files)).convert_boxes("xyxy")
    _, targets = next(iter(ds.batches(2, supervised=True).torch()))
    assert targets[0]["boxes"].shape == (0, 4)
    assert torch.equal(targets[1]["boxes"], torch.tensor([[1.0, 2.0, 4.0, 6.0]]))
    assert targets[1]["labels"].dtype == torch.int64


def test_coco_as_exported_by_roboflow(tmp_path: Path) -> None:
    """The first category is only the parent of the others."""
    root = {"id": 0, "name": "pets", "supercategory": "none"}
    pets = [root, {"id": 1, "name": "cat", "supercategory": "pets"}]
    files: dict[str, str | None] = {"README.dataset.txt": "pets"}
    for split in ("train", "valid"):
        files[f"{split}/1.jpg"] = None
        files[f"{split}/_annotations.coco.json"] = coco(["1.jpg"], [box(1, 1, 0, 0, 1, 1)], pets)
    write(tmp_path, files)
    with pytest.warns(UserWarning, match="skipped the class 'pets'"):
        ds = Dataset.from_folder(tmp_path, "valid")
    assert objects(ds) == [([[0, 0, 1, 1]], ["cat"])]
    used = coco(["1.jpg"], [box(1, 0, 0, 0, 1, 1)], pets)
    write(tmp_path, {"train/_annotations.coco.json": used})
    assert objects(Dataset.from_folder(tmp_path, "train")) == [([[0, 0, 1, 1]], ["pets"])]


def test_images_that_coco_lists_but_that_are_missing_are_reported(tmp_path: Path) -> None:
    files = {"images/1.jpg": None, "a.json": coco(["images/1.jpg", "images/2.jpg"], [])}
    with pytest.warns(UserWarning, match=r"skipped 1 of 2 images of a\.json.*images/2\.jpg"):
        ds = Dataset.from_folder(write(tmp_path, files))
    assert ds["image_id"].tolist() == [1]


def test_split_without_any_of_its_images_is_left_out(tmp_path: Path) -> None:
    files = {
        "val/1.jpg": None,
        "instances_val.json": coco(["1.jpg"], []),
        "instances_train.json": coco(["7.jpg"], []),
    }
    write(tmp_path, files)
    with pytest.warns(UserWarning, match="none of its images"):
        assert len(Dataset.from_folder(tmp_path, "val")) == 1
    with pytest.raises(UnknownNameError, match="train"):
        Dataset.from_folder(tmp_path, "train")


def test_several_annotation_files_of_a_split_are_a_question(tmp_path: Path) -> None:
    files = {"1.jpg": None, "a.json": coco(["1.jpg"], []), "b.json": coco(["1.jpg"], [])}
    with pytest.raises(DshubError, match=r"a\.json, b\.json") as caught:
        Dataset.from_folder(write(tmp_path, files))
    assert "keep one" in caught.value.hint


def test_voc_with_image_sets(tmp_path: Path) -> None:
    """Lists of a class and the union of train and val are not splits."""
    base = "VOCdevkit/VOC2007"
    files: dict[str, str | None] = {}
    for number in range(4):
        files[f"{base}/JPEGImages/00{number}.jpg"] = None
        files[f"{base}/Annotations/00{number}.xml"] = voc(("dog", (1, 2, 64, number + 10)))
    sets = {"train": "002\n000\n", "val": "001\n", "trainval": "000\n001\n002\n", "test": "003\n"}
    files |= {f"{base}/ImageSets/Main/{name}.txt": text for name, text in sets.items()}
    files[f"{base}/ImageSets/Main/dog_train.txt"] = "000  1\n002 -1\n"
    write(tmp_path, files)
    ds = Dataset.from_folder(tmp_path, "train")
    assert objects(ds) == [([[1, 2, 64, 12]], ["dog"]), ([[1, 2, 64, 10]], ["dog"])]
    assert form(ds) == BoxFeature(format="xyxy")
    assert [len(Dataset.from_folder(tmp_path, name)) for name in ("val", "test")] == [1, 1]


def test_voc_beside_images_in_folders_of_splits(tmp_path: Path) -> None:
    """Classes of all splits are numbered together."""
    files = {
        "train/1.jpg": None,
        "train/1.xml": voc(("zebra", (1, 1, 2, 2))),
        "valid/1.jpg": None,
        "valid/1.xml": voc(("ant", (3, 3, 4, 4))),
    }
    write(tmp_path, files)
    for split, name in (("train", "zebra"), ("valid", "ant")):
        ds = Dataset.from_folder(tmp_path, split)
        assert ds.features["objects"].fields["labels"].of.names == ("ant", "zebra")
        assert objects(ds)[0][1] == [name]


def test_images_without_a_file_of_annotations_have_no_objects(tmp_path: Path) -> None:
    """Their size is unknown, so no row has columns of it."""
    files: dict[str, str | None] = {"images/1.png": None, "images/2.png": None}
    files |= {"annotations/2.xml": voc(("dog", (1, 1, 2, 2))), "annotations/9.xml": voc()}
    with pytest.warns(UserWarning, match=r"1 annotations without an image: annotations/9\.xml"):
        ds = Dataset.from_folder(write(tmp_path, files))
    assert objects(ds) == [([], []), ([[1, 1, 2, 2]], ["dog"])]
    assert list(ds.features) == ["image", "objects"]


@pytest.mark.parametrize("pattern", ["images/{split}/{n}.jpg", "{split}/images/{n}.jpg"])
def test_yolo_as_ultralytics_and_roboflow_lay_it_out(tmp_path: Path, pattern: str) -> None:
    files: dict[str, str | None] = {"data.yaml": "nc: 2\nnames:\n  0: person\n  1: bicycle\n"}
    for split, text in (("train", "1 0.5 0.5 0.25 0.125\n"), ("val", "")):
        image = pattern.format(split=split, n=1)
        files |= {image: None, image.replace("images", "labels").replace("jpg", "txt"): text}
    files[pattern.format(split="train", n=2)] = None  # without labels
    write(tmp_path, files)
    ds = Dataset.from_folder(tmp_path, "train")
    assert form(ds) == BoxFeature(format="cxcywh", relative=True)
    assert objects(ds) == [([[0.5, 0.5, 0.25, 0.125]], ["bicycle"]), ([], [])]
    assert objects(Dataset.from_folder(tmp_path, "validation")) == [([], [])]


def test_labels_of_one_split_are_never_those_of_another(tmp_path: Path) -> None:
    files = {"data.yaml": "names: [a]", "train/images/1.jpg": None, "test/images/1.jpg": None}
    files["train/labels/1.txt"] = "0 0.5 0.5 0.1 0.1"
    write(tmp_path, files)
    assert objects(Dataset.from_folder(tmp_path, "test")) == [([], [])]


def test_yolo_as_darknet_lays_it_out(tmp_path: Path) -> None:
    """Files list the images of each split."""
    files: dict[str, str | None] = {f"obj_train_data/{n}.jpg": None for n in range(3)}
    files |= {f"obj_train_data/{n}.txt": f"{n} 0.5 0.5 0.1 0.1" for n in range(3)}
    files |= {"obj.names": "a\nb\nc\n", "train.txt": "data/obj_train_data/2.jpg\n"}
    write(tmp_path, files | {"valid.txt": "data/obj_train_data/1.jpg\n"})
    assert objects(Dataset.from_folder(tmp_path, "train"))[0][1] == ["c"]
    assert objects(Dataset.from_folder(tmp_path, "val"))[0][1] == ["b"]


def test_yolo_without_class_names_has_numbers(tmp_path: Path) -> None:
    files = {"1.jpg": None, "1.txt": "3 0.5 0.5 0.1 0.1\n"}
    with pytest.warns(UserWarning, match=r"add classes\.txt"):
        ds = Dataset.from_folder(write(tmp_path, files))
    assert objects(ds)[0][1] == ["3"]
    write(tmp_path, {"classes.txt": "cat\ndog\n"})
    with pytest.raises(SchemaError, match="class 3"):
        Dataset.from_folder(tmp_path)


def test_keypoints_of_yolo_have_the_stated_shape(tmp_path: Path) -> None:
    files = {"1.jpg": None, "1.txt": "0 0.5 0.5 1 1 0.25 0.5 2 0.75 1 0\n"}
    files["data.yaml"] = "kpt_shape: [2, 3]\nnames: [person]\n"
    ds = Dataset.from_folder(write(tmp_path, files))
    points = ds[0]["objects"]["keypoints"]
    np.testing.assert_array_equal(points, [[[0.25, 0.5, 2], [0.75, 1, 0]]])


def test_captions_are_not_labels(tmp_path: Path) -> None:
    files = {"1.jpg": None, "2.jpg": None, "1.txt": "0 cats", "2.txt": "12 dogs on a bed"}
    assert list(Dataset.from_folder(write(tmp_path, files)).features) == ["image", "text"]


def test_unusual_boxes_are_kept_and_counted(tmp_path: Path) -> None:
    files = {
        "1.jpg": None,
        "a.json": coco(["1.jpg"], [box(1, 1, 0, 0, 0, 5), box(1, 1, 60, 0, 9, 9)]),
    }
    with pytest.warns(UserWarning, match="1 of 2 boxes") as caught:
        ds = Dataset.from_folder(write(tmp_path, files))
    assert len(ds[0]["objects"]["boxes"]) == 2
    messages = [str(warning.message) for warning in caught]
    assert any("1 of 2 boxes have no area" in text for text in messages)
    assert any("1 of 2 boxes reach outside their image" in text for text in messages)


def test_splits_must_be_chosen_and_exist(tmp_path: Path) -> None:
    files = {"train/1.jpg": None, "train/1.xml": voc(), "valid/2.jpg": None, "valid/2.xml": voc()}
    write(tmp_path, files)
    with pytest.raises(ArgumentError, match="train, validation"):
        Dataset.from_folder(tmp_path)
    with pytest.raises(UnknownNameError, match="test"):
        Dataset.from_folder(tmp_path, "test")


def test_damaged_annotations_name_the_file(tmp_path: Path) -> None:
    write(tmp_path, {"1.jpg": None, "2.jpg": None, "1.xml": voc(), "2.xml": voc()[:-9]})
    with pytest.raises(ReadError, match=r"2\.xml"):
        Dataset.from_folder(tmp_path)


def test_fingerprint_covers_the_annotations(tmp_path: Path) -> None:
    write(tmp_path, {"1.jpg": None, "1.xml": voc(("dog", (1, 1, 2, 2)))})
    before = Dataset.from_folder(tmp_path).fingerprint
    write(tmp_path, {"1.xml": voc(("dog", (1, 1, 2, 22)))})
    assert Dataset.from_folder(tmp_path).fingerprint != before


def test_files_that_macos_and_a_nas_add_are_ignored(tmp_path: Path) -> None:
    files = {"_data/1.jpg": None, "_data/1.txt": "0 0.5 0.5 0.1 0.1", "classes.txt": "a"}
    junk = {"__MACOSX/_data/1.jpg": "x", "@eaDir/1.jpg": "x", "_data/._1.txt": "x"}
    ds = Dataset.from_folder(write(tmp_path, files | junk))
    assert objects(ds) == [([pytest.approx([0.5, 0.5, 0.1, 0.1])], ["a"])]
