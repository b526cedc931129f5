"""Test files of other formats than their column, which upstream archives contain."""

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from dshub import Hub
from dshub.catalog.features import Feature, ImageFeature, MaskFeature, TextFeature
from dshub.hub.verification import verify
from dshub.progress import Silent
from dshub.settings import Settings
from dshub.tables.encodings import other_formats, sentences
from tests.loading.decoding.examples import encode, smooth

COLOR = Image.fromarray(smooth(12, 16))


def test_files_are_counted_by_format() -> None:
    forms = ["JPEG", "PNG", "PNG", "GIF", "TIFF", "PPM", "JPEG2000"]
    files = pa.array([*(encode(COLOR, form) for form in forms), None])
    features: dict[str, Feature] = {
        "image": ImageFeature(encoding="jpeg"),
        "mask": MaskFeature(encoding="png"),
        "other": ImageFeature(encoding="any"),
        "text": TextFeature(),
    }
    counts = other_formats([(name, files) for name in features], features)
    assert counts["image", "PNG"] == 2
    assert counts["image", "of other formats"] == 2
    assert sum(counts.values()) == 6 + 5
    assert list(sentences(counts, features)) == [
        "column image: 1 GIF, 2 PNG, 1 TIFF, 2 of other formats among the JPEG files",
        "column mask: 1 GIF, 1 JPEG, 1 TIFF, 2 of other formats among the PNG files",
    ]
    assert not other_formats([("image", files[:1])], features)


MANIFEST = """
schema = 1
name = "odd"
version = "1.0.0"
title = "Odd"
summary = "JPEG files, and others with the same extension."
task = "unknown"
homepage = "https://example.org"
[license]
redistribution = "yes"
[resources.files]
filename = "files.tar"
size = {size}
sha256 = "{sha256}"
[features.image]
kind = "image"
encoding = "jpeg"
[splits.train]
rows = {rows}
reader = {{ format = "folder", path = "{{name}}.jpg" }}
files = {{ image = "files:*.jpg" }}
"""


@pytest.fixture
def odd(tmp_path: Path) -> tuple[Path, list[bytes]]:
    """Return a manifest, and its files of several formats, all named .jpg."""
    forms = ["JPEG", "PNG", "GIF", "PPM", "JPEG"]
    files = [encode(COLOR, form) for form in forms]
    with tarfile.open(tmp_path / "files.tar", "w") as archive:
        for number, data in enumerate(files):
            member = tarfile.TarInfo(f"{number}.jpg")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    tar = (tmp_path / "files.tar").read_bytes()
    facts = {"size": len(tar), "sha256": hashlib.sha256(tar).hexdigest(), "rows": len(files)}
    path = tmp_path / "odd.toml"
    path.write_text(MANIFEST.format(**facts))
    return path, files


def test_files_of_other_formats_are_kept_counted_and_decoded(
    odd: tuple[Path, list[bytes]], cache: Path
) -> None:
    path, files = odd
    said: list[str] = []

    class Noted(Silent):
        def say(self, text: str) -> None:
            said.append(text)

    hub = Hub(settings=Settings.read(cache=cache), progress=Noted())
    hub.import_files(str(path), [path.with_name("files.tar")])
    dataset = hub.load(str(path), split="train")
    sentence = "column image: 1 GIF, 1 PNG, 1 of other formats among the JPEG files"
    assert said == [f"odd train, {sentence}"]
    assert list(dataset.decode(on=False)["image"]) == files
    for row, data in zip(dataset, files, strict=True):
        with Image.open(io.BytesIO(data)) as image:
            assert np.abs(row["image"].astype(int) - np.asarray(image.convert("RGB"))).max() <= 2
    (batch,) = dataset.batches(len(files), decoder="auto")
    assert [image.shape for image in batch["image"]] == [(12, 16, 3)] * len(files)
    findings = {item.thing: item.detail for item in verify(hub.info(str(path)), hub.store)}
    assert findings["formats of train"] == sentence
