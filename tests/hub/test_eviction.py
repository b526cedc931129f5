import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from dshub.cache.usage import Removals
from dshub.checksums import Digest
from dshub.errors import DshubError, StoreError

if TYPE_CHECKING:
    from tests.hub.conftest import World

DAY = 86400.0


@pytest.fixture
def aged(world: "World") -> "World":
    """Prepare `tiny/one` (just used), `solo` (used 20 days ago) and `tiny/two` (40 days ago)."""
    world.fetch("tiny", "solo")
    world.age("tiny/two", 40)
    world.age("solo", 20)
    world.hub.load("tiny/one", "train")
    return world


def total(world: "World") -> int:
    """Return the size of the cache in bytes."""
    return sum(item.size for item in world.cache.items())


def cached_datasets(world: "World") -> set[str]:
    """Return the names of the datasets in the cache."""
    return {name for item in world.cache.items() for name in item.datasets}


def removed_names(removals: Removals) -> list[str]:
    """Return the sorted names of removed items, and check that their paths are gone."""
    assert not any(removal.item.path.exists() for removal in removals.removed)
    return sorted(removal.item.name for removal in removals.removed)


def test_least_recently_used_datasets_are_removed_first(aged: "World") -> None:
    size = total(aged)
    assert aged.cache.prune(max_size=size).removed == ()
    removals = aged.cache.prune(max_size=size - 1)
    assert removed_names(removals) == ["tiny/two train", "tiny/two: labels"]
    assert {removal.reason for removal in removals.removed} == {"least recently used"}
    assert cached_datasets(aged) == {"tiny/one", "solo"}
    size = total(aged)
    aged.cache.prune(max_size=size - 1)
    assert cached_datasets(aged) == {"tiny/one"}
    assert aged.item("tiny/one: images")


def test_loading_counts_as_use(aged: "World") -> None:
    aged.hub.load("tiny/two", "train")
    aged.cache.prune(max_size=total(aged) - 1)
    assert cached_datasets(aged) == {"tiny/one", "tiny/two"}


def test_shared_file_is_removed_with_its_last_dataset(aged: "World") -> None:
    assert aged.cache.prune(max_size=0).left == ()
    assert aged.names() == []


def test_datasets_unused_for_a_long_time_are_removed(aged: "World") -> None:
    removals = aged.cache.prune(older_than=30 * DAY)
    assert removed_names(removals) == ["tiny/two train", "tiny/two: labels"]
    assert {removal.reason for removal in removals.removed} == {"not used for 40 days"}
    assert aged.cache.prune(older_than=30 * DAY).removed == ()


def test_each_limit_is_enforced(aged: "World") -> None:
    size = sum(item.size for item in aged.cache.items("tiny/one"))
    removals = aged.cache.prune(older_than=30 * DAY, max_size=size)
    assert {removal.reason for removal in removals.removed} == {
        "not used for 40 days",
        "least recently used",
    }
    assert cached_datasets(aged) == {"tiny/one"}


def test_pinned_datasets_are_not_removed(aged: "World") -> None:
    aged.cache.pin("tiny/two")
    removals = aged.cache.prune(older_than=0)
    assert cached_datasets(aged) == {"tiny/two"}
    assert aged.names() == ["tiny/two train", "tiny/two: images", "tiny/two: labels"]
    assert {removal.reason for removal in removals.left} == {"pinned"}
    aged.cache.unpin("tiny/two")
    aged.cache.prune(older_than=0)
    assert aged.names() == []


@pytest.mark.parametrize("options", [{}, {"dry_run": True}])
def test_pinned_content_larger_than_the_limit_is_an_error(
    aged: "World", options: dict[str, Any]
) -> None:
    aged.cache.pin("tiny", "solo")
    aged.cache.unpin("tiny/two")
    before = aged.names()
    with pytest.raises(DshubError, match=r"B pinned.* nothing was removed") as message:
        aged.cache.prune(max_size=1000, **options)
    assert message.value.exit_code == 1
    assert "unpin" in message.value.hint
    assert aged.names() == before


def test_unfinished_downloads_larger_than_the_limit_are_an_error(aged: "World") -> None:
    aged.leave(Digest.of_bytes(b"whole"), b"x" * 5000)
    before = aged.names()
    with pytest.raises(DshubError, match="kB unfinished or in progress") as message:
        aged.cache.prune(max_size=4000)
    assert "gc --partial" in message.value.hint
    assert aged.names() == before


def test_garbage_is_removed_before_datasets(aged: "World") -> None:
    aged.reject(Digest.of_bytes(b"whole"), b"x" * 5000)
    removals = aged.cache.prune(max_size=total(aged) - 1)
    assert [removal.item.kind for removal in removals.removed] == ["partial"]
    assert cached_datasets(aged) == {"tiny/one", "tiny/two", "solo"}


def test_files_without_a_dataset_are_removed_by_age(aged: "World") -> None:
    for data, days in ((b"older", 50), (b"newer", 1)):
        path = aged.keep(data)
        moment = path.stat().st_mtime - days * DAY
        os.utime(path, (moment, moment))
    (removal,) = aged.cache.prune(max_size=total(aged) - 1).removed
    assert removal.item.path.name == Digest.of_bytes(b"older").hex


def test_keep_raw_removes_tables_only(aged: "World") -> None:
    removals = aged.cache.prune(keep="raw", older_than=30 * DAY)
    assert removed_names(removals) == ["tiny/two train"]
    aged.cache.prune(keep="raw")
    assert {item.kind for item in aged.cache.items()} == {"raw"}


def test_keep_prepared_removes_raw_files_only(aged: "World") -> None:
    split = aged.manifests["solo"].splits["train"]
    splits = {"train": split, "again": split}
    aged.manifests["solo"] = replace(aged.manifests["solo"], splits=splits)
    removals = aged.cache.prune(keep="prepared")
    assert removed_names(removals) == [
        "tiny/one: images, shared with tiny/two",
        "tiny/one: labels",
        "tiny/two: labels",
    ]
    assert aged.item("solo: labels")
    assert len(aged.hub.load("tiny/one", "train")) == 1000


def test_shared_raw_file_stays_until_all_datasets_are_prepared(world: "World") -> None:
    world.fetch("tiny/one")
    world.fetch("tiny/two", prepare=False)
    assert removed_names(world.cache.prune(keep="prepared")) == ["tiny/one: labels"]


def test_shared_file_alone_can_be_evicted(world: "World") -> None:
    solo = world.manifests["solo"]
    for name in ("family/a", "family/b"):
        world.manifests[name] = replace(solo, name=name)
    del world.manifests["solo"]
    world.fetch("family", prepare=False)
    world.age("family/a", 10)
    assert world.cache.prune(older_than=20 * DAY).removed == ()
    assert len(world.cache.prune(older_than=5 * DAY).removed) == 1


def test_dry_run_removes_nothing(aged: "World") -> None:
    before = aged.names()
    planned = aged.cache.prune(older_than=10 * DAY, dry_run=True)
    assert aged.names() == before
    assert aged.cache.prune(older_than=10 * DAY).removed == planned.removed
    assert planned.removed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="changes the user of a child process")
def test_read_only_cache_is_not_changed(aged: "World", enterable: Path) -> None:
    """Listing works; removing and pinning raise errors with the path of the cache."""
    for path in [aged.root, *aged.root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.read_bytes() for path in aged.root.rglob("*") if path.is_file()}
    if (child := os.fork()) == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            cache = aged.cache
            assert len(cache.items()) == 7
            assert len(cache.usage()) == 4
            assert {finding.state for finding in cache.verify()} == {"ok"}
            assert cache.gc().removed == ()
            for remove in (
                lambda: cache.rm(["solo"]),
                lambda: cache.rm(["solo"], kinds={"prepared"}),
                lambda: cache.prune(max_size=0),
                lambda: cache.pin("solo"),
            ):
                with pytest.raises(StoreError, match=str(aged.root)) as message:
                    remove()
                assert message.value.exit_code == 8
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for path in aged.root.rglob("*"):
        assert path.is_dir() or before[path] == path.read_bytes()
    for path in [aged.root, *aged.root.rglob("*")]:
        path.chmod(0o755)


def test_evicted_content_is_fetched_again(aged: "World") -> None:
    aged.cache.prune(max_size=0)
    assert len(aged.hub.load("solo", "train")) == 1000
