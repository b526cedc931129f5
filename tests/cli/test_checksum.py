"""Test `dshub checksum`: write checksums and sizes of files into a manifest."""

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

pytest.importorskip("tomlkit")

MANIFEST = """# my own data
schema = 1
name = "mine"
version = "1.0.0"
title = "Mine"
summary = "Labels."
task = "none"
homepage = "https://data.example"

[resources.labels]  # the file
urls = ["https://data.example/labels%20one.idx"]
sha256 = "to be filled in"

[features.label]
kind = "label"
names = ["a"]

[splits.train]
rows = 3
reader = { format = "idx" }
files = { label = "labels" }
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Write a manifest without a checksum."""
    path = tmp_path / "1.0.0.toml"
    path.write_text(MANIFEST)
    return path


def test_checksum_changes_only_checksums_and_sizes(
    dshub: Run, manifest: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "below"
    folder.mkdir(parents=True)
    (folder / "labels one.idx").write_bytes(b"some bytes")
    sha256 = hashlib.sha256(b"some bytes").hexdigest()
    planned = dshub("checksum", str(manifest), str(tmp_path / "data"), "--dry-run", "--json")
    assert json.loads(planned.stdout)["resources"]["labels"]["sha256"] == sha256
    assert manifest.read_text() == MANIFEST
    done = dshub("checksum", str(manifest), str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    expected = MANIFEST.replace('"to be filled in"\n', f'"{sha256}"\nsize = 10\n')
    assert manifest.read_text() == expected
    second = json.loads(dshub("checksum", str(manifest), str(tmp_path / "data"), "--json").stdout)
    assert second["changed"] == []
    assert dshub("check", str(manifest)).returncode == 0


def test_failed_checksum_leaves_the_manifest(dshub: Run, manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"x")
    done = dshub("checksum", str(manifest), str(tmp_path / "other"))
    assert (done.returncode, "labels one.idx" in done.stderr) == (1, True)
    assert manifest.read_text() == MANIFEST
    (tmp_path / "labels one.idx").write_bytes(b"some bytes")
    for text in (MANIFEST + "\n[[[", MANIFEST.replace("rows = 3", "rows = 0"), "resources = 3"):
        manifest.write_text(text)
        done = dshub("checksum", str(manifest), str(tmp_path / "labels one.idx"))
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert manifest.read_text() == text
