import hashlib
import sys
import tomllib
from pathlib import Path

import pytest

from dshub.catalog.manifest import CHUNK
from dshub.errors import ManifestError, MissingExtraError
from dshub.publishing.measuring import file_name, file_names, measure, write_checksums

pytest.importorskip("tomlkit")

MANIFEST = """# own dataset
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
chunks = ["outdated"]  # of 16 MiB
size = 3

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
    """Write a manifest with an outdated checksum."""
    path = tmp_path / "1.0.0.toml"
    path.write_text(MANIFEST)
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a file slightly longer than four chunks."""
    path = tmp_path_factory.mktemp("large") / "file"
    path.write_bytes(bytes(range(251)) * (4 * CHUNK // 251 + 9))
    return path


def test_large_file_has_a_checksum_for_each_chunk(large: Path) -> None:
    data, reads = large.read_bytes(), list[int]()
    measured = measure(large, advance=reads.append)
    chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    assert measured.chunks == tuple(hashlib.sha256(chunk).hexdigest() for chunk in chunks)
    assert measured.sha256 == hashlib.sha256(data).hexdigest()
    assert sum(reads) == measured.size == len(data)


def test_chunks_are_updated_in_place(manifest: Path, large: Path, tmp_path: Path) -> None:
    assert write_checksums(manifest, {"labels": measure(large)}) == ["labels"]
    labels = tomllib.loads(manifest.read_text())["resources"]["labels"]
    assert list(labels) == ["urls", "sha256", "chunks", "size"]
    assert tuple(labels["chunks"]) == measure(large).chunks
    (tmp_path / "small").write_bytes(b"some bytes")
    small = {"labels": measure(tmp_path / "small")}
    assert write_checksums(manifest, small) == ["labels"]
    assert "chunks" not in tomllib.loads(manifest.read_text())["resources"]["labels"]
    assert write_checksums(manifest, small) == []


@pytest.mark.parametrize("text", ["[[[", "resources = 3", "[resources]\nlabels = 3"])
def test_invalid_manifest_names_the_file(manifest: Path, text: str) -> None:
    manifest.write_text(text)
    with pytest.raises(ManifestError, match=r"1\.0\.0\.toml"):
        file_names(manifest)


def test_file_name_is_stated_or_the_end_of_the_first_url() -> None:
    assert file_name({"urls": ["https://data.example/a%20b.gz?x=1", "https://other"]}) == "a b.gz"
    assert file_name({"filename": "c", "urls": ["https://data.example/a"]}) == "c"
    assert file_name({}) == ""


def test_missing_tomlkit_names_the_extra(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tomlkit", None)
    with pytest.raises(MissingExtraError, match=r"tomlkit"):
        write_checksums(manifest, {})
