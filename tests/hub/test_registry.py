import os
from pathlib import Path

import pytest

from dshub import Settings
from dshub.hub.registry import CachedIndexes, make_registry


def list_names(cache: Path) -> list[str]:
    """Return the dataset names of a new registry."""
    settings = Settings.read(environment={}, cache=cache)
    return [item.name for item in make_registry(settings).listing()]


def files(cache: Path) -> set[str]:
    """Return the names of the index files in a cache."""
    return {path.name for path in (cache / "listings-v1").glob("*.json")}


def test_listing_stores_indexes_in_an_existing_cache(cache: Path) -> None:
    names = list_names(cache)
    assert "mnist" in names
    assert not cache.exists()
    cache.mkdir()
    assert list_names(cache) == names
    stored = files(cache)
    assert stored
    assert list_names(cache) == names
    assert stored <= files(cache)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can change the owner"
)
def test_index_of_another_user_is_ignored(cache: Path) -> None:
    indexes = CachedIndexes(cache)
    cache.mkdir()
    indexes.write("packages", b"data")
    assert indexes.read("packages") == b"data"
    os.chown(cache / "listings-v1" / "packages.json", 65534, -1)
    assert indexes.read("packages") is None


def test_pipe_in_place_of_an_index_is_ignored(cache: Path) -> None:
    (cache / "listings-v1").mkdir(parents=True)
    os.mkfifo(cache / "listings-v1" / "packages.json")
    assert CachedIndexes(cache).read("packages") is None


def test_listing_works_with_an_unwritable_cache(cache: Path) -> None:
    cache.mkdir()
    (cache / "listings-v1").touch()  # a file where the folder would be
    assert "mnist" in list_names(cache)
