import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from dshub import Hub, Registry, Settings
from dshub.cache.owners import own_name
from dshub.cache.usage import Removals
from dshub.catalog.features import LabelFeature
from dshub.progress import Silent

if TYPE_CHECKING:
    from tests.hub.conftest import Process, World


def kill(child: "subprocess.Popen[bytes]") -> None:
    """Kill a process and wait until it has ended."""
    child.kill()
    child.wait()


def removed_reasons(removals: Removals) -> dict[str, str]:
    """Return the reason for each removed item, and check that its path is gone."""
    assert not any(os.path.lexists(removal.item.path) for removal in removals.removed)
    return {removal.item.name: removal.reason for removal in removals.removed}


def left_reasons(removals: Removals) -> dict[str, str]:
    """Return the reason for each item that was not removed."""
    assert all(removal.item.path.exists() for removal in removals.left)
    return {removal.item.name: removal.reason for removal in removals.left}


def test_leftovers_of_dead_processes_are_removed(world: "World", process: "Process") -> None:
    living = [process("table"), process("scratch")]
    for child in (process("table"), process("scratch")):
        kill(child)
    assert len(world.cache.items()) == 4
    removals = world.cache.gc()
    reason = "left over from a dead process"
    assert removed_reasons(removals) == {"an unfinished table": reason, "a working folder": reason}
    reason = "a running process is using it"
    assert left_reasons(removals) == {"an unfinished table": reason, "a working folder": reason}
    assert [child.poll() for child in living] == [None, None]
    assert world.cache.gc().removed == ()


def test_recent_leftovers_of_other_machines_are_not_removed(world: "World") -> None:
    """A machine cannot see whether a process on another machine is alive."""
    folder = world.root / "partial-v1" / "table-0123456789abcdef.elsewhere-1-0123abcd"
    folder.mkdir(parents=True)
    assert world.cache.gc().removed == ()
    assert folder.is_dir()
    assert len(world.cache.rm(None, kinds={"partial"}).removed) == 1
    assert not folder.exists()


def test_old_leftovers_of_other_machines_are_removed(world: "World") -> None:
    """A restarted container has a new host name and cannot resume its old work."""
    folder = world.root / "partial-v1" / "table-0123456789abcdef.elsewhere-1-0123abcd"
    folder.mkdir(parents=True)
    month_ago = time.time() - 31 * 86400
    os.utime(folder, (month_ago, month_ago))
    reason = "from another machine, unused for 30 days"
    assert removed_reasons(world.cache.gc()) == {"an unfinished table": reason}


def test_files_of_other_programs_are_not_removed(world: "World") -> None:
    path = world.root / "partial-v1" / "notes.txt"
    path.parent.mkdir(parents=True)
    path.write_text("do not delete")
    assert world.cache.gc(partial=True) == Removals()
    assert path.exists()


def test_resumable_downloads_are_not_removed(world: "World", process: "Process") -> None:
    path = world.leave(world.labels("solo"), b"x" * 500)
    kill(process("download", world.images.sha256 or ""))
    removals = world.cache.gc()
    assert removals.removed == ()
    assert len(removals.left) == 2
    assert path.exists()
    child = process("download", world.labels("tiny/one").hex)
    assert set(removed_reasons(world.cache.gc(partial=True)).values()) == {"an unfinished download"}
    assert len(world.cache.items()) == 1
    assert child.poll() is None


@pytest.mark.parametrize("content", [False, True])
def test_downloads_of_complete_files_are_removed(world: "World", content: bool) -> None:
    manifest = world.manifests["solo"]
    if content:
        inside = manifest.resources["labels"]
        outside = replace(inside, sha256="0" * 64, content_sha256=inside.sha256, size=None)
        world.manifests["solo"] = replace(manifest, resources={"labels": outside})
    path = Path(manifest.resources["labels"].urls[0])
    world.hub.import_files("solo", [path])
    world.leave(world.labels("solo"), b"late")
    assert list(removed_reasons(world.cache.gc()).values()) == ["a complete copy is in the cache"]
    assert world.names() == ["solo: labels"]


def test_rejected_and_damaged_bytes_are_removed(world: "World") -> None:
    world.fetch("solo")
    store = world.hub.store
    world.reject(world.images.digest, b"<html>")
    store.set_aside(world.item("solo: labels").path)
    store.set_aside(world.item("solo train").path)
    assert sorted(removed_reasons(world.cache.gc()).values()) == [
        "damaged and set aside",
        "damaged and set aside",
        "wrong bytes from a source",
    ]
    assert world.names() == []


def prepare_outdated_table(world: "World") -> None:
    """Prepare two tables of `solo`, the older of which matches no manifest."""
    world.fetch("solo")
    names = LabelFeature(names=("x", "y", "z"))
    world.manifests["solo"] = replace(world.manifests["solo"], features={"label": names})
    world.fetch("solo")
    assert world.names() == ["solo train", "solo train", "solo: labels"]


def test_outdated_tables_are_removed(world: "World") -> None:
    """Renaming a class changes the key of the table."""
    prepare_outdated_table(world)
    assert removed_reasons(world.cache.gc()) == {"solo train": "no manifest uses this table"}
    assert world.names() == ["solo train", "solo: labels"]
    feature = world.hub.load("solo", "train").features["label"]
    assert feature == LabelFeature(names=("x", "y", "z"))


def test_tables_of_older_versions_are_not_removed(world: "World") -> None:
    world.fetch("solo")
    old = world.manifests["solo"]
    names = LabelFeature(names=("x", "y", "z"))
    world.manifests["newer"] = replace(old, version="2.0.0", features={"label": names})
    world.fetch("solo")
    assert world.cache.gc() == Removals()


def test_tables_without_a_manifest_or_reader_are_not_removed(world: "World") -> None:
    """The dataset can be missing from the registry, or its reader from the installation."""
    prepare_outdated_table(world)
    del world.manifests["solo"]
    assert world.cache.gc() == Removals()
    world.manifests["solo"] = world.manifest("solo", {"labels": world.images})
    split = replace(world.manifests["solo"].splits["train"], reader={"format": "martian"})
    world.manifests["solo"] = replace(world.manifests["solo"], splits={"train": split})
    assert world.cache.gc() == Removals()
    assert len(world.names()) == 3


def test_tables_of_a_faulty_manifest_are_not_removed(
    world: "World", tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prepare_outdated_table(world)
    path = tmp_path / "registry" / "solo" / "1.0.0.toml"
    path.parent.mkdir(parents=True)
    path.write_text("schema = 1\n")
    registry = Registry([tmp_path / "registry"], built_in=False)
    hub = Hub(settings=Settings.read(cache=world.root), registry=registry, progress=Silent())
    assert hub.cache.gc() == Removals()
    assert "skipped" in caplog.text


def test_outdated_tables_of_a_pinned_dataset_are_not_removed(world: "World") -> None:
    prepare_outdated_table(world)
    world.cache.pin("solo")
    world.leave(world.labels("solo"), b"late")
    world.reject(world.images.digest, b"<html>")
    removals = world.cache.gc(partial=True)
    assert left_reasons(removals) == {"solo train": "pinned"}
    assert sorted(removed_reasons(removals).values()) == [
        "a complete copy is in the cache",
        "wrong bytes from a source",
    ]


def test_synthetic_data_without_files_is_removed(world: "World") -> None:
    world.hub.load("solo", "train", synthetic=5)
    # With equal row counts, both datasets would share one file of labels.
    world.hub.load("tiny/one", "train", synthetic=6)
    assert world.cache.gc() == Removals()
    world.cache.rm(["solo"], kinds={"raw"})
    assert removed_reasons(world.cache.gc()) == {
        "manifest of synthetic solo": "the files of the synthetic data are gone",
        "solo train (synthetic)": "no manifest uses this table",
    }
    assert {name for item in world.cache.items() for name in item.datasets} == {"tiny/one"}


def test_folder_without_a_table_record_is_removed(world: "World") -> None:
    world.fetch("solo")
    (world.item("solo train").path / "table.json").unlink()
    assert removed_reasons(world.cache.gc()) == {"solo": "not a table: it has no table.json"}


def test_lock_files_are_not_removed(world: "World", process: "Process") -> None:
    world.fetch("tiny")
    locks = set((world.root / "partial-v1").glob("*.lock"))
    world.cache.gc(partial=True)
    world.cache.rm(None)
    assert locks
    assert set((world.root / "partial-v1").glob("*.lock")) == locks


def test_interrupted_removal_is_completed(world: "World", process: "Process") -> None:
    """A killed `rm` leaves part of a table in a working folder."""
    child = process("scratch")
    kill(child)
    left = (
        world.root
        / "partial-v1"
        / own_name("removed").replace(f"-{os.getpid()}-", f"-{child.pid}-")
    )
    left.mkdir()
    (left / "train-00000-of-00001.arrow").write_bytes(b"rows")
    assert "content that is being removed" in removed_reasons(world.cache.gc())
    assert world.names() == []


def test_dry_run_removes_nothing(world: "World", process: "Process") -> None:
    prepare_outdated_table(world)
    kill(process("scratch"))
    before = world.names()
    planned = world.cache.gc(dry_run=True)
    assert world.names() == before
    assert removed_reasons(world.cache.gc()) == {r.item.name: r.reason for r in planned.removed}
    assert len(planned.removed) == 2


def test_processes_can_remove_at_the_same_time(world: "World") -> None:
    world.fetch("tiny", "solo")
    cache = str(world.root)
    code = (
        "import sys; from pathlib import Path; from dshub import Hub, Settings;"
        f"hub = Hub(settings=Settings.read(cache={cache!r}));"
        "print('ready', flush=True); sys.stdin.read(1); hub.cache.rm(None)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    for process_ in processes:
        assert process_.stdout is not None
        assert process_.stdout.readline() == b"ready\n"
    for process_ in processes:
        process_.communicate(b"!")
    assert [process_.returncode for process_ in processes] == [0, 0, 0]
    assert world.names() == []
