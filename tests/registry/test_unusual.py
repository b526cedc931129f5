"""Registries of one's own, as they come."""

from pathlib import Path

import pytest

from dshub import Hub, Registry
from dshub.errors import UnknownNameError


def test_folders_that_are_not_there_hold_nothing(tmp_path: Path) -> None:
    """A root that is gone, a file instead of a folder, and folders without manifests."""
    (tmp_path / "file").touch()
    (tmp_path / "empty" / "name").mkdir(parents=True)
    (tmp_path / "empty" / "README.md").touch()
    roots = [tmp_path / "gone", tmp_path / "file", tmp_path / "empty"]
    assert Registry(roots, built_in=False).names() == []
    assert Registry(roots).names() == Registry().names()


def test_a_family_is_not_one_dataset(hub: Hub) -> None:
    """Where one dataset is meant, a family is answered with its members."""
    with pytest.raises(UnknownNameError) as caught:
        hub.load("emnist", "train")
    assert "emnist/letters" in caught.value.hint


@pytest.mark.parametrize("typed", ["no-such-thing", "quite unknown", "", "@1.0.0"])
def test_a_name_like_no_other_still_says_where_to_look(typed: str) -> None:
    """No wrong guess, and a next step."""
    with pytest.raises(UnknownNameError) as caught:
        Registry().expand([typed])
    assert caught.value.close == ()
    assert "dshub list" in caught.value.hint


def test_file_of_every_version_can_be_named() -> None:
    """Each version is in a file, and the path of the file means the same version."""
    registry = Registry()
    for name in registry.names():
        for version in registry.versions(name):
            identifier = f"{name}@{version}"
            assert registry.manifest(str(registry.file(identifier))).identifier == identifier
