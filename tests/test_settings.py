import os
from pathlib import Path

import pytest

from dshub import Settings
from dshub.errors import SettingsError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a subfolder of a project with settings in pyproject.toml."""
    (tmp_path / "project" / "src").mkdir(parents=True)
    text = '[tool.dshub]\njobs = 3\ntimeout = 5\ncache = "data"\n'
    (tmp_path / "project" / "pyproject.toml").write_text(text)
    return tmp_path / "project" / "src"


def test_arguments_override_variables_and_files(project: Path, tmp_path: Path) -> None:
    config = tmp_path / "home" / "config" / "dshub"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('jobs = 2\nmirrors = "https://user.example"\n')
    environment = {"DSHUB_JOBS": "4"}
    assert Settings.read(environment={}, folder=tmp_path).jobs == 2
    assert Settings.read(environment={}, folder=project).jobs == 3
    assert Settings.read(environment=environment, folder=project).jobs == 4
    assert Settings.read(environment=environment, folder=project, jobs=5).jobs == 5
    result = Settings.read(environment={}, folder=project)
    assert (result.mirrors, result.timeout) == (("https://user.example",), 5.0)


def test_folder_in_a_file_is_relative_to_that_file(project: Path) -> None:
    assert Settings.read(environment={}, folder=project).cache == project.parent / "data"


def test_lists_are_split_at_their_separators(tmp_path: Path) -> None:
    folders = os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")])
    environment = {"DSHUB_SITE_CACHES": folders, "DSHUB_MIRROR": "https://a.example  /mnt/b"}
    result = Settings.read(environment=environment)
    assert result.site_caches == (tmp_path / "a", tmp_path / "b")
    assert result.mirrors == ("https://a.example", "/mnt/b")


def test_mirror_folder_can_contain_spaces(tmp_path: Path) -> None:
    """A single folder needs no quotes; several do."""
    stick = tmp_path / "My Stick of o'brien"
    stick.mkdir()
    one = Settings.read(environment={"DSHUB_MIRROR": str(stick)})
    assert one.mirrors == (str(stick),)
    other = tmp_path / 'no "such" place'
    several = f"\"{stick}\"  '{other}' https://a.example/o'brien"
    assert Settings.read(environment={"DSHUB_MIRROR": several}).mirrors == (
        str(stick),
        str(other),
        "https://a.example/o'brien",
    )


def test_mirror_folder_in_a_file_can_contain_spaces(tmp_path: Path) -> None:
    """The folder is relative to the settings file."""
    (tmp_path / "my disk").mkdir()
    for value in ('"my disk"', '["my disk"]'):
        (tmp_path / "pyproject.toml").write_text(f"[tool.dshub]\nmirrors = {value}\n")
        result = Settings.read(environment={}, folder=tmp_path)
        assert result.mirrors == (str(tmp_path / "my disk"),)


def test_quoted_items_can_contain_separators(tmp_path: Path) -> None:
    odd = tmp_path / f"a{os.pathsep}b"
    for name in ("site_caches", "registry", "mirror_keys"):
        value = f'"{odd}"{os.pathsep}{tmp_path / "c d"}'
        result = Settings.read(environment={f"DSHUB_{name.upper()}": value})
        assert getattr(result, name) == (odd, tmp_path / "c d")
    own = tmp_path / "my data" / "1.0.0.toml"
    result = Settings.read(environment={"DSHUB_DATASETS": f"mnist, '{own}' glue"})
    assert result.datasets == ("mnist", str(own), "glue")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DSHUB_MIRROR", '"/media/My Stick'),
        ("DSHUB_MIRROR", '"/media/My Stick"and more'),
        ("DSHUB_MIRROR", '""'),
        ("DSHUB_JOBS", "many"),
        ("DSHUB_JOBS", "0"),
        ("DSHUB_TIMEOUT", "-1"),
        ("DSHUB_TIMEOUT", "nan"),
        ("DSHUB_TIMEOUT", "1e300"),
        ("DSHUB_JOBS", "\u00b2"),
        ("DSHUB_SYNTHETIC", "9" * 30),
        ("DSHUB_MIRROR_MAX_AGE", "-1"),
        ("DSHUB_MIRROR_MAX_AGE", "9999999"),
        ("DSHUB_OFFLINE", "perhaps"),
        ("DSHUB_SYNTHETIC", "-5"),
        ("DSHUB_PROGRESS", "fancy"),
        ("DSHUB_LOG", "loud"),
        ("DSHUB_CACHE", " "),
    ],
)
def test_invalid_value_is_rejected(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.read(environment={name: value})
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)
    assert caught.value.exit_code == 2


def test_unknown_setting_in_a_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.dshub]\njosb = 3\n")
    with pytest.raises(SettingsError, match="josb"):
        Settings.read(environment={}, folder=tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.dshub\njobs = 3\n")
    with pytest.raises(SettingsError, match="valid TOML"):
        Settings.read(environment={}, folder=tmp_path)


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("0", False), ("", False)])
def test_offline_is_a_switch(value: str, *, expected: bool) -> None:
    assert Settings.read(environment={"DSHUB_OFFLINE": value}).offline is expected


def test_settings_can_be_read_in_a_removed_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert Settings.read(environment={"DSHUB_JOBS": "2"}).jobs == 2


@pytest.mark.parametrize(
    ("text", "seconds"), [("20", 20), ("1.5", 1.5), ("45s", 45), ("2 min", 120)]
)
def test_timeout_is_in_seconds_unless_it_has_a_unit(text: str, seconds: float) -> None:
    assert Settings.read(environment={"DSHUB_TIMEOUT": text}).timeout == seconds


@pytest.mark.parametrize(
    "mirror",
    [
        "https://user:pass/word@host",
        "https://user:pass word@host",
        "user:pass@host/path",
        "https:/user:pass@host",
        "https://",
        "https://host:port",
    ],
)
def test_malformed_address_is_rejected(mirror: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="%40 %3A %2F") as caught:
        Settings.read(environment={"DSHUB_MIRROR": mirror}, folder=tmp_path)
    assert "pass" not in str(caught.value).partition("must be")[0]


def test_mirrors_can_contain_an_at_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "me:too@work").mkdir()
    mirrors = ("https://u:p%40%2Fw@host:8000/", "/mnt/me@stick", "s3://key:sec/ret@bucket")
    settings = Settings.read(environment={}, mirrors=[*mirrors, "me:too@work"])
    assert settings.mirrors == (*mirrors, str(tmp_path / "me:too@work"))


@pytest.mark.parametrize("name", ["cache", "registry", "site_caches", "mirror_keys", "lock"])
def test_address_in_place_of_a_folder_is_rejected(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"{name} is 'http://…@host/x'"):
        Settings.read(environment={}, folder=tmp_path, **{name: "http://u:pw@host/x"})
