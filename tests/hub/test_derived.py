"""Test that `Hub.cache` lists, verifies and removes the results of `Dataset.cache`."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from dshub.cache.usage import Removals
from dshub.errors import DshubError

if TYPE_CHECKING:
    from tests.hub.conftest import World

KEY = "0123456789abcdef"


def derive(world: "World", name: str, version: str = "1") -> Path:
    """Cache a map of `solo`, and return the folder of the result."""
    world.fetch("solo")
    mapped = world.hub.load("solo", "train").map(lambda row: {"twice": 2 * row["label"]})
    before = set(world.root.glob("derived-v1/*/*"))
    mapped.cache(name, version=version, folder=world.root)
    (folder,) = set(world.root.glob("derived-v1/*/*")) - before
    return folder


def leave(world: "World", name: str) -> Path:
    """Leave an unfinished result with its lock file, and return the path of the lock file."""
    folder = world.root / "derived-v1" / name / f"{KEY}.partial"
    folder.mkdir(parents=True)
    (folder / "rows-00000.arrow").write_bytes(b"half")
    lock = folder.with_name(f"{KEY}.lock")
    lock.touch()
    return lock


def removed(removals: Removals) -> list[str]:
    return [removal.item.name for removal in removals.removed]


def test_result_is_listed_with_its_version_and_origin(world: "World") -> None:
    folder = derive(world, "doubled", "7")
    item = world.item("doubled, version 7, from solo@1.0.0")
    assert (item.kind, item.datasets, item.path) == ("derived", ("doubled",), folder)
    assert item.size == sum(path.stat().st_size for path in folder.iterdir())
    (share,) = (share for share in world.cache.usage() if share.datasets == ("doubled",))
    assert share.sizes == {"derived": item.size}


def test_result_with_a_damaged_record_is_listed(world: "World") -> None:
    (derive(world, "doubled") / "dataset.json").write_text("[]")
    assert world.item("doubled, with an unreadable dataset.json").kind == "derived"


def test_result_is_removed_by_name(world: "World") -> None:
    folder = derive(world, "doubled")
    leave(world, "doubled")
    world.cache.rm(["doubled"])
    assert list(folder.parent.iterdir()) == []
    assert world.names() == ["solo train", "solo: labels"]


def test_pinned_result_stays(world: "World") -> None:
    folder = derive(world, "doubled")
    world.cache.pin("doubled")
    with pytest.raises(DshubError, match="doubled is pinned"):
        world.cache.rm(["doubled"])
    world.cache.prune(keep="raw")
    assert folder.is_dir()


def test_results_are_pruned_before_datasets_that_were_used_earlier(world: "World") -> None:
    derive(world, "doubled")
    world.age("solo", days=50)
    total = sum(item.size for item in world.cache.items())
    assert removed(world.cache.prune(max_size=total - 1, dry_run=True)) == [
        "doubled, version 1, from solo@1.0.0"
    ]


def test_result_with_the_name_of_a_dataset_is_pruned_alone(world: "World") -> None:
    derive(world, "solo", "2")
    total = sum(item.size for item in world.cache.items())
    assert removed(world.cache.prune(max_size=total - 1, dry_run=True)) == [
        "solo, version 2, from solo@1.0.0"
    ]


def test_reading_a_result_counts_as_use(world: "World") -> None:
    derive(world, "doubled")
    world.age("doubled", days=50)
    (path,) = world.root.glob("derived-v1/*/*/dataset.json")
    before = path.stat().st_mtime
    mapped = world.hub.load("solo", "train").map(lambda row: {"twice": 2 * row["label"]})
    mapped.cache("doubled", folder=world.root)
    assert path.stat().st_mtime > before + 86400


def test_leftovers_of_a_dead_process_are_collected(world: "World") -> None:
    lock = leave(world, "doubled")
    assert removed(world.cache.gc()) == ["lock file of doubled", "unfinished doubled"]
    assert list(lock.parent.iterdir()) == []


def test_result_in_progress_is_not_collected(world: "World") -> None:
    lock = leave(world, "doubled")
    with FileLock(lock):
        assert removed(world.cache.gc()) == []
        assert removed(world.cache.rm(["doubled"])) == []
    assert lock.with_suffix(".partial").is_dir()


def test_other_files_stay(world: "World") -> None:
    derive(world, "doubled")
    for name in ("notes.txt", "doubled/notes.txt", "doubled/mine/notes.txt"):
        path = world.root / "derived-v1" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    world.cache.rm(["doubled"])
    assert [item.kind for item in world.cache.items() if "derived-v1" in item.name] == ["other"] * 3


def test_damaged_result_is_set_aside(world: "World") -> None:
    folder = derive(world, "doubled")
    shard = folder / "rows-00000.arrow"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    findings = {finding.thing: finding for finding in world.cache.verify()}
    finding = findings["table doubled, version 1, from solo@1.0.0"]
    assert finding.state == "damaged"
    assert "rows-00000.arrow does not match its checksum" in finding.detail
    assert not folder.exists()
