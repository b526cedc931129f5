"""The built-in manifests."""

import json
from pathlib import Path

import pytest

from dshub import Registry
from dshub.tables.recipe import recipe

RELEASED = json.loads((Path(__file__).parent / "released.json").read_text())
NAMES = Registry().names()


@pytest.mark.parametrize("name", NAMES)
def test_built_in_manifests_are_sound(name: str) -> None:
    """Each parses without a fault, its readers take its options, every file has a checksum.

    An MD5 only where upstream and all who list its files have no better one.
    """
    manifest = Registry().manifest(name)
    for split in manifest.splits:
        assert recipe(manifest, split).key
    for item in manifest.resources.values():
        assert item.sha256 or item.md5
        assert item.urls or item.access == "manual"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_split_has_the_same_name_everywhere(name: str) -> None:
    """Code for one dataset works for the next: `validation` is never `val`, `dev` or `valid`.

    And `train` is what upstream does not divide.
    """
    others = {"val", "valid", "dev", "eval", "training", "testing", "all", "full"}
    assert not others & Registry().manifest(name).splits.keys()


@pytest.mark.parametrize("name", NAMES)
def test_released_manifests_never_change(name: str) -> None:
    """For a new version add its line to released.json; a line that is there stays as it is."""
    manifest = Registry().manifest(name)
    assert RELEASED[manifest.identifier] == manifest.digest


def test_nothing_that_was_released_is_gone() -> None:
    """Whoever named a version in code finds it later too."""
    registry = Registry()
    assert {registry.manifest(identifier).identifier for identifier in RELEASED} == set(RELEASED)
