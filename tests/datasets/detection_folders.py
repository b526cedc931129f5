"""Write folders of images with annotations, from stated values."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

SIZE = (64, 48)  # width and height of the images
CATEGORIES = [
    {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
    {"id": 1, "name": "person", "supercategory": "person"},
    {"id": 18, "name": "dog", "supercategory": "animal"},
]


def write(root: Path, files: Mapping[str, str | None]) -> Path:
    """Write files by path below a folder; None writes an image."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            Image.new("RGB", SIZE, (len(name), 0, 0)).save(path)
        else:
            path.write_text(text, encoding="utf-8")
    return root


def coco(
    names: Sequence[str], annotations: Sequence[Mapping[str, Any]], categories: Any = CATEGORIES
) -> str:
    """Return a file of annotations; image ids are 1, 2, 3, …"""
    images = [
        {"id": i, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
        for i, name in enumerate(names, 1)
    ]
    numbered = [{"id": i} | dict(item) for i, item in enumerate(annotations)]
    content = {"images": images, "annotations": numbered, "categories": categories}
    return json.dumps({"info": {"year": 2017}} | content)


def box(image: int, category: int, *numbers: float, **fields: Any) -> dict[str, Any]:
    """Return an annotation in the format of COCO."""
    return {"image_id": image, "category_id": category, "bbox": numbers, "area": 1.5} | fields


def voc(*objects: tuple[str, Sequence[int]], size: bool = True) -> str:
    """Return a file of annotations in the format of Pascal VOC."""
    corners = ("xmin", "ymin", "xmax", "ymax")
    text = "".join(
        f"<object><name>{name}</name><bndbox>"
        + "".join(f"<{c}>{v}</{c}>" for c, v in zip(corners, numbers, strict=True))
        + "</bndbox></object>"
        for name, numbers in objects
    )
    stated = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height></size>" if size else ""
    return f"<annotation>{stated}{text}</annotation>"
