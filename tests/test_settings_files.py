import subprocess
import sys
from pathlib import Path

import pytest

from dshub import Settings
from dshub.errors import SettingsError

FOLDERS = """
cache = "data"
registry = ["manifests", "/shared/manifests"]
mirrors = ["../mirror", "~/stick", "https://mirror.example/sets"]
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("project/pyproject.toml", f"[tool.dshub]{FOLDERS}"),
        ("home/config/dshub/config.toml", FOLDERS),
    ],
)
def test_folders_are_relative_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    below = tmp_path / "project" / "deep" / "below"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    result = Settings.read(environment={})
    assert result.cache == path.parent / "data"
    assert result.registry == (path.parent / "manifests", Path("/shared/manifests"))
    assert [Path(mirror).resolve() for mirror in result.mirrors[:2]] == [
        path.parent.parent / "mirror",
        tmp_path / "home" / "stick",
    ]
    assert result.mirrors[2] == "https://mirror.example/sets"


def test_folders_in_variables_are_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = Settings.read(environment={"DSHUB_CACHE": "here", "DSHUB_MIRROR": "stick ~/m"})
    assert result.cache == tmp_path / "here"
    assert result.mirrors == (str(tmp_path / "stick"), str(tmp_path / "home" / "m"))


@pytest.mark.parametrize(
    "text", ["[tool.dshub]\njobs = 3", "[tool]\ndshub.jobs = 3", '["tool" . "dshub"]\njobs = 3']
)
def test_every_spelling_of_the_table_is_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert Settings.read(environment={}, folder=tmp_path).jobs == 3


def test_only_the_nearest_project_counts(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.dshub]\njobs = 3")
    (inner / "pyproject.toml").write_text("[project]\nname = 'inner'")
    assert Settings.read(environment={}, folder=inner).jobs == Settings(cache=inner).jobs


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"tool = 3  # mentions dshub", "tool"),
        (b"[tool]\ndshub = 3", "dshub"),
        (b"[tool.dshub]\njobs = 2.5", "jobs"),
        (b"[tool.dshub]\njobs = " + b"9" * 5000, "TOML"),
        (b"[tool.dshub]\ntimeout = true", "timeout"),
        (b"[tool.dshub]\nsynthetic = true", "synthetic"),
        (b"[tool.dshub]\ncache = 3", "cache"),
        (b'[tool.dshub]\ncache = "~nobody-of-this-name/x"', "cache"),
        (b"[tool.dshub]\nregistry = [3]", "registry"),
        (b"[tool.dshub]\nmirrors = [3]", "mirrors"),
        (b"[tool.dshub]\njobs = 0x" + b"f" * 5000, "jobs"),
        (b"[tool.dshub.jobs]\nmany = true", "jobs"),
        (b"# dshub\na = " + b"[" * 5000, "TOML"),
        (b"\xff\xfed\0s\0h\0u\0b\0 dshub", "TOML"),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_error_names_the_file_and_the_setting(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=message) as caught:
        Settings.read(environment={}, folder=tmp_path)
    assert str(path) in str(caught.value)


def test_unknown_argument_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="timeout") as caught:
        Settings.read(environment={}, folder=tmp_path, time_out=3)
    assert caught.value.name == "time_out"


def test_nothing_is_read_at_import(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.dshub")
    code = (
        "import os; os.environ['DSHUB_JOBS'] = 'many'; import dshub;"
        "from dshub import Dataset, Hub, Loader, Manifest, Settings"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_datasets_and_lock_are_relative_to_the_project(tmp_path: Path) -> None:
    """Paths are relative to the project, also in a subfolder."""
    folder = tmp_path / "project" / "src"
    folder.mkdir(parents=True)
    text = '[tool.dshub]\ndatasets = ["mnist", "glue", "data/1.0.0.toml"]\n'
    (tmp_path / "project" / "pyproject.toml").write_text(text)
    result = Settings.read(environment={}, folder=folder)
    own = tmp_path / "project" / "data" / "1.0.0.toml"
    assert result.datasets == ("mnist", "glue", str(own))
    assert result.lock == tmp_path / "project" / "dshub.lock"
    assert Settings.read(environment={"DSHUB_LOCK": "off"}, folder=folder).lock is None
    other = {"DSHUB_LOCK": str(tmp_path / "other.lock"), "DSHUB_DATASETS": "iris, wine"}
    result = Settings.read(environment=other, folder=folder)
    assert (result.lock, result.datasets) == (tmp_path / "other.lock", ("iris", "wine"))


def test_lock_is_in_the_working_folder_without_a_project(tmp_path: Path) -> None:
    assert Settings.read(environment={}, folder=tmp_path).lock == tmp_path / "dshub.lock"
