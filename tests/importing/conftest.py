"""A small ImageNet, and a hub that knows it."""

from pathlib import Path

import pytest

from dshub import Hub
from tests.independent.imagenet import World, hub_of, make_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Four classes of five pictures, and six pictures to validate on."""
    made = make_world(tmp_path / "world", classes=4, each=5, val=6)
    monkeypatch.setenv("DSHUB_REGISTRY", str(tmp_path / "world" / "registry"))
    return made


@pytest.fixture
def hub(world: World, cache: Path) -> Hub:
    """A hub that knows the small ImageNet and no network."""
    made: Hub = hub_of(world, cache)
    return made
