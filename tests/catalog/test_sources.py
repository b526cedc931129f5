"""Folders of manifests and their indexes."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from dshub import Manifest, Registry, plugins
from dshub.catalog import index, parsing
from dshub.catalog.sources import FolderSource, PackageSource, built_in_root, encode_index
from dshub.errors import ManifestError

KMNIST = (built_in_root() / "kmnist" / "1.0.0.toml").read_text("utf-8")


class Store(dict[str, bytes]):
    """Indexes in memory."""

    def read(self, key: str) -> bytes | None:
        return self.get(key)

    def write(self, key: str, data: bytes) -> None:
        self[key] = data


@pytest.fixture(params=["settled", "recent"])
def settled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as old, so that their status is trusted; or as recent, as they are."""
    if request.param == "settled":
        monkeypatch.setattr(index, "_SETTLED", -(10**18))


def put(root: Path, name: str, version: str = "1.0.0", title: str = "Kuzushiji") -> Path:
    """Write a manifest."""
    path = root / name / f"{version}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = KMNIST.replace('name = "kmnist"', f'name = "{name}"')
    path.write_text(
        text.replace('"1.0.0"', f'"{version}"').replace("Kuzushiji-MNIST", title), "utf-8"
    )
    return path


def titles(root: Path, store: Store) -> dict[str, str]:
    """What a new process lists: name@version, and title."""
    lines = Registry([root], built_in=False, store=store).listing()
    listed = [line.whole() for line in lines]
    return {f"{item.name}@{item.version}": item.title for item in listed}


@pytest.mark.usefixtures("settled")
def test_listing_follows_every_change(tmp_path: Path) -> None:
    """New, changed and removed manifests, also a change that keeps size and time."""
    store = Store()
    first, second = put(tmp_path, "one", title="aaa"), put(tmp_path, "own/two", title="bbb")
    for _ in range(2):
        assert titles(tmp_path, store) == {"one@1.0.0": "aaa", "own/two@1.0.0": "bbb"}
    before = first.stat()
    put(tmp_path, "one", title="ccc")
    os.utime(first, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert first.stat().st_size == before.st_size
    put(tmp_path, "own/two", "1.10.0", title="ddd")
    put(tmp_path, "own/three", title="eee")
    assert titles(tmp_path, store) == {
        "one@1.0.0": "ccc",
        "own/three@1.0.0": "eee",
        "own/two@1.10.0": "ddd",
    }
    second.with_name("1.10.0.toml").unlink()
    first.unlink()
    assert titles(tmp_path, store) == {"own/three@1.0.0": "eee", "own/two@1.0.0": "bbb"}


@pytest.mark.usefixtures("settled")
def test_known_manifests_are_not_parsed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the one that changed is."""
    store = Store()
    put(tmp_path, "one"), put(tmp_path, "two")
    titles(tmp_path, store)
    parsed, parse_as = [], parsing.parse_as

    def parse(identifier: str, text: str, *, source: str) -> Manifest:
        parsed.append(identifier)
        return parse_as(identifier, text, source=source)

    monkeypatch.setattr(parsing, "parse_as", parse)
    titles(tmp_path, store)
    assert parsed == []
    put(tmp_path, "two", title="other")
    titles(tmp_path, store)
    assert parsed == ["two@1.0.0"]


@pytest.mark.usefixtures("settled")
def test_link_to_another_folder_is_followed_each_time(tmp_path: Path) -> None:
    """Also where it led nowhere before."""
    store, root = Store(), tmp_path / "root"
    put(root, "one")
    (root / "two").symlink_to(tmp_path / "elsewhere")
    assert titles(root, store).keys() == {"one@1.0.0"}
    path = put(tmp_path, "two")
    path.parent.rename(tmp_path / "elsewhere")
    assert titles(root, store).keys() == {"one@1.0.0", "two@1.0.0"}


@pytest.mark.usefixtures("settled")
def test_faulty_manifest_is_left_out_of_every_listing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning each time; once it is mended it is listed."""
    store = Store()
    put(tmp_path, "sound")
    path = put(tmp_path, "faulty")
    text = path.read_text("utf-8")
    path.write_text("schema = 1", "utf-8")
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert titles(tmp_path, store).keys() == {"sound@1.0.0"}
        assert str(path) in caplog.text
    path.write_text(text, "utf-8")
    assert titles(tmp_path, store).keys() == {"faulty@1.0.0", "sound@1.0.0"}


@pytest.mark.parametrize("kept", [b"", b"[]", b'{"a":1}', b'["0.0.0",{}]', b"\xff\xfe"])
def test_unusable_index_only_costs_time(tmp_path: Path, kept: bytes) -> None:
    """It is damaged, or another release wrote it: then all is read again."""
    put(tmp_path, "one")
    store = Store()
    titles(tmp_path, store)
    store.update(dict.fromkeys(store, kept))
    assert titles(tmp_path, store) == {"one@1.0.0": "Kuzushiji"}


@pytest.mark.parametrize("kept", [b"", b"[]", None])
def test_search_does_without_its_part_of_the_index(tmp_path: Path, kept: bytes | None) -> None:
    """It can be damaged, or older than the other part."""
    path, store = put(tmp_path, "one", title="before"), Store()

    def found(word: str) -> list[str]:
        listed = Registry([tmp_path], built_in=False, store=store).listing([word])
        return [line.name for line in listed]

    assert found("before") == found("tsu") == ["one"]
    (texts,) = (key for key in store if key.endswith(index.TEXTS))
    kept = store[texts] if kept is None else kept
    path.write_text(path.read_text("utf-8").replace("before", "after"), "utf-8")
    assert found("after") == ["one"]
    store[texts] = kept
    assert found("after") == found("tsu") == ["one"]
    assert found("before") == []


def test_shipped_index_says_what_manifests_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listing an installed dshub parses nothing, until a file differs from the wheel's."""
    path = put(tmp_path, "one", title="aaa")
    for name, data in encode_index(tmp_path).items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(index, "INSIDE", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(parsing, "parse_as", None)
        assert titles(tmp_path, Store()) == {"one@1.0.0": "aaa"}
    path.write_text(path.read_text("utf-8").replace("aaa", "bbb"), "utf-8")
    assert titles(tmp_path, Store()) == {"one@1.0.0": "bbb"}


def test_indexed_listing_imports_no_parser(tmp_path: Path) -> None:
    """Nor NumPy and Arrow: `dshub list` takes a tenth of a second."""
    code = (
        "import sys; from dshub.cli import group; group(['list'], standalone_mode=False);"
        "heavy = {'numpy', 'pyarrow', 'tomllib', 'dshub.catalog.parsing'};"
        "sys.stderr.write(' '.join(sorted(heavy & set(sys.modules))))"
    )
    environment = {**os.environ, "DSHUB_CACHE": str(tmp_path / "cache")}
    (tmp_path / "cache").mkdir()
    command = [sys.executable, "-P", "-c", code]  # no working folder among the packages
    for _ in range(2):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        assert "fashion-mnist" in done.stdout
    assert done.stderr == ""


def test_lookup_of_one_name_lists_no_other_folder(tmp_path: Path) -> None:
    """So that `load` costs the same in a registry of any size."""
    put(tmp_path, "own/one")
    put(tmp_path, "two")
    source = FolderSource([tmp_path])
    assert source.versions("own/one") == ["1.0.0"]
    assert source.manifest("two", "1.0.0").name == "two"
    assert "_all" not in vars(source)


def test_manifest_that_vanishes_after_its_lookup_is_named(tmp_path: Path) -> None:
    """As a file that cannot be read."""
    path = put(tmp_path, "one")
    source = FolderSource([tmp_path])
    assert source.versions("one") == ["1.0.0"]
    path.unlink()
    with pytest.raises(ManifestError, match="one"):
        source.manifest("one", "1.0.0")


@pytest.mark.usefixtures("settled")
def test_folder_that_is_given_twice_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has one index, which is not parsed again."""
    put(tmp_path, "one")
    store = Store()
    for _ in range(2):
        listed = Registry([tmp_path, tmp_path], built_in=False, store=store).listing()
        assert [item.name for item in listed] == ["one"]
        monkeypatch.setattr(parsing, "parse_as", None)


@pytest.mark.parametrize("name", ["../root/one", "ONE", "one/", "/one", ".", "", "one/1.0.0.toml/"])
def test_name_is_no_path(tmp_path: Path, name: str) -> None:
    """Only names that are listed are found, on a file system without case, too."""
    put(tmp_path / "root", "one")
    assert FolderSource([tmp_path / "root"]).versions(name) == []


def test_packages_are_looked_at_again_when_one_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the folders that they announce are remembered."""
    monkeypatch.setattr(index, "_SETTLED", -(10**18))
    put(tmp_path / "theirs", "own/digits")
    registries = Mock(return_value=(tmp_path / "theirs",))
    monkeypatch.setattr(plugins, "registries", registries)
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setattr(sys, "path", [str(site)])
    store = Store()

    def names() -> list[str]:
        return [line.name for line in PackageSource(store).lines()]

    assert names() == names() == ["own/digits"]
    assert registries.call_count == 1
    (site / "more-1.0.dist-info").mkdir()
    assert names() == ["own/digits"]
    assert registries.call_count == 2
