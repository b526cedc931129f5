from pathlib import Path

import pytest

from dshub import Hub
from dshub.cache.store import Store
from tests.independent.imagenet import World, hub_of, make_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Write four classes of five training images, and six validation images."""
    world = make_world(tmp_path / "world", classes=4, each=5, val=6)
    monkeypatch.setenv("DSHUB_REGISTRY", str(tmp_path / "world" / "registry"))
    return world


@pytest.fixture
def hub(world: World, cache: Path) -> Hub:
    """Return an offline hub with the registry of the small ImageNet."""
    hub: Hub = hub_of(world, cache)
    return hub


@pytest.fixture
def store(cache: Path) -> Store:
    return Store(cache)
