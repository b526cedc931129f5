"""A dataset of image files in archives, two of which cannot be decoded."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from dshub.catalog.features import ImageFeature, LabelFeature
from dshub.catalog.manifest import Attach, Manifest, Match, Split
from tests.manifests import make_manifest, make_resource

PHOTO = ImageFeature(encoding="any")
NAMES = [f"{label}/IMG_{i}.png" for label in ("cat", "dog") for i in range(5)]
CUT, EMPTY = "cat/IMG_3.png", "dog/IMG_4.png"  # the bad files, rows 3 and 9


def png(value: int) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(np.full((12, 16, 3), value, np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def files() -> dict[str, bytes]:
    """Return the contents of files by name; `CUT` ends early and `EMPTY` has only a signature."""
    contents = {name: png(i) for i, name in enumerate(NAMES)}
    return contents | {CUT: contents[CUT][:-30], EMPTY: png(0)[:8] + b"moved"}


def tar(prefix: str, contents: Mapping[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, data in contents.items():
            info = tarfile.TarInfo(f"{prefix}{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def in_zip(contents: Mapping[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, data in contents.items():
            archive.writestr(f"photos/{name}", data)
    return sink.getvalue()


def photos(folder: Path, images: Mapping[str, bytes] | None = None) -> Manifest:
    """Write the files of a dataset, and return its manifest.

    `train` has a file per row in a tar archive, `listed` leaves out one of them with a list, and
    `test` is a table that names files of a zip archive.
    """
    folder.mkdir(exist_ok=True)
    images = files() if images is None else images
    table = "file\n" + "".join(f"{name}\n" for name in reversed(NAMES))
    contents = {
        "images.tar": tar("train/", images),
        "images.zip": in_zip(images),
        "rows.csv": table.encode(),
        "list.csv": f"file\n{NAMES[0]}\n".encode(),
    }
    resources = {}
    for name, data in contents.items():
        path = folder / name
        path.write_bytes(data)
        resources[name.replace(".", "-")] = make_resource(data, filename=name)
    members = {"format": "folder", "path": "train/{label}/{name}.png"}
    csv = {"format": "delimited", "columns": ["file"], "header": True}
    match = Match(reader=csv, part="list", on=("file",), keep=False)
    return make_manifest(
        resources,
        name="own/photos",
        features={"image": PHOTO, "label": LabelFeature(names=("cat", "dog"))},
        splits={
            "train": Split(rows=10, reader=members, files={"image": "images-tar:train/*"}),
            "listed": Split(
                rows=9,
                reader=members,
                files={"image": "images-tar:train/*", "list": "list-csv"},
                steps=(match,),
            ),
            "test": Split(
                rows=10,
                reader=csv,
                files={"table": "rows-csv", "photos": "images-zip:photos/*"},
                steps=(Attach(part="photos", column="image", path="photos/{file}"),),
                without=("label",),
            ),
        },
    )
