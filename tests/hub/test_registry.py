"""The registry of settings, and its indexes in the cache."""

import os
from pathlib import Path

import pytest

from dshub import Settings
from dshub.hub.registry import CachedIndexes, make_registry


def listed(cache: Path) -> list[str]:
    """The names that a new process lists."""
    chosen = Settings.read(environment={}, cache=cache)
    return [item.name for item in make_registry(chosen).listing()]


def files(cache: Path) -> set[str]:
    """The indexes in a cache."""
    return {path.name for path in (cache / "listings-v1").glob("*.json")}


def test_listing_keeps_indexes_in_a_cache_that_exists(cache: Path) -> None:
    """It makes no cache; and what it keeps counts as dshub's own."""
    names = listed(cache)
    assert "mnist" in names
    assert not cache.exists()
    cache.mkdir()
    assert listed(cache) == names
    kept = files(cache)
    assert kept
    assert listed(cache) == names
    assert kept <= files(cache)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can")
def test_index_of_another_user_does_not_count(cache: Path) -> None:
    """In a shared cache it could name a folder of manifests as that of a package."""
    indexes = CachedIndexes(cache)
    cache.mkdir()
    indexes.write("packages", b"data")
    assert indexes.read("packages") == b"data"
    os.chown(cache / "listings-v1" / "packages.json", 65534, -1)
    assert indexes.read("packages") is None


def test_named_pipe_in_place_of_an_index_is_no_reason_to_wait(cache: Path) -> None:
    """It is as good as none."""
    (cache / "listings-v1").mkdir(parents=True)
    os.mkfifo(cache / "listings-v1" / "packages.json")
    assert CachedIndexes(cache).read("packages") is None


def test_cache_that_cannot_be_written_only_costs_time(cache: Path) -> None:
    """As one of another user, or on a full disk."""
    cache.mkdir()
    (cache / "listings-v1").touch()  # in the place of the folder
    assert "mnist" in listed(cache)
