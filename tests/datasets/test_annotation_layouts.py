"""Test the words of paths that name splits, and class names in YAML."""

import pytest

from dshub.datasets.annotation_layouts import split_of, yaml_names


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("annotations/instances_train2017.json", "train"),
        ("annotations/image_info_test-dev2017.json", "test"),
        ("train/_annotations.coco.json", "train"),
        ("valid/labels/1.txt", "validation"),
        ("images/val/1.jpg", "validation"),
        ("VOC2007/JPEGImages/1.jpg", ""),
        ("training_set.json", "train"),
    ],
)
def test_split_of_a_path(path: str, split: str) -> None:
    assert split_of(path) == split


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("train: x\nnames: ['a', \"b c\", d]\nnc: 3\n", ("a", "b c", "d")),
        ("nc: 3\nnames:\n- a\n- b, c\n- 'it''s'\n", ("a", "b, c", "it's")),
        ("names:\n  0: a  # the first\n  # none\n  1: b\nroboflow:\n  x: 1\n", ("a", "b")),
        ("names: [\n  'a',\n  'b',\n]\n", ("a", "b")),
        ("names: {0: a, 2: c}\n", ("a", "1", "c")),
        ("names: []\n", ()),
        ("path: x\n", ()),
    ],
)
def test_class_names_are_read_in_every_style_that_tools_write(
    text: str, names: tuple[str, ...]
) -> None:
    assert yaml_names(text) == names
