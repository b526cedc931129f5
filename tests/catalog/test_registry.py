"""Test finding datasets by name."""

import shutil
from pathlib import Path

import pytest

from dshub import Hub, Registry, Settings
from dshub.catalog.sources import built_in_root
from dshub.errors import DshubError, ManifestError, UnknownNameError


@pytest.fixture
def own_registry(tmp_path: Path) -> Path:
    """Create a registry folder with two versions of a dataset."""
    source = built_in_root() / "kmnist" / "1.0.0.toml"
    text = source.read_text().replace('name = "kmnist"', 'name = "own/set"')
    folder = tmp_path / "registry" / "own" / "set"
    folder.mkdir(parents=True)
    for version in ("1.9.0", "1.10.0"):
        path = folder / f"{version}.toml"
        path.write_text(text.replace('version = "1.0.0"', f'version = "{version}"'))
    return tmp_path / "registry"


def test_newest_version_is_the_default(own_registry: Path) -> None:
    registry = Registry([own_registry])
    assert registry.versions("own/set") == ["1.10.0", "1.9.0"]
    assert registry.manifest("own/set").version == "1.10.0"
    assert registry.manifest("own/set@1.9.0").version == "1.9.0"
    with pytest.raises(UnknownNameError, match=r"2\.0\.0"):
        registry.manifest("own/set@2.0.0")


def test_path_of_a_manifest_works_as_a_name(own_registry: Path) -> None:
    assert (
        Registry().manifest(str(own_registry / "own/set/1.9.0.toml")).identifier == "own/set@1.9.0"
    )


def test_family_expands_to_its_members() -> None:
    members = [name for name in Registry().names() if name.startswith("emnist/")]
    assert len(members) == 6
    assert Registry().expand(["mnist", "emnist", "emnist/letters"]) == ["mnist", *members]
    assert Registry().expand(["emnist/*"]) == members


def test_manifest_must_have_the_name_of_its_path(own_registry: Path) -> None:
    shutil.copy(own_registry / "own/set/1.9.0.toml", own_registry / "own/set/2.0.0.toml")
    with pytest.raises(ManifestError, match=r"own/set@1\.9\.0"):
        Registry([own_registry]).manifest("own/set")


def test_different_manifests_of_one_version_are_an_error(tmp_path: Path) -> None:
    text = (built_in_root() / "mnist" / "1.0.0.toml").read_text()
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "1.0.0.toml").write_text(text)
    # identical manifests are not a conflict
    assert Registry([tmp_path]).manifest("mnist").name == "mnist"
    (tmp_path / "mnist" / "1.0.0.toml").write_text(text.replace("handwritten", "forged"))
    with pytest.raises(DshubError, match=r"mnist@1\.0\.0") as caught:
        Registry([tmp_path]).names()
    assert str(tmp_path) in str(caught.value)
    assert str(built_in_root()) in str(caught.value)


def test_roots_come_from_the_environment(own_registry: Path) -> None:
    settings = Settings.read(environment={"DSHUB_REGISTRY": str(own_registry)})
    assert {"own/set", "mnist"} <= set(Registry(settings.registry).names())


def test_faulty_manifest_does_not_hide_others(
    own_registry: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A listing warns of a faulty manifest, and only loading it by name fails."""
    (own_registry / "own/set/2.0.0.toml").write_text("schema = 1")
    registry = Registry([own_registry])
    assert {"mnist", "kmnist"} <= {manifest.name for manifest in registry.manifests()}
    assert "2.0.0.toml" in caplog.text
    with pytest.raises(ManifestError):
        registry.manifest("own/set")


def test_missing_folder_is_named_in_the_error_of_an_unknown_dataset(
    own_registry: Path, tmp_path: Path
) -> None:
    registry = Registry([tmp_path / "regsitry", own_registry])
    assert registry.manifest("own/set").version == "1.10.0"
    with pytest.raises(UnknownNameError) as caught:
        registry.manifest("own/other")
    assert str(tmp_path / "regsitry") in caught.value.hint


def test_missing_and_empty_folders_have_no_datasets(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty" / "name").mkdir(parents=True)
    (tmp_path / "empty" / "README.md").touch()
    roots = [tmp_path / "gone", tmp_path / "file", tmp_path / "empty"]
    assert Registry(roots, built_in=False).names() == []
    assert Registry(roots).names() == Registry().names()


def test_family_name_suggests_its_members(hub: Hub) -> None:
    with pytest.raises(UnknownNameError) as caught:
        hub.load("emnist", "train")
    assert "emnist/letters" in caught.value.hint


@pytest.mark.parametrize("typed", ["no-such-thing", "quite unknown", "", "@1.0.0"])
def test_name_unlike_any_other_suggests_a_list(typed: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        Registry().expand([typed])
    assert caught.value.close == ()
    assert "dshub list" in caught.value.hint


def test_path_of_every_version_works_as_a_name() -> None:
    registry = Registry()
    for name in registry.names():
        for version in registry.versions(name):
            identifier = f"{name}@{version}"
            assert registry.manifest(str(registry.file(identifier))).identifier == identifier
