"""A small ImageNet, and a hub that knows it."""

from pathlib import Path

import pytest

from dshub import Hub
from dshub.cache.store import Store
from tests.independent.imagenet import World, hub_of, make_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Four classes of five images, and six images to validate on."""
    world = make_world(tmp_path / "world", classes=4, each=5, val=6)
    monkeypatch.setenv("DSHUB_REGISTRY", str(tmp_path / "world" / "registry"))
    return world


@pytest.fixture
def hub(world: World, cache: Path) -> Hub:
    """A hub that knows the small ImageNet and no network."""
    hub: Hub = hub_of(world, cache)
    return hub


@pytest.fixture
def store(cache: Path) -> Store:
    """The store of the test's cache."""
    return Store(cache)
