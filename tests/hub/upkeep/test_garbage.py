"""What is of no use any more goes, and nothing else."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from dshub import Hub, Registry, Settings
from dshub.cache.items import Removals
from dshub.cache.owners import own_name
from dshub.catalog.features import LabelFeature
from dshub.progress import Silent

if TYPE_CHECKING:
    from tests.hub.upkeep.conftest import Process, World


def kill(child: "subprocess.Popen[bytes]") -> None:
    """End a process as `kill -9` does: it tidies nothing up."""
    child.kill()
    child.wait()


def went(removals: Removals) -> dict[str, str]:
    """What was removed, and why; it is gone indeed."""
    assert not any(os.path.lexists(removal.item.path) for removal in removals.removed)
    return {removal.item.name: removal.reason for removal in removals.removed}


def stayed(removals: Removals) -> dict[str, str]:
    """What was left, and why."""
    assert all(removal.item.path.exists() for removal in removals.left)
    return {removal.item.name: removal.reason for removal in removals.left}


def test_what_the_dead_left_goes(world: "World", process: "Process") -> None:
    """Working folders and half tables of killed processes; those of living ones stay."""
    living = [process("table"), process("scratch")]
    for child in (process("table"), process("scratch")):
        kill(child)
    assert len(world.cache.items()) == 4
    removals = world.cache.gc()
    reason = "left by a process that is no more"
    assert went(removals) == {"a table under way": reason, "a working folder": reason}
    reason = "a living process is at work on it"
    assert stayed(removals) == {"a table under way": reason, "a working folder": reason}
    assert [child.poll() for child in living] == [None, None]
    assert world.cache.gc().removed == ()


def test_what_another_machine_may_be_at_work_on_stays(world: "World") -> None:
    """Its processes cannot be asked, and a shared cache has several machines."""
    folder = world.root / "partial-v1" / "table-0123456789abcdef.elsewhere-1-0123abcd"
    folder.mkdir(parents=True)
    assert world.cache.gc().removed == ()
    assert folder.is_dir()
    assert len(world.cache.rm(None, kinds={"partial"}).removed) == 1
    assert not folder.exists()


def test_what_another_machine_left_long_ago_goes(world: "World") -> None:
    """A container that was killed has another name when it comes back, and asks for it no more."""
    folder = world.root / "partial-v1" / "table-0123456789abcdef.elsewhere-1-0123abcd"
    folder.mkdir(parents=True)
    month_ago = time.time() - 31 * 86400
    os.utime(folder, (month_ago, month_ago))
    reason = "of another machine, and untouched for 30 days"
    assert went(world.cache.gc()) == {"a table under way": reason}


def test_what_dshub_did_not_make_stays(world: "World") -> None:
    """Somebody put it there."""
    path = world.root / "partial-v1" / "notes.txt"
    path.parent.mkdir(parents=True)
    path.write_text("do not delete")
    assert world.cache.gc(partial=True) == Removals()
    assert path.exists()


def test_downloads_that_can_be_gone_on_with_stay(world: "World", process: "Process") -> None:
    """Whether a process ended or was killed; `partial` removes them too, but none under way."""
    path = world.leave(world.labels("solo"), b"x" * 500)
    kill(process("download", world.images.sha256 or ""))
    removals = world.cache.gc()
    assert removals.removed == ()
    assert len(removals.left) == 2
    assert path.exists()
    child = process("download", world.labels("tiny/one").hex)
    assert set(went(world.cache.gc(partial=True)).values()) == {"an unfinished download"}
    assert len(world.cache.items()) == 1
    assert child.poll() is None


@pytest.mark.parametrize("content", [False, True])
def test_downloads_of_files_that_are_here_go(world: "World", content: bool) -> None:
    """The file has come another way since; the bytes inside it count as well."""
    manifest = world.manifests["solo"]
    if content:
        inside = manifest.resources["labels"]
        outside = replace(inside, sha256="0" * 64, content_sha256=inside.sha256, size=None)
        world.manifests["solo"] = replace(manifest, resources={"labels": outside})
    path = Path(manifest.resources["labels"].urls[0])
    world.hub.import_files("solo", [path])
    world.leave(world.labels("solo"), b"late")
    assert list(went(world.cache.gc()).values()) == ["the file is here whole by now"]
    assert world.names() == ["solo: labels"]


def test_rejected_and_damaged_bytes_go(world: "World") -> None:
    """They were kept for a look, and somebody who collects has had it."""
    world.fetch("solo")
    store = world.hub.store
    world.reject(world.images.digest, b"<html>")
    store.set_aside(world.item("solo: labels").path)
    store.set_aside(world.item("solo train").path)
    assert sorted(went(world.cache.gc()).values()) == [
        "a source sent it in place of the file",
        "it was found damaged, and put aside",
        "it was found damaged, and put aside",
    ]
    assert world.names() == []


def outdated(world: "World") -> None:
    """Two tables of `solo`, of which the registry's manifest gives only the newer."""
    world.fetch("solo")
    names = LabelFeature(names=("x", "y", "z"))
    world.manifests["solo"] = replace(world.manifests["solo"], features={"label": names})
    world.fetch("solo")
    assert world.names() == ["solo train", "solo train", "solo: labels"]


def test_tables_that_no_manifest_gives_go(world: "World") -> None:
    """A class was renamed: the table with the old name is never found again, and nothing else."""
    outdated(world)
    assert went(world.cache.gc()) == {"solo train": "no manifest gives this table any more"}
    assert world.names() == ["solo train", "solo: labels"]
    feature = world.hub.load("solo", "train").features["label"]
    assert feature == LabelFeature(names=("x", "y", "z"))


def test_tables_of_older_versions_stay(world: "World") -> None:
    """`name@version` still finds them."""
    world.fetch("solo")
    old = world.manifests["solo"]
    names = LabelFeature(names=("x", "y", "z"))
    world.manifests["newer"] = replace(old, version="2.0.0", features={"label": names})
    world.fetch("solo")
    assert world.cache.gc() == Removals()


def test_tables_that_cannot_be_judged_stay(world: "World") -> None:
    """The dataset is in no registry, or has a reader that is not installed."""
    outdated(world)
    del world.manifests["solo"]
    assert world.cache.gc() == Removals()
    world.manifests["solo"] = world.manifest("solo", {"labels": world.images})
    split = replace(world.manifests["solo"].splits["train"], reader={"format": "martian"})
    world.manifests["solo"] = replace(world.manifests["solo"], splits={"train": split})
    assert world.cache.gc() == Removals()
    assert len(world.names()) == 3


def test_a_faulty_manifest_protects_the_tables_of_its_dataset(
    world: "World", tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it would give is unknown until it is mended."""
    outdated(world)
    path = tmp_path / "registry" / "solo" / "1.0.0.toml"
    path.parent.mkdir(parents=True)
    path.write_text("schema = 1\n")
    registry = Registry([tmp_path / "registry"], built_in=False)
    hub = Hub(settings=Settings.read(cache=world.root), registry=registry, progress=Silent())
    assert hub.cache.gc() == Removals()
    assert "left out" in caplog.text


def test_outdated_tables_of_a_pinned_dataset_stay(world: "World") -> None:
    """A pin keeps whatever there is of it, and lets go of what it is not."""
    outdated(world)
    world.cache.pin("solo")
    world.leave(world.labels("solo"), b"late")
    world.reject(world.images.digest, b"<html>")
    removals = world.cache.gc(partial=True)
    assert stayed(removals) == {"solo train": "pinned"}
    assert sorted(went(removals).values()) == [
        "a source sent it in place of the file",
        "the file is here whole by now",
    ]


def test_stand_ins_without_their_files_go(world: "World") -> None:
    """The manifest, and the tables that it alone gives; a stand-in that is whole stays."""
    world.hub.load("solo", "train", synthetic=5)
    world.hub.load(
        "tiny/one", "train", synthetic=6
    )  # other rows: else its labels are the same file
    assert world.cache.gc() == Removals()
    world.cache.rm(["solo"], kinds={"raw"})
    assert went(world.cache.gc()) == {
        "manifest of a stand-in of solo": "the files of the stand-in are gone",
        "solo train (stand-in)": "no manifest gives this table any more",
    }
    assert {name for item in world.cache.items() for name in item.datasets} == {"tiny/one"}


def test_a_folder_that_is_no_table_goes(world: "World") -> None:
    """Without a table.json it was never one, or is none any more."""
    world.fetch("solo")
    (world.item("solo train").path / "table.json").unlink()
    assert went(world.cache.gc()) == {"solo": "no table: it has no table.json"}


def test_locks_stay(world: "World", process: "Process") -> None:
    """Another process may be opening one just now; to remove it would give two the same lock."""
    world.fetch("tiny")
    locks = set((world.root / "partial-v1").glob("*.lock"))
    world.cache.gc(partial=True)
    world.cache.rm(None)
    assert locks
    assert set((world.root / "partial-v1").glob("*.lock")) == locks


def test_a_removal_that_was_cut_short_is_ended(world: "World", process: "Process") -> None:
    """What a killed `rm` left of a table is no table; collecting clears it."""
    child = process("scratch")
    kill(child)
    left = (
        world.root
        / "partial-v1"
        / own_name("removed").replace(f"-{os.getpid()}-", f"-{child.pid}-")
    )
    left.mkdir()
    (left / "train-00000-of-00001.arrow").write_bytes(b"rows")
    assert "content that is being removed" in went(world.cache.gc())
    assert world.names() == []


def test_a_dry_run_tells_the_same_and_removes_nothing(world: "World", process: "Process") -> None:
    """Each thing with the reason for which it would go."""
    outdated(world)
    kill(process("scratch"))
    before = world.names()
    planned = world.cache.gc(dry_run=True)
    assert world.names() == before
    assert went(world.cache.gc()) == {r.item.name: r.reason for r in planned.removed}
    assert len(planned.removed) == 2


def test_things_may_vanish_meanwhile(world: "World") -> None:
    """Several processes may remove at once: what is gone is as it should be."""
    world.fetch("tiny", "solo")
    cache = str(world.root)
    code = (
        "import sys; from pathlib import Path; from dshub import Hub, Settings;"
        f"hub = Hub(settings=Settings.read(cache={cache!r}));"
        "print('ready', flush=True); sys.stdin.read(1); hub.cache.rm(None)"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == b"ready\n"
    for racer in racers:
        racer.communicate(b"!")
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert world.names() == []
