"""Test parsing manifests."""

from pathlib import Path

import pytest

from dshub.catalog.features import LabelFeature
from dshub.catalog.manifest import Manifest
from dshub.catalog.parsing import from_json, parse, read, to_json
from dshub.errors import ManifestError

GOOD = """
schema = 1
name = "tiny"
version = "1.0.0"
title = "Tiny"
summary = "Two images."
task = "image-classification"
homepage = "https://data.example/tiny"
supervised = ["image", "label"]

[resources.images]
urls = ["https://data.example/images.gz"]
sha256 = "SHA"
size = 100

[resources.labels]
urls = ["https://data.example/labels.gz"]
sha256 = "SHA"

[features.image]
kind = "image"
shape = [2, 2, 1]

[features.label]
kind = "label"
names = ["cat", "dog"]

[splits.train]
rows = 2
reader = { format = "idx" }
files = { image = "images", label = "labels" }
figures = { label-counts = [1, 1] }
""".replace("SHA", "0123456789abcdef" * 4)


def faults_of(text: str) -> list[str]:
    """Parse a faulty manifest and return its faults."""
    with pytest.raises(ManifestError) as caught:
        parse(text, source="tiny.toml")
    assert "tiny.toml" in str(caught.value)
    return [str(fault) for fault in caught.value.faults]


def test_valid_manifest_is_parsed() -> None:
    manifest = parse(GOOD, source="tiny.toml")
    label = manifest.features["label"]
    assert isinstance(label, LabelFeature)
    assert (label.int("dog"), label.str(0)) == (1, "cat")
    assert manifest.resources["images"].name == "images.gz"
    assert manifest.prepared_size() == 2 * (4 + 8)


def test_manifest_survives_json() -> None:
    manifest = parse(GOOD, source="tiny.toml")
    assert from_json(to_json(manifest)) == manifest


def test_every_fault_is_reported_with_its_line() -> None:
    broken = GOOD.replace("rows = 2", 'row = "2"').replace("size = 100", "size = -1.5")
    broken = broken.replace('kind = "label"', 'kind = "lable"').replace("schema = 1", "")
    lines = broken.splitlines()
    faults = faults_of(broken)
    assert len(faults) == 5
    for place, word in [
        ("schema", "missing"),
        ("resources.images.size", "int"),
        ("features.label.kind", "lable"),
        ("splits.train.row", "did you mean rows?"),
        ("splits.train.rows", "missing"),
    ]:
        fault = next(fault for fault in faults if f"{place}: " in fault)
        assert word in fault
    size = next(i for i, line in enumerate(lines, 1) if line.startswith("size"))
    assert any(fault.startswith(f"line {size}, resources.images.size") for fault in faults)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "tiny"', 'name = "../../etc/tiny"', "name: "),
        ('name = "tiny"', 'name = "/tiny"', "name: "),
        ('name = "tiny"', 'name = "a/b/c"', "name: "),
        ('name = "tiny"', 'name = "tiny/.."', "name: "),
        ('name = "tiny"', 'name = "Tiny"', "name: "),
        ('version = "1.0.0"', 'version = "../1"', "version: "),
        ('version = "1.0.0"', 'version = "1.0"', "version: "),
        ("[splits.train]", '[splits."../train"]', "splits.../train"),
        ("[features.image]", '[features."a/b"]', "features.a/b"),
        ("size = 100", 'size = 100\nfilename = "../x"', "plain file name"),
        ("size = 100", "size = 0", "at least 1"),
        ("size = 100", 'size = 100\nmd5 = "zz"', "32 lower-case"),
        ("size = 100", 'size = 100\ncommand = "rm"', "unknown field"),
        ("0123456789abcdef" * 4, "0123", "64 lower-case"),
        ("0123456789abcdef" * 4, "0123456789ABCDEF" * 4, "64 lower-case"),
        ("https://data.example/images.gz", "file:///etc/passwd", "http or https"),
        ("https://data.example/images.gz", "https://me:secret@data.example/x", "http or https"),
        ('image = "images"', 'image = "photos"', "not among the resources"),
        ('image = "images"', 'image = "images:../../x"', "leads out"),
        ('image = "images"', 'image = "labels"', "no split uses it"),
        ('format = "idx"', 'format = "os.system"', "not a reader"),
        ('"cat", "dog"', '"cat", "cat"', "twice"),
        ("label-counts = [1, 1]", "label-counts = [1, 2]", "adds up to 3"),
        ("label-counts = [1, 1]", "label-counts = [2]", "1 counts for 2 classes"),
        ("shape = [2, 2, 1]", "shape = [2, 2]", "height, width and channels"),
        ("rows = 2", "rows = 0", "at least 1"),
        ('supervised = ["image", "label"]', 'supervised = ["image", "y"]', "not among"),
    ],
)
def test_fault_names_its_place_and_problem(old: str, new: str, message: str) -> None:
    assert old in GOOD
    assert any(message in fault for fault in faults_of(GOOD.replace(old, new)))


def test_resource_without_a_checksum_is_refused() -> None:
    line = f'sha256 = "{"0123456789abcdef" * 4}"\n'
    assert any("needs sha256 or md5" in fault for fault in faults_of(GOOD.replace(line, "")))


@pytest.mark.parametrize(
    "data", [b"name = ", b"\xff\xfe\x00", b"a = " + b"[" * 5000, b"", b"x = 1"], ids=repr
)
def test_invalid_file_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(data)
    with pytest.raises(ManifestError, match=r"bad\.toml"):
        read(path)


def parse_changed(manifest_text: str, old: str, new: str) -> Manifest:
    assert old in manifest_text
    return parse(manifest_text.replace(old, new), source="x")


def test_digest_changes_with_anything_that_affects_rows() -> None:
    digest = parse(GOOD, source="x").digest
    for old, new in [
        ("https://data.example/images.gz", "https://other.example/images.gz"),
        ("Two images.", "Two small images."),
        ("[features.image]", '[license]\nspdx = "MIT"\n\n[features.image]'),
    ]:
        assert parse_changed(GOOD, old, new).digest == digest
    for old, new in [
        ('"cat", "dog"', '"dog", "cat"'),
        ("rows = 2\n", "rows = 3\n"),
        ("shape = [2, 2, 1]", "shape = [4, 1, 1]"),
        ("size = 100", "size = 101"),
        ('format = "idx"', 'format = "idx", transpose = ["image"]'),
    ]:
        text = GOOD.replace("figures = { label-counts = [1, 1] }", "")
        assert parse_changed(text, old, new).digest != parse(text, source="x").digest
