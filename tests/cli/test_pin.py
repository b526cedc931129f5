"""Checksums and sizes of real files, into a manifest."""

import hashlib
import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from dshub.catalog.manifest import CHUNK

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
    """A manifest whose checksum nobody knows yet."""
    path = tmp_path / "1.0.0.toml"
    path.write_text(MANIFEST)
    return path


def test_what_files_are_is_written_and_everything_else_stays(
    dshub: Run, manifest: Path, tmp_path: Path
) -> None:
    """Comments, order and layout are those of the person who wrote it."""
    folder = tmp_path / "data" / "below"
    folder.mkdir(parents=True)
    (folder / "labels one.idx").write_bytes(b"some bytes")
    sha256 = hashlib.sha256(b"some bytes").hexdigest()
    planned = dshub("pin", str(manifest), str(tmp_path / "data"), "--dry-run", "--json")
    assert json.loads(planned.stdout)["resources"]["labels"]["sha256"] == sha256
    assert manifest.read_text() == MANIFEST
    done = dshub("pin", str(manifest), str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    wanted = MANIFEST.replace('"to be filled in"\n', f'"{sha256}"\nsize = 10\n')
    assert manifest.read_text() == wanted
    again = json.loads(dshub("pin", str(manifest), str(tmp_path / "data"), "--json").stdout)
    assert again["changed"] == []
    assert dshub("check", str(manifest)).returncode == 0


def test_a_large_file_gets_a_checksum_of_each_piece(
    dshub: Run, manifest: Path, tmp_path: Path
) -> None:
    """They are those of 16 MiB each, the last one shorter, and the check accepts them."""
    data = bytes(range(251)) * (4 * CHUNK // 251 + 9)
    (tmp_path / "labels one.idx").write_bytes(data)
    done = dshub("pin", str(manifest), str(tmp_path / "labels one.idx"))
    assert done.returncode == 0, done.stderr
    found = tomllib.loads(manifest.read_text())["resources"]["labels"]
    pieces = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    assert found["chunks"] == [hashlib.sha256(piece).hexdigest() for piece in pieces]
    assert dshub("check", str(manifest)).returncode == 0


def test_what_cannot_be_pinned_changes_nothing(dshub: Run, manifest: Path, tmp_path: Path) -> None:
    """No file of that name, no TOML, other faults: an error each, and the manifest as it was."""
    (tmp_path / "other").write_bytes(b"x")
    done = dshub("pin", str(manifest), str(tmp_path / "other"))
    assert (done.returncode, "labels one.idx" in done.stderr) == (1, True)
    assert manifest.read_text() == MANIFEST
    (tmp_path / "labels one.idx").write_bytes(b"some bytes")
    for text in (MANIFEST + "\n[[[", MANIFEST.replace("rows = 3", "rows = 0"), "resources = 3"):
        manifest.write_text(text)
        done = dshub("pin", str(manifest), str(tmp_path / "labels one.idx"))
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert manifest.read_text() == text
