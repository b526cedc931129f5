"""Test `dshub lock`: lock datasets and detect drift."""

import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dshub import Hub, Settings
from dshub.errors import LockError
from dshub.progress import Silent

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path, registry: Path) -> Path:
    """Write a pyproject.toml that names two datasets and return its folder."""
    folder = tmp_path / "work"
    folder.mkdir(exist_ok=True)
    text = '[tool.dshub]\ndatasets = ["tiny"]\n'
    (folder / "pyproject.toml").write_text(text)
    return folder


def locked_datasets(project: Path) -> dict[str, dict[str, Any]]:
    content = tomllib.loads((project / "dshub.lock").read_text("utf-8"))
    return {item["name"]: item for item in content["dataset"]}


def project_hub(project: Path, **settings: Any) -> Hub:
    """Return a hub with the settings of the project."""
    return Hub(settings=Settings.read(folder=project, **settings), progress=Silent())


def edit_manifest(registry: Path, old: str, new: str, version: str = "1.0.0") -> None:
    """Edit the manifest of `tiny/one`, or write a new version of it."""
    path = registry / "tiny" / "one" / "1.0.0.toml"
    text = path.read_text().replace('"1.0.0"', f'"{version}"')
    path.with_name(f"{version}.toml").write_text(text.replace(old, new))


def test_lock_holds_versions_checksums_and_fingerprints(dshub: Run, project: Path) -> None:
    assert dshub("lock").returncode == 0
    datasets = locked_datasets(project)
    assert list(datasets) == ["tiny/one", "tiny/two"]
    for name, item in datasets.items():
        manifest = project_hub(project).info(name)
        assert (item["version"], item["digest"]) == ("1.0.0", manifest.digest)
        for key, file in item["files"].items():
            resource = manifest.resources[key]
            assert file == {
                "name": resource.name,
                "digest": f"sha256:{resource.sha256}",
                "size": resource.size,
            }
        dataset = project_hub(project).load(name, "train")
        assert item["splits"] == {"train": {"rows": 3, "fingerprint": dataset.fingerprint}}


def test_lock_does_not_depend_on_the_cache(dshub: Run, project: Path, tmp_path: Path) -> None:
    dshub("lock")
    before = (project / "dshub.lock").read_bytes()
    dshub("fetch", "tiny")
    dshub("lock", DSHUB_SYNTHETIC="10")
    assert (project / "dshub.lock").read_bytes() == before
    assert [path.name for path in sorted(project.iterdir())] == ["dshub.lock", "pyproject.toml"]


def test_changed_file_changes_one_line_of_the_lock(
    dshub: Run, project: Path, registry: Path
) -> None:
    dshub("lock")
    before = (project / "dshub.lock").read_text().splitlines()
    edit_manifest(registry, "size = 28", "size = 29")
    dshub("lock")
    after = (project / "dshub.lock").read_text().splitlines()
    changed = [line for line in after if line not in before]
    assert len(changed) == 2
    assert changed[0].startswith("digest = ")
    assert changed[1].startswith("images = ")


def test_locked_version_is_loaded(dshub: Run, project: Path, registry: Path) -> None:
    dshub("lock")
    edit_manifest(registry, "Three images", "Three better images", version="1.1.0")
    assert project_hub(project).info("tiny/one").version == "1.0.0"
    assert project_hub(project).load("tiny/one", "train").manifest.version == "1.0.0"  # type: ignore[union-attr]
    assert project_hub(project).info("tiny/one@1.1.0").version == "1.1.0"
    assert project_hub(project, lock="off").info("tiny/one").version == "1.1.0"
    assert json.loads(dshub("info", "tiny/one", "--json").stdout)["manifest"]["version"] == "1.0.0"
    assert dshub("lock", "--check").returncode == 0
    dshub("lock", "tiny/one")
    assert project_hub(project).info("tiny/one").version == "1.1.0"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"cat", "dog"', '"dog", "cat"', "its columns or split definitions changed"),
        ("rows = 3", "rows = 2", "split train was 3 rows and is now 2 rows"),
        ('sha256 = "', 'sha256 = "0000', "file images was sha256:"),
        ("resources.labels]", "resources.marks]", "file labels was removed"),
    ],
)
def test_changed_manifest_is_refused(
    dshub: Run, project: Path, registry: Path, old: str, new: str, message: str
) -> None:
    dshub("lock")
    if "0000" in new:
        path = registry / "tiny" / "one" / "1.0.0.toml"
        old = path.read_text().partition('sha256 = "')[2][:64]
        new = "0" * 64
    edit_manifest(registry, old, new)
    if "marks" in message or "marks" in new:
        edit_manifest(registry, 'label = "labels"', 'label = "marks"')
    with pytest.raises(LockError, match="tiny/one@1") as caught:
        project_hub(project).load("tiny/one", "train")
    assert message in str(caught.value)
    for command in (["lock", "--check"], ["fetch", "--locked"], ["fetch", "tiny/one"]):
        done = dshub(*command)
        assert done.returncode == 5
        assert message in done.stdout + done.stderr
    assert dshub("fetch", "--locked", "tiny/two").returncode == 0
    assert "DSHUB_LOCK=off" in dshub("fetch", "tiny/one").stderr
    assert project_hub(project, lock="off").info("tiny/one").name == "tiny/one"


def test_titles_and_urls_are_not_drift(dshub: Run, project: Path, registry: Path) -> None:
    dshub("lock")
    edit_manifest(registry, "Three images.", "Three small images.")
    edit_manifest(registry, "/images.idx", "/elsewhere/images.idx")
    assert dshub("lock", "--check").returncode == 0
    assert project_hub(project).info("tiny/one").summary == "Three small images."


def test_fetch_locked_fetches_the_lock(dshub: Run, project: Path, cache: Path) -> None:
    assert dshub("fetch", "--locked").returncode == 5
    assert "does not exist" in dshub("lock", "--check").stdout
    dshub("lock", "tiny/two")
    answer = json.loads(dshub("fetch", "--locked", "--json").stdout)
    assert {item["dataset"] for item in answer["files"]} == {"tiny/two"}
    done = dshub("fetch", "--locked", "tiny")
    assert done.returncode == 5
    assert "tiny/one is not locked" in done.stderr
    check = json.loads(dshub("lock", "--check", "--json").stdout)
    assert check["drift"] == ["tiny/one is not locked"]


def test_locking_one_dataset_keeps_the_others(dshub: Run, project: Path, registry: Path) -> None:
    dshub("lock", "tiny/one")
    dshub("lock", "tiny/two")
    dshub("lock", "mnist")
    assert list(locked_datasets(project)) == ["mnist", "tiny/one", "tiny/two"]
    dshub("lock")
    assert list(locked_datasets(project)) == ["tiny/one", "tiny/two"]
    edit_manifest(registry, "x", "x", version="2.0.0")
    assert dshub("lock", "tiny/one@1.0.0", "tiny/one@2.0.0").returncode == 2
    assert dshub("lock", "tiny/one@2.0.0").returncode == 0
    assert locked_datasets(project)["tiny/one"]["version"] == "2.0.0"


def test_manifest_is_locked_by_its_path(dshub: Run, project: Path, registry: Path) -> None:
    """The path is relative to the project, not to the current folder."""
    path = project / "data" / "1.0.0.toml"
    path.parent.mkdir()
    path.write_text(
        (registry / "tiny" / "one" / "1.0.0.toml").read_text().replace("tiny/one", "mine")
    )
    (project / "pyproject.toml").write_text('[tool.dshub]\ndatasets = ["data/1.0.0.toml"]\n')
    dshub("lock")
    assert locked_datasets(project)["mine"]["path"] == "data/1.0.0.toml"
    assert project_hub(project).load(str(path), "train")[2]["label"] == 0
    assert dshub("lock", "--check").returncode == 0
    path.write_text(path.read_text().replace("rows = 3", "rows = 2"))
    assert dshub("lock", "--check").returncode == 5
    with pytest.raises(LockError, match="split train was 3 rows"):
        project_hub(project).load(str(path), "train")


def test_missing_locked_version_is_drift(dshub: Run, project: Path, registry: Path) -> None:
    dshub("lock")
    edit_manifest(registry, "x", "x", version="1.1.0")
    (registry / "tiny" / "one" / "1.0.0.toml").unlink()
    with pytest.raises(LockError, match="is no longer in the registry"):
        project_hub(project).info("tiny/one")
    assert dshub("lock", "--check").returncode == 5


def test_malformed_lock_is_an_error(dshub: Run, project: Path) -> None:
    for text in ("[[dataset]\n", "schema = 2\n", '[[dataset]]\nname = "tiny/one"\n', "\udcff"):
        (project / "dshub.lock").write_bytes(text.encode("utf-8", "surrogateescape"))
        done = dshub("info", "tiny/one")
        assert done.returncode == 8
        assert "dshub.lock" in done.stderr
        assert "DSHUB_LOCK=off" in done.stderr
        assert dshub("lock", "tiny/one").returncode == 8  # writing would drop the other entries
    assert dshub("info", "tiny/one", DSHUB_LOCK="off").returncode == 0
    assert dshub("lock").returncode == 0
    assert dshub("lock", "--check").returncode == 0


def test_lock_without_names_is_a_usage_error(dshub: Run) -> None:
    done = dshub("lock")
    assert done.returncode == 2
    assert "[tool.dshub]" in done.stderr
    assert dshub("lock", "mnist", DSHUB_LOCK="0").returncode == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rows = 3", "rows = 4", "split train was 4 rows and is now 3 rows"),
        ("sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", ""),
    ],
)
def test_inconsistent_lock_is_an_error(
    dshub: Run, project: Path, old: str, new: str, message: str
) -> None:
    """A merge can mix lines of two locks and keep a valid digest."""
    dshub("lock")
    path = project / "dshub.lock"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(old, new, text), encoding="utf-8")
    done = dshub("lock", "--check")
    assert done.returncode == 5
    assert (message or "file images was sha256:0") in done.stdout


def test_missing_locked_dataset_is_drift(dshub: Run, project: Path, registry: Path) -> None:
    dshub("lock", "tiny/one")
    (project / "pyproject.toml").write_text("[tool.dshub]\n", encoding="utf-8")
    (registry / "tiny" / "one" / "1.0.0.toml").unlink()
    done = dshub("lock", "--check")
    assert done.returncode == 5
    assert "tiny/one@1.0.0 is no longer in the registry" in done.stdout
    done = dshub("info", "tiny/one")
    assert done.returncode == 5
    assert "DSHUB_REGISTRY" in done.stderr
