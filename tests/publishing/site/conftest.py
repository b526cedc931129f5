import hashlib
import struct
from pathlib import Path

import pytest

from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest
from dshub.catalog.parsing import parse
from dshub.catalog.registry import Registry
from dshub.publishing.site.build import build

NAMES = ["mnist", "fashion-mnist", "glue", "conll2003", "speech-commands/v0.02", "iris"]
NAMES += ["imagenet-1k"]

TINY = """
schema = 1
name = "tiny"
version = "1.2.3"
title = "Tiny"
summary = "Three images."
task = "image-classification"
homepage = "https://data.example/"
supervised = ["image", "label"]

[license]
spdx = "CC-BY-NC-4.0"
source = "https://data.example/license"
redistribution = "yes"
note = "Ask before printing."

[resources.images]
urls = ["https://data.example/images.idx", "https://other.example/images.idx"]
sha256 = "{images}"
size = 28

[resources.labels]
urls = ["https://data.example/labels.idx"]
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

[[citations]]
type = "article"
key = "tiny2020"
title = "Tiny & small"
author = ["Doe, Jo"]
year = 2020
"""


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a cache that keeps synthetic rows between tests."""
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def site(shared_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a site of unprepared built-in datasets of every kind."""
    folder = tmp_path_factory.mktemp("site")
    built = build(Registry(), shared_store, folder, names=NAMES)
    assert not built.notes
    return folder


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """Create a folder with the image and label files of `tiny`."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    images = struct.pack(">HBB3I", 0, 8, 3, 3, 2, 2) + bytes(range(12))
    (folder / "images.idx").write_bytes(images)
    (folder / "labels.idx").write_bytes(struct.pack(">HBBI", 0, 8, 1, 3) + b"\0\1\0")
    return folder


@pytest.fixture
def tiny(upstream: Path) -> Manifest:
    """Return the manifest of the upstream files."""
    sums = {
        name: hashlib.sha256((upstream / f"{name}.idx").read_bytes()).hexdigest()
        for name in ("images", "labels")
    }
    return parse(TINY.format(**sums), source="tiny")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the path of the site to build."""
    return tmp_path / "pages"
