"""Objects in images: boxes of COCO, Pascal VOC, YOLO and Hugging Face.

67. COCO detection, with ids of categories that have holes
68. COCO captions
69. Pascal VOC, with ImageSets
70. YOLO, with data.yaml
71. exports of Roboflow: COCO in each split
72. Hugging Face: metadata.jsonl with objects
"""

import json
from typing import Any

from tests.end_to_end.practitioners.case import Case, Solid, from_
from tests.end_to_end.practitioners.files import Make, both, jsonl, solid, text, tree

SIZE = (60, 80)
RED, GREEN = (200, 0, 0), (0, 180, 0)
IMAGES: Any = {"images/1.png": solid(SIZE, RED), "images/2.png": solid(SIZE, GREEN)}
BOXES = [[10.0, 20.0, 30.0, 15.0], [0.5, 1.5, 8.0, 9.0]]


# objects are a struct of lists, as in datasets of Hugging Face
TWO = {"boxes": BOXES, "labels": ["toothbrush", "person"], "area": [450.0, 72.0]}
NONE: Any = {"boxes": [], "labels": [], "area": []}
DOG = {"boxes": [[11.0, 21.0, 40.0, 35.0]], "labels": ["dog"]}
DETECTED: Any = {
    "image": [Solid(SIZE, RED), Solid(SIZE, GREEN)],
    "image_id": [7, 8],
    "objects": [TWO, NONE],
    "width": [80, 80],
    "height": [60, 60],
}


def coco(names: list[str]) -> dict[str, Any]:
    """Return the annotations of two images; the second has none."""
    sizes = {"height": SIZE[0], "width": SIZE[1]}
    return {
        "images": [{"id": 7 + i, "file_name": name, **sizes} for i, name in enumerate(names)],
        "categories": [{"id": 1, "name": "person"}, {"id": 90, "name": "toothbrush"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 90, "bbox": BOXES[0], "area": 450.0},
            {"id": 2, "image_id": 7, "category_id": 1, "bbox": BOXES[1], "area": 72.0},
        ],
    }


def voc(name: str) -> str:
    """Return the annotation of an image with one box."""
    corners = {"xmin": 11, "ymin": 21, "xmax": 40, "ymax": 35}
    box = "".join(f"<{key}>{value}</{key}>" for key, value in corners.items())
    return (
        f"<annotation><filename>{name}.jpg</filename><size><width>80</width><height>60</height>"
        f"<depth>3</depth></size><object><name>dog</name><difficult>0</difficult><bndbox>{box}"
        "</bndbox></object></annotation>"
    )


def split_of(*names: str) -> Any:
    return lambda folder: {name: from_.from_folder(folder, name) for name in names}


def roboflow() -> Make:
    """Return a function that writes two splits with their annotations beside the images."""
    contents: dict[str, Any] = {}
    for split in ("train", "valid"):
        contents |= {f"{split}/1.png": solid(SIZE, RED), f"{split}/2.png": solid(SIZE, GREEN)}
        contents[f"{split}/_annotations.coco.json"] = json.dumps(coco(["1.png", "2.png"]))
    return tree(contents)


CASES = [
    Case(
        "COCO detection, with ids of categories that have holes",
        tree(IMAGES | {"annotations/instances_train.json": json.dumps(coco(["1.png", "2.png"]))}),
        {"train": DETECTED},
        opened=split_of("train"),
    ),
    Case(
        "COCO captions",
        tree(
            IMAGES
            | {
                "annotations/captions_train.json": json.dumps(
                    {
                        "images": [
                            {"id": 1, "file_name": "1.png"},
                            {"id": 2, "file_name": "2.png"},
                        ],
                        "annotations": [
                            {"id": 1, "image_id": 2, "caption": "green"},
                            {"id": 2, "image_id": 1, "caption": "red"},
                            {"id": 3, "image_id": 1, "caption": "a red one"},
                        ],
                    }
                )
            }
        ),
        {
            "train": {
                "image": [Solid(SIZE, RED), Solid(SIZE, GREEN)],
                "image_id": [1, 2],
                "captions": [["red", "a red one"], ["green"]],
            }
        },
        opened=split_of("train"),
    ),
    Case(
        "Pascal VOC, with ImageSets",
        both(
            tree(
                {
                    "JPEGImages/a.jpg": solid(SIZE, RED),
                    "JPEGImages/b.jpg": solid(SIZE, GREEN),
                    "Annotations/a.xml": voc("a"),
                    "Annotations/b.xml": voc("b"),
                }
            ),
            text("ImageSets/Main/train.txt", "a"),
            text("ImageSets/Main/val.txt", "b"),
        ),
        {
            "train": {
                "image": [Solid(SIZE, RED)],
                "objects": [DOG],
                "width": [80],
                "height": [60],
            },
            "validation": {
                "image": [Solid(SIZE, GREEN)],
                "objects": [DOG],
                "width": [80],
                "height": [60],
            },
        },
        opened=split_of("train", "validation"),
    ),
    Case(
        "YOLO, with data.yaml",
        both(
            tree(
                {
                    "images/train/1.png": solid(SIZE, RED),
                    "images/train/2.png": solid(SIZE, GREEN),
                    "labels/train/1.txt": "1 0.5 0.25 0.125 0.5\n0 0.25 0.5 0.5 1\n",
                }
            ),
            text("data.yaml", "path: .", "train: images/train", "names: [cat, dog]"),
        ),
        {
            "train": {
                "image": [Solid(SIZE, RED), Solid(SIZE, GREEN)],
                "objects": [
                    {
                        "boxes": [[0.5, 0.25, 0.125, 0.5], [0.25, 0.5, 0.5, 1.0]],
                        "labels": ["dog", "cat"],
                    },
                    {"boxes": [], "labels": []},
                ],
            }
        },
        opened=split_of("train"),
    ),
    Case(
        "exports of Roboflow: COCO in each split",
        roboflow(),
        {"train": DETECTED, "validation": DETECTED},
        opened=split_of("train", "validation"),
    ),
    Case(
        "Hugging Face: metadata.jsonl with objects",
        both(
            tree({"1.png": solid(SIZE, RED), "2.png": solid(SIZE, GREEN)}),
            jsonl(
                "metadata.jsonl",
                {"file_name": "1.png", "objects": {"bbox": BOXES, "categories": [1, 0]}},
                {"file_name": "2.png", "objects": {"bbox": [], "categories": []}},
            ),
        ),
        {
            "train": {
                "image": [Solid(SIZE, RED), Solid(SIZE, GREEN)],
                "objects": [
                    {"bbox": BOXES, "categories": [1, 0]},
                    {"bbox": [], "categories": []},
                ],
            }
        },
        opened=from_.from_folder,
    ),
]
