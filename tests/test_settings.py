"""Where a setting comes from, and what happens to one that cannot be used."""

import os
from pathlib import Path

import pytest

from dshub import Settings
from dshub.errors import SettingsError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder two levels below a pyproject.toml that sets things."""
    (tmp_path / "project" / "src").mkdir(parents=True)
    text = '[tool.dshub]\njobs = 3\ntimeout = 5\ncache = "data"\n'
    (tmp_path / "project" / "pyproject.toml").write_text(text)
    return tmp_path / "project" / "src"


def test_precedence(project: Path, tmp_path: Path) -> None:
    """Argument before variable before project before user before default."""
    config = tmp_path / "home" / "config" / "dshub"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('jobs = 2\nmirrors = "https://user.example"\n')
    environment = {"DSHUB_JOBS": "4"}
    assert Settings.read(environment={}, folder=tmp_path).jobs == 2
    assert Settings.read(environment={}, folder=project).jobs == 3
    assert Settings.read(environment=environment, folder=project).jobs == 4
    assert Settings.read(environment=environment, folder=project, jobs=5).jobs == 5
    found = Settings.read(environment={}, folder=project)
    assert (found.mirrors, found.timeout) == (("https://user.example",), 5.0)


def test_a_folder_in_a_file_is_relative_to_that_file(project: Path) -> None:
    """A project means its own folder, from wherever it is run."""
    assert Settings.read(environment={}, folder=project).cache == project.parent / "data"


def test_lists(tmp_path: Path) -> None:
    """Folders are separated as in PATH, mirrors by blanks."""
    folders = os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")])
    environment = {"DSHUB_SITE_CACHES": folders, "DSHUB_MIRROR": "https://a.example  /mnt/b"}
    found = Settings.read(environment=environment)
    assert found.site_caches == (tmp_path / "a", tmp_path / "b")
    assert found.mirrors == ("https://a.example", "/mnt/b")


def test_a_mirror_with_blanks_in_its_name(tmp_path: Path) -> None:
    """A single folder may have blanks in its name; of several, such a one stands in quotes."""
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


def test_a_project_names_a_mirror_with_blanks(tmp_path: Path) -> None:
    """In a file, such a folder is relative to the file, as a text and in a list."""
    (tmp_path / "my disk").mkdir()
    for value in ('"my disk"', '["my disk"]'):
        (tmp_path / "pyproject.toml").write_text(f"[tool.dshub]\nmirrors = {value}\n")
        found = Settings.read(environment={}, folder=tmp_path)
        assert found.mirrors == (str(tmp_path / "my disk"),)


def test_items_that_hold_what_separates_items(tmp_path: Path) -> None:
    """They stand in quotes in every list, folders and names of datasets alike."""
    odd = tmp_path / f"a{os.pathsep}b"
    for name in ("site_caches", "registry", "mirror_keys"):
        value = f'"{odd}"{os.pathsep}{tmp_path / "c d"}'
        found = Settings.read(environment={f"DSHUB_{name.upper()}": value})
        assert getattr(found, name) == (odd, tmp_path / "c d")
    own = tmp_path / "my data" / "1.0.0.toml"
    found = Settings.read(environment={"DSHUB_DATASETS": f"mnist, '{own}' glue"})
    assert found.datasets == ("mnist", str(own), "glue")


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
def test_a_value_that_cannot_be_used_is_named(name: str, value: str) -> None:
    """The error names the variable and its value."""
    with pytest.raises(SettingsError) as caught:
        Settings.read(environment={name: value})
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unknown_setting_in_a_file_is_an_error(tmp_path: Path) -> None:
    """A misspelt setting is not ignored."""
    (tmp_path / "pyproject.toml").write_text("[tool.dshub]\njosb = 3\n")
    with pytest.raises(SettingsError, match="josb"):
        Settings.read(environment={}, folder=tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.dshub\njobs = 3\n")
    with pytest.raises(SettingsError, match="valid TOML"):
        Settings.read(environment={}, folder=tmp_path)


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("0", False), ("", False)])
def test_offline_is_a_switch(value: str, *, expected: bool) -> None:
    """1 and 0 say what they mean, and an empty variable is unset."""
    assert Settings.read(environment={"DSHUB_OFFLINE": value}).offline is expected


def test_a_working_folder_that_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings can still be read."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert Settings.read(environment={"DSHUB_JOBS": "2"}).jobs == 2


@pytest.mark.parametrize(
    ("text", "seconds"), [("20", 20), ("1.5", 1.5), ("45s", 45), ("2 min", 120)]
)
def test_timeout_is_in_seconds_unless_it_has_a_unit(text: str, seconds: float) -> None:
    """As `DSHUB_TIMEOUT=20` in other programs, and as spans are written elsewhere."""
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
def test_an_address_that_cannot_be_says_how_to_write_it(mirror: str, tmp_path: Path) -> None:
    """It is refused at once, rather than taken for a folder that is not there."""
    with pytest.raises(SettingsError, match="%40 %3A %2F") as caught:
        Settings.read(environment={"DSHUB_MIRROR": mirror}, folder=tmp_path)
    assert "pass" not in str(caught.value).partition("must be")[0]


def test_folders_and_addresses_with_signs_are_mirrors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An `@` can be in a path, in a password in its escaped form, and in a folder that is there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "me:too@work").mkdir()
    mirrors = ("https://u:p%40%2Fw@host:8000/", "/mnt/me@stick", "s3://key:sec/ret@bucket")
    settings = Settings.read(environment={}, mirrors=[*mirrors, "me:too@work"])
    assert settings.mirrors == (*mirrors, str(tmp_path / "me:too@work"))


@pytest.mark.parametrize("name", ["cache", "registry", "site_caches", "mirror_keys", "lock"])
def test_an_address_is_no_folder(name: str, tmp_path: Path) -> None:
    """A list of folders is not cut at its colon."""
    with pytest.raises(SettingsError, match=f"{name} is 'http://…@host/x'"):
        Settings.read(environment={}, folder=tmp_path, **{name: "http://u:pw@host/x"})
