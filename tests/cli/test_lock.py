"""Data pinned like code: dshub.lock, and what happens when the data are others."""

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
def project(tmp_path: Path, own: Path) -> Path:
    """The folder that commands run in, with a pyproject.toml that names two datasets."""
    folder = tmp_path / "work"
    folder.mkdir(exist_ok=True)
    text = '[tool.dshub]\ndatasets = ["tiny"]\n'
    (folder / "pyproject.toml").write_text(text)
    return folder


def locked(project: Path) -> dict[str, dict[str, Any]]:
    content = tomllib.loads((project / "dshub.lock").read_text("utf-8"))
    return {item["name"]: item for item in content["dataset"]}


def hub(project: Path, **given: Any) -> Hub:
    """What Python code in the project gets."""
    return Hub(settings=Settings.read(folder=project, **given), progress=Silent())


def edit(own: Path, old: str, new: str, version: str = "1.0.0") -> None:
    """Another manifest of tiny/one; beside the old one, where its version is another."""
    path = own / "tiny" / "one" / "1.0.0.toml"
    text = path.read_text().replace('"1.0.0"', f'"{version}"')
    path.with_name(f"{version}.toml").write_text(text.replace(old, new))


def test_a_lock_says_what_there_is(dshub: Run, project: Path) -> None:
    """Versions, checksums and sizes as the manifests have them, and fingerprints as `load` does."""
    assert dshub("lock").returncode == 0
    found = locked(project)
    assert list(found) == ["tiny/one", "tiny/two"]
    for name, item in found.items():
        manifest = hub(project).info(name)
        assert (item["version"], item["digest"]) == ("1.0.0", manifest.digest)
        for key, file in item["files"].items():
            resource = manifest.resources[key]
            assert file == {
                "name": resource.name,
                "digest": f"sha256:{resource.sha256}",
                "size": resource.size,
            }
        dataset = hub(project).load(name, "train")
        assert item["splits"] == {"train": {"rows": 3, "fingerprint": dataset.fingerprint}}


def test_a_lock_is_the_same_wherever_it_is_made(dshub: Run, project: Path, tmp_path: Path) -> None:
    """What is fetched or prepared has no part in it, so two machines write the same file."""
    dshub("lock")
    before = (project / "dshub.lock").read_bytes()
    dshub("fetch", "tiny")
    dshub("lock", DSHUB_SYNTHETIC="10")
    assert (project / "dshub.lock").read_bytes() == before
    assert [path.name for path in sorted(project.iterdir())] == ["dshub.lock", "pyproject.toml"]


def test_a_changed_file_is_a_changed_line(dshub: Run, project: Path, own: Path) -> None:
    """A diff of the lock shows which file changed, and little else."""
    dshub("lock")
    before = (project / "dshub.lock").read_text().splitlines()
    edit(own, "size = 28", "size = 29")
    dshub("lock")
    after = (project / "dshub.lock").read_text().splitlines()
    changed = [line for line in after if line not in before]
    assert len(changed) == 2
    assert changed[0].startswith("digest = ")
    assert changed[1].startswith("images = ")


def test_a_newer_version_is_not_taken(dshub: Run, project: Path, own: Path) -> None:
    """The version that is pinned is the one that is loaded, until it is locked anew."""
    dshub("lock")
    edit(own, "Three pictures", "Three better pictures", version="1.1.0")
    assert hub(project).info("tiny/one").version == "1.0.0"
    assert hub(project).load("tiny/one", "train").manifest.version == "1.0.0"  # type: ignore[union-attr]
    assert hub(project).info("tiny/one@1.1.0").version == "1.1.0"
    assert hub(project, lock="off").info("tiny/one").version == "1.1.0"
    assert json.loads(dshub("info", "tiny/one", "--json").stdout)["manifest"]["version"] == "1.0.0"
    assert dshub("lock", "--check").returncode == 0
    dshub("lock", "tiny/one")
    assert hub(project).info("tiny/one").version == "1.1.0"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"cat", "dog"', '"dog", "cat"', "its columns, or how rows are made from its files"),
        ("rows = 3", "rows = 2", "split train was 3 rows, and is 2 rows"),
        ('sha256 = "', 'sha256 = "0000', "file images was sha256:"),
        ("resources.labels]", "resources.marks]", "file labels is gone"),
    ],
)
def test_a_manifest_that_has_changed_is_refused(
    dshub: Run, project: Path, own: Path, old: str, new: str, told: str
) -> None:
    """`load` says what has changed; so do `fetch --locked` and `lock --check`, with their code."""
    dshub("lock")
    if "0000" in new:
        path = own / "tiny" / "one" / "1.0.0.toml"
        old = path.read_text().partition('sha256 = "')[2][:64]
        new = "0" * 64
    edit(own, old, new)
    if "marks" in told or "marks" in new:
        edit(own, 'label = "labels"', 'label = "marks"')
    with pytest.raises(LockError, match="tiny/one@1") as caught:
        hub(project).load("tiny/one", "train")
    assert told in str(caught.value)
    for command in (["lock", "--check"], ["fetch", "--locked"], ["fetch", "tiny/one"]):
        done = dshub(*command)
        assert done.returncode == 5
        assert told in done.stdout + done.stderr
    assert dshub("fetch", "--locked", "tiny/two").returncode == 0
    assert "DSHUB_LOCK=off" in dshub("fetch", "tiny/one").stderr
    assert hub(project, lock="off").info("tiny/one").name == "tiny/one"


def test_words_and_addresses_may_change(dshub: Run, project: Path, own: Path) -> None:
    """What decides no row is no drift."""
    dshub("lock")
    edit(own, "Three pictures.", "Three small pictures.")
    edit(own, "/images.idx", "/elsewhere/images.idx")
    assert dshub("lock", "--check").returncode == 0
    assert hub(project).info("tiny/one").summary == "Three small pictures."


def test_what_is_locked_is_fetched(dshub: Run, project: Path, cache: Path) -> None:
    """Everything in the lock, whatever the project names; without a lock it is an error."""
    assert dshub("fetch", "--locked").returncode == 5
    assert "there is no" in dshub("lock", "--check").stdout
    dshub("lock", "tiny/two")
    answer = json.loads(dshub("fetch", "--locked", "--json").stdout)
    assert {item["dataset"] for item in answer["files"]} == {"tiny/two"}
    done = dshub("fetch", "--locked", "tiny")
    assert done.returncode == 5
    assert "tiny/one is not locked" in done.stderr
    check = json.loads(dshub("lock", "--check", "--json").stdout)
    assert check["drift"] == ["tiny/one is not locked"]


def test_locking_one_leaves_the_others(dshub: Run, project: Path, own: Path) -> None:
    """Named datasets are locked beside those that are; without names, the project's are."""
    dshub("lock", "tiny/one")
    dshub("lock", "tiny/two")
    dshub("lock", "mnist")
    assert list(locked(project)) == ["mnist", "tiny/one", "tiny/two"]
    dshub("lock")
    assert list(locked(project)) == ["tiny/one", "tiny/two"]
    edit(own, "x", "x", version="2.0.0")
    assert dshub("lock", "tiny/one@1.0.0", "tiny/one@2.0.0").returncode == 2
    assert dshub("lock", "tiny/one@2.0.0").returncode == 0
    assert locked(project)["tiny/one"]["version"] == "2.0.0"


def test_own_data_by_path(dshub: Run, project: Path, own: Path) -> None:
    """A manifest in the project is locked by its path, from wherever a command is run."""
    path = project / "data" / "1.0.0.toml"
    path.parent.mkdir()
    path.write_text((own / "tiny" / "one" / "1.0.0.toml").read_text().replace("tiny/one", "mine"))
    (project / "pyproject.toml").write_text('[tool.dshub]\ndatasets = ["data/1.0.0.toml"]\n')
    dshub("lock")
    assert locked(project)["mine"]["path"] == "data/1.0.0.toml"
    assert hub(project).load(str(path), "train")[2]["label"] == 0
    assert dshub("lock", "--check").returncode == 0
    path.write_text(path.read_text().replace("rows = 3", "rows = 2"))
    assert dshub("lock", "--check").returncode == 5
    with pytest.raises(LockError, match="split train was 3 rows"):
        hub(project).load(str(path), "train")


def test_a_version_that_is_gone(dshub: Run, project: Path, own: Path) -> None:
    """A pinned version that no registry has is drift, and no other one is taken for it."""
    dshub("lock")
    edit(own, "x", "x", version="1.1.0")
    (own / "tiny" / "one" / "1.0.0.toml").unlink()
    with pytest.raises(LockError, match="is no longer in any registry"):
        hub(project).info("tiny/one")
    assert dshub("lock", "--check").returncode == 5


def test_a_lock_that_cannot_be_read(dshub: Run, project: Path) -> None:
    """A lock of another kind, or half a lock, is an error and is never passed over."""
    for text in ("[[dataset]\n", "schema = 2\n", '[[dataset]]\nname = "tiny/one"\n', "\udcff"):
        (project / "dshub.lock").write_bytes(text.encode("utf-8", "surrogateescape"))
        done = dshub("info", "tiny/one")
        assert done.returncode == 8
        assert "dshub.lock" in done.stderr
        assert "DSHUB_LOCK=off" in done.stderr
        assert dshub("lock", "tiny/one").returncode == 8  # would lose the other entries
    assert dshub("info", "tiny/one", DSHUB_LOCK="off").returncode == 0
    assert dshub("lock").returncode == 0
    assert dshub("lock", "--check").returncode == 0


def test_nothing_to_lock(dshub: Run) -> None:
    """Without names, here or in pyproject.toml, it is a wrong call that says where to put them."""
    done = dshub("lock")
    assert done.returncode == 2
    assert "[tool.dshub]" in done.stderr
    assert dshub("lock", "mnist", DSHUB_LOCK="0").returncode == 2


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("rows = 3", "rows = 4", "split train was 4 rows, and is 3 rows"),
        ("sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", ""),
    ],
)
def test_a_lock_whose_lines_do_not_agree(
    dshub: Run, project: Path, old: str, new: str, told: str
) -> None:
    """Although the digest of the manifest is right: lines of two sides may have been mixed."""
    dshub("lock")
    path = project / "dshub.lock"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(old, new, text), encoding="utf-8")
    done = dshub("lock", "--check")
    assert done.returncode == 5
    assert (told or "file images was sha256:0") in done.stdout


def test_a_dataset_that_is_gone(dshub: Run, project: Path, own: Path) -> None:
    """A pinned dataset of which no version is left is drift, too, and says what can be done."""
    dshub("lock", "tiny/one")
    (project / "pyproject.toml").write_text("[tool.dshub]\n", encoding="utf-8")
    (own / "tiny" / "one" / "1.0.0.toml").unlink()
    done = dshub("lock", "--check")
    assert done.returncode == 5
    assert "tiny/one@1.0.0 is no longer in any registry" in done.stdout
    done = dshub("info", "tiny/one")
    assert done.returncode == 5
    assert "DSHUB_REGISTRY" in done.stderr
