"""Fuzz the readers of images with annotations."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from dshub import formats
from dshub.datasets.annotation_layouts import yaml_names
from dshub.testing.readers import MemoryFile

from . import mutations
from .mutations import bytewise
from .target import Target, tried

IMAGE = b"\xff\xd8\xff"


def _reading(*options: Mapping[str, Any], member: str) -> Callable[[bytes], None]:
    """Build a target that reads each input as the annotations, and as a list, of two images."""
    readers = [formats.create(item) for item in options]
    images = [MemoryFile(name, IMAGE, name) for name in ("a/1.jpg", "b/2.jpg")]

    def run(data: bytes) -> None:
        annotations = [MemoryFile("input", data, member)]
        for reader in readers:
            for extra in ({}, {"list": [MemoryFile("list", data)]}) if member[0] == "a" else ({},):
                with tried:
                    files = {"image": images, "annotations": annotations, **extra}
                    for batch in reader.read(files):
                        batch.validate(full=True)

    return run


def _coco() -> dict[str, bytes]:
    image = {"id": 7, "file_name": "1.jpg", "width": 64, "height": 48}
    box = {"id": 1, "image_id": 7, "category_id": 18, "bbox": [1.5, 2, 3, 4], "area": 12.0}
    polygon = box | {"id": 2, "segmentation": [[0, 0, 1, 0, 1, 1.5]], "iscrowd": 0}
    crowd = box | {"id": 3, "iscrowd": 1, "segmentation": {"size": [2, 2], "counts": [1, 3]}}
    packed = box | {"id": 4, "segmentation": {"size": [2, 2], "counts": "4210"}}
    points = box | {"id": 5, "keypoints": [1, 2, 2, 3, 4, 0]}
    caption = {"id": 6, "image_id": 7, "caption": "zwölf"}
    annotations = [box, polygon, crowd, packed, points, caption]
    content = {"images": [image], "annotations": annotations, "categories": [{"id": 18}]}
    return {"all.json": json.dumps(content).encode()}


def _voc() -> dict[str, bytes]:
    corners = "<xmin>1</xmin><ymin>2.5</ymin><xmax>3</xmax><ymax>4</ymax>"
    item = f"<object><name>dog</name><difficult>1</difficult><bndbox>{corners}</bndbox></object>"
    text = f"<annotation><size><width>64</width><height>48</height></size>{item}</annotation>"
    encoded = f'<?xml version="1.0" encoding="latin-1"?>{text}'.replace("dog", "zwölf")
    bomb = f'<!DOCTYPE annotation [<!ENTITY a "{"a" * 9}">]>{text}'.replace("dog", "&a;")
    return {
        "one.xml": text.encode(),
        "latin-1.xml": encoded.encode("latin-1"),
        "entity.xml": bomb.encode(),
    }


def _yolo() -> dict[str, bytes]:
    return {
        "boxes.txt": b"0 0.5 0.5 0.25 0.125\n1 1 1e-1 .5 0\r\n",
        "polygon.txt": b"2 0.1 0.1 0.5 0.1 0.5 0.5\n",
        "keypoints.txt": b"0 0.5 0.5 1 1 0.1 0.2 2 0.3 0.4 0\n",
        "names.txt": b"a/1.jpg\n2\n",
    }


def _yaml() -> dict[str, bytes]:
    return {
        "list.yaml": b"nc: 2\nnames: ['a', \"b c\"]\n",
        "map.yaml": b"names:\n  0: a # one\n  2: 'it''s'\nx: 1\n",
        "block.yaml": b"names:\n- a\n- b, c\n",
    }


FULL = {"fields": ["area", "iscrowd", "segmentation", "rle"], "keypoints": 2, "skip_missing": True}
TARGETS = (
    Target(
        "reader-coco",
        _reading({"format": "coco"}, {"format": "coco", **FULL}, member="train.json"),
        _coco,
        mutations.json_document(),
        (b"\\ud800", b"1e999", b"-1", b"99999999999999999999"),
        1.0,
    ),
    Target(
        "reader-voc",
        _reading({"format": "voc"}, member="a/1.xml"),
        _voc,
        bytewise,
        (b"<object>", b"&#0;", b"nan", b"1e999", b"<!ENTITY"),
        0.5,
    ),
    Target(
        "reader-yolo",
        _reading({"format": "yolo"}, {"format": "yolo", "keypoints": [2, 3]}, member="a/1.txt"),
        _yolo,
        bytewise,
        (b"nan", b"1e999", b"-0", b"1_0"),
        0.5,
    ),
    Target(
        "yaml-names",
        lambda data: (yaml_names(data.decode("utf-8", "replace")), None)[1],
        _yaml,
        bytewise,
        (b"- ", b"names:", b"99999: x"),
        0.3,
    ),
)
