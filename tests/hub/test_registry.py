"""The registry of settings, and its indexes in the cache."""

from pathlib import Path

from dshub import Settings
from dshub.hub.registry import make_registry


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


def test_cache_that_cannot_be_written_only_costs_time(cache: Path) -> None:
    """As one of another user, or on a full disk."""
    cache.mkdir()
    (cache / "listings-v1").touch()  # in the place of the folder
    assert "mnist" in listed(cache)
