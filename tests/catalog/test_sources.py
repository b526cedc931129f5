"""Test the sources of manifests."""

import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from dshub import plugins
from dshub.catalog import index
from dshub.catalog.sources import FolderSource, PackageSource
from dshub.errors import ManifestError
from tests.catalog.folders import Store, put


def test_lookup_lists_only_one_folder(tmp_path: Path) -> None:
    put(tmp_path, "own/one")
    put(tmp_path, "two")
    source = FolderSource([tmp_path])
    assert source.versions("own/one") == ["1.0.0"]
    assert source.manifest("two", "1.0.0").name == "two"
    assert "_all" not in vars(source)


def test_manifest_that_disappears_after_its_lookup_is_named(tmp_path: Path) -> None:
    path = put(tmp_path, "one")
    source = FolderSource([tmp_path])
    assert source.versions("one") == ["1.0.0"]
    path.unlink()
    with pytest.raises(ManifestError, match="one"):
        source.manifest("one", "1.0.0")


@pytest.mark.parametrize("name", ["../root/one", "ONE", "one/", "/one", ".", "", "one/1.0.0.toml/"])
def test_name_is_not_a_path(tmp_path: Path, name: str) -> None:
    put(tmp_path / "root", "one")
    assert FolderSource([tmp_path / "root"]).versions(name) == []


def test_packages_are_searched_again_after_an_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
