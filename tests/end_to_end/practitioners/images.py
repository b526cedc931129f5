"""Images: class folders, zips, tables and captions beside images, masks, odd files.

31. class folders in train, val and test
32. zip of class folders from a Mac, with `__MACOSX` and `.DS_Store`
33. Kaggle: images, train.csv with ids without ending, and sample_submission.csv
34. Hugging Face: metadata.csv in each split
35. captions in .txt files beside the images
36. photographs as they come: gray, CMYK, rotated, a PNG named .jpg
37. classes named by numbers
38. pairs of images and masks with a palette
39. Pascal VOC segmentation with ImageSets
40. 16-bit images
41. classes of float images
42. an empty class folder, notebook checkpoints and thumbnails of a NAS
43. images without classes
44. a class folder named `train`
45. several captions per image (Flickr8k)
46. several tags per image
47. images of several sizes, and one damaged file
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.end_to_end.practitioners.case import Case, Solid, from_
from tests.end_to_end.practitioners.files import (
    array_file,
    both,
    encoded,
    palette,
    solid,
    text,
    tree,
)

SIZE = (6, 8)
RED, GREEN, BLUE = (200, 0, 0), (0, 180, 0), (0, 0, 160)
MASKS = [[[0, 1], [15, 255]], [[2, 2], [0, 0]]]


def png(color: tuple[int, ...] = RED) -> bytes:
    return solid(SIZE, color)


def split_of(*names: str) -> Any:
    """Return a function that opens splits of a folder."""
    return lambda folder: {name: from_.from_folder(folder, name) for name in names}


def mac_zip(folder: Path) -> None:
    """Write a zip as the Finder does."""
    with zipfile.ZipFile(folder / "pets.zip", "w") as archive:
        for name, color in (("cat/1.png", RED), ("dog/2.png", GREEN)):
            archive.writestr(f"pets/{name}", png(color))
            archive.writestr(f"__MACOSX/pets/{name.replace('/', '/._')}", b"\0\5\x16\7" + bytes(60))
        archive.writestr("pets/.DS_Store", b"\0\0\0\1Bud1")


def rotated() -> bytes:
    """Return a JPEG file of 8x6 that is shown as 6x8."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.new("RGB", (6, 8), RED), "JPEG", exif=exif, quality=95)


def cmyk() -> bytes:
    return encoded(Image.new("RGB", (8, 6), BLUE).convert("CMYK"), "JPEG", quality=95)


def sixteen(value: int) -> bytes:
    return array_file(np.full((2, 3), value), "uint16")


def float_image(value: float) -> bytes:
    return array_file(np.full((2, 3), value), "float32", "TIFF")


def damaged() -> bytes:
    data = io.BytesIO(encoded(Image.effect_noise((64, 64), 50), "JPEG")).getvalue()
    return data[: len(data) // 2]


PETS: Any = {
    "train": {"image": [Solid(SIZE, RED), Solid(SIZE, GREEN)], "label": ["cat", "dog"]},
    "validation": {"image": [Solid(SIZE, BLUE)], "label": ["dog"]},
    "test": {"image": [Solid(SIZE, RED)], "label": ["cat"]},
}
MASKED: Any = {"train": {"image": [Solid((2, 2), RED), Solid((2, 2), GREEN)], "mask": MASKS}}

CASES = [
    Case(
        "class folders in train, val and test",
        tree(
            {
                "train/cat/1.png": png(),
                "train/dog/1.png": png(GREEN),
                "val/dog/1.png": png(BLUE),
                "test/cat/1.png": png(),
            }
        ),
        PETS,
        opened=split_of("train", "validation", "test"),
    ),
    Case(
        "zip of class folders from a Mac",
        mac_zip,
        {"train": PETS["train"]},
        ("{}/pets.zip",),
    ),
    Case(
        "Kaggle: images, train.csv with ids without ending, and sample_submission.csv",
        both(
            tree({"train/a1.png": png(), "train/b2.png": png(GREEN), "test/c3.png": png(BLUE)}),
            text("train.csv", "id,breed", "a1,pug", "b2,husky"),
            text("sample_submission.csv", "id,husky,pug", "c3,0.5,0.5"),
        ),
        {
            "train": {
                "id": ["a1", "b2"],
                "image": [Solid(SIZE, RED), Solid(SIZE, GREEN)],
                "breed": ["pug", "husky"],
            },
        },
        opened=split_of("train"),
        asks="skipped files without a row in a table: test/c3.png",
    ),
    Case(
        "Hugging Face: metadata.csv in each split",
        both(
            tree({"train/1.png": png(), "train/2.png": png(GREEN), "test/3.png": png(BLUE)}),
            text("train/metadata.csv", "file_name,age,note", "1.png,3,a", "2.png,,b"),
            text("test/metadata.csv", "file_name,age,note", "3.png,5,c"),
        ),
        {
            "train": {
                "image": [Solid(SIZE, RED), Solid(SIZE, GREEN)],
                "age": [3, None],
                "note": ["a", "b"],
            },
            "test": {"image": [Solid(SIZE, BLUE)], "age": [5], "note": ["c"]},
        },
        opened=split_of("train", "test"),
    ),
    Case(
        "captions in .txt files beside the images",
        tree({"1.png": png(), "1.txt": "a red one\n", "2.png": png(GREEN), "2.txt": "größer"}),
        {"train": {"image": [Solid(SIZE, RED), Solid(SIZE, GREEN)]}},
        opened=from_.from_folder,
        elsewhere={
            "train": {
                "image": [Solid(SIZE, RED), Solid(SIZE, GREEN)],
                "text": ["a red one", "größer"],
            }
        },
        asks="left out 2 captions",
    ),
    Case(
        "photographs as they come: gray, CMYK, rotated, a PNG named .jpg",
        tree(
            {
                "a/1.jpg": solid(SIZE, 90, "JPEG", "L"),
                "a/2.jpg": cmyk,
                "b/1.jpg": rotated,
                "b/2.jpg": png(GREEN),
            }
        ),
        {
            "train": {
                "image": [
                    Solid(SIZE, (90,) * 3, 2),
                    Solid(SIZE, BLUE, 4),
                    Solid(SIZE, RED, 4),
                    Solid(SIZE, GREEN),
                ],
                "label": ["a", "a", "b", "b"],
            }
        },
        opened=from_.from_folder,
    ),
    Case(
        "classes named by numbers",
        tree({f"{number}/x.png": png((number, 0, 0)) for number in (10, 2, 0, 1)}),
        {
            "train": {
                "image": [Solid(SIZE, (number, 0, 0)) for number in (0, 1, 10, 2)],
                "label": ["0", "1", "10", "2"],
            }
        },
        classes={"label": ("0", "1", "2", "10")},
        opened=from_.from_folder,
    ),
    Case(
        "pairs of images and masks with a palette",
        tree(
            {
                "images/a.png": solid((2, 2), RED),
                "images/b.png": solid((2, 2), GREEN),
                "masks/a.png": palette(MASKS[0]),
                "masks/b.png": palette(MASKS[1]),
            }
        ),
        MASKED,
        opened=from_.from_folder,
    ),
    Case(
        "Pascal VOC segmentation with ImageSets",
        both(
            tree(
                {
                    "JPEGImages/a.jpg": solid((2, 2), RED),
                    "JPEGImages/b.jpg": solid((2, 2), GREEN),
                    "SegmentationClass/a.png": palette(MASKS[0]),
                    "SegmentationClass/b.png": palette(MASKS[1]),
                }
            ),
            text("ImageSets/Segmentation/train.txt", "a"),
            text("ImageSets/Segmentation/val.txt", "b"),
        ),
        {
            "train": {"image": [Solid((2, 2), RED)], "mask": MASKS[:1]},
            "validation": {"image": [Solid((2, 2), GREEN)], "mask": MASKS[1:]},
        },
        opened=split_of("train", "validation"),
    ),
    Case(
        "16-bit images",
        tree({"low/1.png": lambda: sixteen(300), "high/1.png": lambda: sixteen(65_000)}),
        {
            "train": {
                "image": [Solid((2, 3), (65_000,)), Solid((2, 3), (300,))],
                "label": ["high", "low"],
            }
        },
        opened=from_.from_folder,
    ),
    Case(
        "classes of float images",
        tree({"dry/1.tif": lambda: float_image(-40), "wet/1.tif": lambda: float_image(7000)}),
        {
            "train": {
                "image": [Solid((2, 3), (-40,)), Solid((2, 3), (7000,))],
                "label": ["dry", "wet"],
            }
        },
        opened=from_.from_folder,
    ),
    Case(
        "an empty class folder, notebook checkpoints and thumbnails of a NAS",
        both(
            tree(
                {
                    "cat/1.png": png(),
                    "dog/1.png": png(GREEN),
                    "dog/.ipynb_checkpoints/1-checkpoint.png": png(BLUE),
                    "cat/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg": png(BLUE),
                    "Thumbs.db": b"\xd0\xcf\x11\xe0",
                }
            ),
            lambda folder: (folder / "bird").mkdir(),
        ),
        {"train": {"image": [Solid(SIZE, RED), Solid(SIZE, GREEN)], "label": ["cat", "dog"]}},
        opened=from_.from_folder,
        asks="bird",
    ),
    Case(
        "images without classes",
        tree({"faces/1.png": png(), "faces/2.png": png(GREEN)}),
        {"train": {"image": [Solid(SIZE, RED), Solid(SIZE, GREEN)]}},
        opened=from_.from_folder,
    ),
    Case(
        "a class folder named train",
        tree({"car/1.png": png(), "plane/1.png": png(GREEN), "train/1.png": png(BLUE)}),
        {
            "train": {
                "image": [Solid(SIZE, RED), Solid(SIZE, GREEN), Solid(SIZE, BLUE)],
                "label": ["car", "plane", "train"],
            }
        },
        opened=from_.from_folder,
        asks="train",
    ),
    Case(
        "several captions per image (Flickr8k)",
        both(
            tree({"Images/1.jpg": png(), "Images/2.jpg": png(GREEN)}),
            text("captions.txt", "image,caption", "1.jpg,a dog", "1.jpg,a red dog", "2.jpg,a frog"),
        ),
        {
            "train": {
                "image": [Solid(SIZE, RED), Solid(SIZE, RED), Solid(SIZE, GREEN)],
                "caption": ["a dog", "a red dog", "a frog"],
            }
        },
        opened=from_.from_folder,
    ),
    Case(
        "several tags per image",
        both(
            tree({"images/1.png": png(), "images/2.png": png(GREEN)}),
            text("tags.csv", "image_name,tags", "1,haze primary", "2,clear"),
        ),
        {
            "train": {
                "image": [Solid(SIZE, RED), Solid(SIZE, GREEN)],
                "tags": ["haze primary", "clear"],
                "image_name": [1, 2],
            }
        },
        opened=from_.from_folder,
    ),
    Case(
        "images of several sizes, and one damaged file",
        tree({"a/1.jpg": png(), "a/2.jpg": solid((3, 3), GREEN), "b/1.jpg": damaged}),
        refused="b/1.jpg",
    ),
]
