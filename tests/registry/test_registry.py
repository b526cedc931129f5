import json
from pathlib import Path

import pytest

from dshub import Registry
from dshub.tables.recipe import recipe

RELEASED = json.loads((Path(__file__).parent / "released.json").read_text())
NAMES = Registry().names()


@pytest.mark.parametrize("name", NAMES)
def test_built_in_manifests_are_valid(name: str) -> None:
    """MD5 is accepted only if no better checksum is published."""
    manifest = Registry().manifest(name)
    for split in manifest.splits:
        assert recipe(manifest, split).key
    for item in manifest.resources.values():
        assert item.sha256 or item.md5
        assert item.urls or item.access == "manual"


@pytest.mark.parametrize("name", NAMES)
def test_splits_have_standard_names(name: str) -> None:
    """Validation splits are called `validation`, and an undivided dataset is `train`."""
    nonstandard = {"val", "valid", "dev", "eval", "training", "testing", "all", "full"}
    assert not nonstandard & Registry().manifest(name).splits.keys()


@pytest.mark.parametrize("name", NAMES)
def test_released_manifests_never_change(name: str) -> None:
    """A new version adds a line to released.json; existing lines never change."""
    manifest = Registry().manifest(name)
    assert RELEASED[manifest.identifier] == manifest.digest


def test_released_manifests_are_never_removed() -> None:
    registry = Registry()
    assert {registry.manifest(identifier).identifier for identifier in RELEASED} == set(RELEASED)
