import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dshub import Hub, Settings
from dshub.mirrors.serve.routes import of_mirror
from dshub.mirrors.serve.server import serving
from dshub.progress import Silent

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]

STRAYS = (".DS_Store", "._1.0.0.toml", ".nfs000000000001", "Thumbs.db", "desktop.ini")


def content(mirror: Path) -> dict[Path, bytes]:
    """Return the bytes of every file except the index and locks."""
    return {
        path: path.read_bytes()
        for path in mirror.rglob("*")
        if path.is_file() and path.name != "index.json" and path.suffix != ".lock"
    }


def load_labels(cache: Path, mirror: str) -> Any:
    """Load the labels of a dataset from a mirror alone."""
    settings = Settings.read(environment={}, cache=cache, mirrors=[mirror])
    return list(Hub(settings=settings, progress=Silent()).load("lab/mnist", "train")["label"])


def test_stray_files_in_a_mirror_are_ignored(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    mirror = tmp_path / "m"
    assert dshub("mirror", "m", "lab", "--prepared", "--no-pages").returncode == 0
    before = content(mirror)
    strays: dict[Path, bytes] = {}
    for folder in [mirror, *(path for path in mirror.rglob("*") if path.is_dir())]:
        strays |= {folder / name: b"\0\xffnot ours" for name in STRAYS}
        (folder / ".fseventsd").mkdir()
        (folder / "new folder").mkdir()
    for path, data in strays.items():
        path.write_bytes(data)
    content_with_strays = before | strays
    again = ("mirror", "m", "lab", "--prepared", "--no-pages")
    for options in ([], ["--prune", "--dry-run"], ["--prune"]):
        done = dshub(*again, *options)
        assert done.returncode == 0, done.stderr
        assert "remove" not in done.stdout
        assert content(mirror) == content_with_strays
    verified = dshub("mirror", "m", "--verify", "--json")
    assert verified.returncode == 0
    states = {tmp_path / "m" / f["name"]: f["state"] for f in json.loads(verified.stdout)["files"]}
    assert {path for path, state in states.items() if state == "other"} == {
        path
        for path in strays
        if path.relative_to(mirror).parts[0] in {"blobs-v1", "registry", "tables-v1"}
    }
    assert content(mirror) == content_with_strays
    rows = load_labels(tmp_path / "from-folder", str(mirror))
    with serving(mirror, public=of_mirror) as url:
        assert load_labels(tmp_path / "from-server", url) == rows
    pruned = json.loads(dshub("mirror", "m", "lab/mnist", "--prune", "--json", "--no-pages").stdout)
    gone = {mirror / name for name in pruned["removed"]}
    assert gone
    assert not gone & strays.keys()
    assert content(mirror) == {k: data for k, data in content_with_strays.items() if k not in gone}
    assert load_labels(tmp_path / "afterwards", str(mirror)) == rows


def test_dry_run_lists_the_files_to_prune(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    dshub("mirror", "m", "lab/mnist", "lab/kmnist", "--no-pages")
    again = ("mirror", "m", "lab/kmnist", "--no-pages", "--prune")
    planned = json.loads(dshub(*again, "--dry-run", "--json").stdout)["to_remove"]
    shown = dshub(*again, "--dry-run").stdout
    assert all(f"remove  {item['path']}" in shown for item in planned)
    removed = json.loads(dshub(*again, "--json").stdout)["removed"]
    assert sorted(item["path"] for item in planned) == removed
    assert removed


def test_replacing_a_whole_mirror_needs_confirmation(
    dshub: Run, lab: "Lab", tmp_path: Path
) -> None:
    dshub("mirror", "m", "lab/mnist", "--no-pages")
    before = content(tmp_path / "m")
    done = dshub("mirror", "m", "lab/kmnist", "--no-pages", "--prune")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert content(tmp_path / "m") == before
    assert dshub("mirror", "m", "lab/kmnist", "--no-pages", "--prune", "--yes").returncode == 0
    assert not before.keys() <= content(tmp_path / "m").keys()


def test_pruning_a_manual_file_needs_confirmation(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    path = lab.registry / "lab" / "kmnist" / "1.0.0.toml"
    text = path.read_text()
    file = re.search(r'urls = \["\S+/(\S+?)"\]', text)
    assert file is not None
    manual = f'filename = "{file[1]}"\naccess = "manual"\ninstructions = "Ask for it."'
    path.write_text(text.replace(file[0], manual))
    dshub("import", "lab/kmnist", str(lab.upstream / "lab" / "kmnist"))
    assert dshub("mirror", "m", "lab/mnist", "lab/kmnist", "--no-pages").returncode == 0
    dshub("cache", "rm", "--all", "--yes")
    done = dshub("mirror", "m", "lab/mnist", "--no-pages", "--prune")
    assert done.returncode == 2
    assert "cannot be downloaded again (lab/kmnist: " in done.stderr
    assert dshub("mirror", "m", "lab/mnist", "--no-pages", "--prune", "--yes").returncode == 0
