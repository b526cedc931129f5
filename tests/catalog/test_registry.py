"""Finding datasets by name."""

import shutil
from pathlib import Path

import pytest

from dshub import Registry, Settings
from dshub.catalog.sources import built_in_root
from dshub.errors import DshubError, ManifestError, UnknownNameError


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A registry of one's own with two versions of a dataset."""
    source = built_in_root() / "kmnist" / "1.0.0.toml"
    text = source.read_text().replace('name = "kmnist"', 'name = "own/set"')
    folder = tmp_path / "registry" / "own" / "set"
    folder.mkdir(parents=True)
    for version in ("1.9.0", "1.10.0"):
        path = folder / f"{version}.toml"
        path.write_text(text.replace('version = "1.0.0"', f'version = "{version}"'))
    return tmp_path / "registry"


def test_the_newest_version_is_meant_and_any_can_be_named(own: Path) -> None:
    """1.10.0 is newer than 1.9.0."""
    registry = Registry([own])
    assert registry.versions("own/set") == ["1.10.0", "1.9.0"]
    assert registry.manifest("own/set").version == "1.10.0"
    assert registry.manifest("own/set@1.9.0").version == "1.9.0"
    with pytest.raises(UnknownNameError, match=r"2\.0\.0"):
        registry.manifest("own/set@2.0.0")


def test_a_manifest_can_be_named_by_its_path(own: Path) -> None:
    """A file needs no registry."""
    assert Registry().manifest(str(own / "own/set/1.9.0.toml")).identifier == "own/set@1.9.0"


def test_a_family_means_all_its_members() -> None:
    """`emnist` is every dataset below it; names come once."""
    members = [name for name in Registry().names() if name.startswith("emnist/")]
    assert len(members) == 6
    assert Registry().expand(["mnist", "emnist", "emnist/letters"]) == ["mnist", *members]


def test_a_manifest_must_be_what_its_path_says(own: Path) -> None:
    """A file that was copied and not edited is noticed."""
    shutil.copy(own / "own/set/1.9.0.toml", own / "own/set/2.0.0.toml")
    with pytest.raises(ManifestError, match=r"own/set@1\.9\.0"):
        Registry([own]).manifest("own/set")


def test_nobody_replaces_a_built_in_manifest_in_silence(tmp_path: Path) -> None:
    """Two different manifests of one name and version are an error that names both files."""
    text = (built_in_root() / "mnist" / "1.0.0.toml").read_text()
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "1.0.0.toml").write_text(text)
    assert Registry([tmp_path]).manifest("mnist").name == "mnist"  # the same file is no conflict
    (tmp_path / "mnist" / "1.0.0.toml").write_text(text.replace("handwritten", "forged"))
    with pytest.raises(DshubError, match=r"mnist@1\.0\.0") as caught:
        Registry([tmp_path]).names()
    assert str(tmp_path) in str(caught.value)
    assert str(built_in_root()) in str(caught.value)


def test_roots_come_from_the_environment(own: Path) -> None:
    """DSHUB_REGISTRY adds folders to the built-in one."""
    settings = Settings.read(environment={"DSHUB_REGISTRY": str(own)})
    assert {"own/set", "mnist"} <= set(Registry(settings.registry).names())


def test_one_faulty_manifest_does_not_hide_the_others(
    own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out of listings with a warning that names it, and an error only when named."""
    (own / "own/set/2.0.0.toml").write_text("schema = 1")
    registry = Registry([own])
    assert {"mnist", "kmnist"} <= {manifest.name for manifest in registry.manifests()}
    assert "2.0.0.toml" in caplog.text
    with pytest.raises(ManifestError):
        registry.manifest("own/set")


def test_a_folder_that_is_not_there_is_named(own: Path, tmp_path: Path) -> None:
    """Others still hold what they hold; whoever looks for more is told of the misspelt one."""
    registry = Registry([tmp_path / "regsitry", own])
    assert registry.manifest("own/set").version == "1.10.0"
    with pytest.raises(UnknownNameError) as caught:
        registry.manifest("own/other")
    assert str(tmp_path / "regsitry") in caught.value.hint
