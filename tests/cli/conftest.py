"""Run the command line in subprocesses on a registry of tiny datasets."""

import hashlib
import struct
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from dshub.mirrors.serve.server import serving
from tests.commandline import run_dshub

Run = Callable[..., subprocess.CompletedProcess[str]]

MANIFEST = """
schema = 1
name = "{name}"
version = "1.0.0"
title = "Tiny"
summary = "Three images."
task = "image-classification"
homepage = "https://data.example/"
supervised = ["image", "label"]

[resources.images]
urls = ["{url}/images.idx"]
sha256 = "{images}"
size = 28

[resources.labels]
urls = ["{url}/labels-{member}.idx"]
sha256 = "{labels}"
size = 11

[features.image]
kind = "image"
shape = [2, 2, 1]

[features.label]
kind = "label"
names = ["cat", "dog"]

[splits.train]
rows = 3
reader = {{ format = "idx" }}
files = {{ image = "images", label = "labels" }}
"""


@pytest.fixture
def dshub(tmp_path: Path) -> Run:
    """Return a function that runs the command in a subprocess and fails on any traceback."""
    folder = tmp_path / "work"
    folder.mkdir()
    return partial(run_dshub, folder)


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """Write the upstream files of two datasets that share an image file."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    images = struct.pack(">HBB3I", 0, 8, 3, 3, 2, 2) + bytes(range(12))
    (folder / "images.idx").write_bytes(images)
    for member, labels in {"one": b"\0\1\0", "two": b"\1\1\0"}.items():
        (folder / f"labels-{member}.idx").write_bytes(struct.pack(">HBBI", 0, 8, 1, 3) + labels)
    return folder


@pytest.fixture
def registry(upstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write a registry with `tiny/one` and `tiny/two` and serve their files locally."""
    with serving(upstream) as url:
        for member in ("one", "two"):
            sums = {
                key: hashlib.sha256((upstream / file).read_bytes()).hexdigest()
                for key, file in {"images": "images.idx", "labels": f"labels-{member}.idx"}.items()
            }
            text = MANIFEST.format(name=f"tiny/{member}", member=member, url=url, **sums)
            path = tmp_path / "registry" / "tiny" / member / "1.0.0.toml"
            path.parent.mkdir(parents=True)
            path.write_text(text)
        monkeypatch.setenv("DSHUB_REGISTRY", str(tmp_path / "registry"))
        yield tmp_path / "registry"
