"""Keeping a cache within limits, and what never goes."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from dshub.cache.items import Removals
from dshub.checksums import Digest
from dshub.errors import DshubError, StoreError

if TYPE_CHECKING:
    from tests.hub.upkeep.conftest import World

DAY = 86400.0


@pytest.fixture
def aged(world: "World") -> "World":
    """All prepared; `tiny/one` was used last, `solo` 20 days ago, `tiny/two` 40 days ago."""
    world.fetch("tiny", "solo")
    world.age("tiny/two", 40)
    world.age("solo", 20)
    world.hub.load("tiny/one", "train")
    return world


def total(world: "World") -> int:
    """Bytes in the cache."""
    return sum(item.size for item in world.cache.items())


def here(world: "World") -> set[str]:
    """The datasets of which there is something."""
    return {name for item in world.cache.items() for name in item.datasets}


def went(removals: Removals) -> list[str]:
    """What was removed, sorted."""
    assert not any(removal.item.path.exists() for removal in removals.removed)
    return sorted(removal.item.name for removal in removals.removed)


def test_the_least_recently_used_go_first(aged: "World") -> None:
    """As many datasets as have to, each as a whole; the file that another one needs stays."""
    size = total(aged)
    assert aged.cache.prune(max_size=size).removed == ()
    removals = aged.cache.prune(max_size=size - 1)
    assert went(removals) == ["tiny/two train", "tiny/two: labels"]
    assert {removal.reason for removal in removals.removed} == {"least recently used"}
    assert here(aged) == {"tiny/one", "solo"}
    size = total(aged)
    aged.cache.prune(max_size=size - 1)
    assert here(aged) == {"tiny/one"}
    assert aged.item("tiny/one: images")


def test_loading_saves_a_dataset(aged: "World") -> None:
    """The order is that of use, not of arrival."""
    aged.hub.load("tiny/two", "train")
    aged.cache.prune(max_size=total(aged) - 1)
    assert here(aged) == {"tiny/one", "tiny/two"}


def test_a_shared_file_goes_with_the_last_that_needs_it(aged: "World") -> None:
    """And not before."""
    assert aged.cache.prune(max_size=0).left == ()
    assert aged.names() == []


def test_what_was_not_used_for_long_goes(aged: "World") -> None:
    """However small the cache is."""
    removals = aged.cache.prune(older_than=30 * DAY)
    assert went(removals) == ["tiny/two train", "tiny/two: labels"]
    assert {removal.reason for removal in removals.removed} == {"not used for 40 days"}
    assert aged.cache.prune(older_than=30 * DAY).removed == ()


def test_each_limit_is_enforced(aged: "World") -> None:
    """First what is too old, then as much more as the size asks for."""
    size = sum(item.size for item in aged.cache.items("tiny/one"))
    removals = aged.cache.prune(older_than=30 * DAY, max_size=size)
    assert {removal.reason for removal in removals.removed} == {
        "not used for 40 days",
        "least recently used",
    }
    assert here(aged) == {"tiny/one"}


def test_pinned_datasets_stay(aged: "World") -> None:
    """With all they need, shared files included; and it is said."""
    aged.cache.pin("tiny/two")
    removals = aged.cache.prune(older_than=0)
    assert here(aged) == {"tiny/two"}
    assert aged.names() == ["tiny/two train", "tiny/two: images", "tiny/two: labels"]
    assert {removal.reason for removal in removals.left} == {"pinned"}
    aged.cache.unpin("tiny/two")
    aged.cache.prune(older_than=0)
    assert aged.names() == []


@pytest.mark.parametrize("options", [{}, {"dry_run": True}])
def test_pins_that_leave_no_room(aged: "World", options: dict[str, Any]) -> None:
    """Where pinned content alone is too large nothing goes: it would not help."""
    aged.cache.pin("tiny", "solo")
    aged.cache.unpin("tiny/two")
    before = aged.names()
    with pytest.raises(
        DshubError, match=r"pinned content alone takes .* nothing was removed"
    ) as told:
        aged.cache.prune(max_size=1000, **options)
    assert told.value.exit_code == 1
    assert "unpin" in told.value.hint
    assert aged.names() == before


def test_other_things_that_leave_no_room(aged: "World") -> None:
    """Unfinished downloads are not evicted; the error tells how much they take."""
    aged.leave(Digest.of_bytes(b"whole"), b"x" * 5000)
    before = aged.names()
    with pytest.raises(DshubError, match="kB unfinished or under way") as told:
        aged.cache.prune(max_size=4000)
    assert "gc --partial" in told.value.hint
    assert aged.names() == before


def test_garbage_goes_before_any_dataset(aged: "World") -> None:
    """Nobody wants to lose something of use while there is something of none."""
    aged.reject(Digest.of_bytes(b"whole"), b"x" * 5000)
    removals = aged.cache.prune(max_size=total(aged) - 1)
    assert [removal.item.kind for removal in removals.removed] == ["partial"]
    assert here(aged) == {"tiny/one", "tiny/two", "solo"}


def test_files_of_nobody_go_by_their_own_age(aged: "World") -> None:
    """Each for itself, in the order of use with the datasets."""
    for data, days in ((b"older", 50), (b"newer", 1)):
        path = aged.keep(data)
        moment = path.stat().st_mtime - days * DAY
        os.utime(path, (moment, moment))
    (removal,) = aged.cache.prune(max_size=total(aged) - 1).removed
    assert removal.item.path.name == Digest.of_bytes(b"older").hex


def test_tables_alone_may_go(aged: "World") -> None:
    """`keep="raw"`: everything can be made again without a network."""
    removals = aged.cache.prune(keep="raw", older_than=30 * DAY)
    assert went(removals) == ["tiny/two train"]
    aged.cache.prune(keep="raw")
    assert {item.kind for item in aged.cache.items()} == {"raw"}


def test_raw_files_alone_may_go(aged: "World") -> None:
    """`keep="prepared"`: only where every split is prepared; those load as before."""
    split = aged.manifests["solo"].splits["train"]
    splits = {"train": split, "again": split}
    aged.manifests["solo"] = replace(aged.manifests["solo"], splits=splits)
    removals = aged.cache.prune(keep="prepared")
    assert went(removals) == [
        "tiny/one: images, shared with tiny/two",
        "tiny/one: labels",
        "tiny/two: labels",
    ]
    assert aged.item("solo: labels")
    assert len(aged.hub.load("tiny/one", "train")) == 1000


def test_a_raw_file_stays_while_one_dataset_that_needs_it_is_not_prepared(world: "World") -> None:
    """The tables of the other do not help that one."""
    world.fetch("tiny/one")
    world.fetch("tiny/two", prepare=False)
    assert went(world.cache.prune(keep="prepared")) == ["tiny/one: labels"]


def test_one_archive_of_a_whole_family(world: "World") -> None:
    """Where only the shared file is here it still can go, though it tells of no dataset."""
    solo = world.manifests["solo"]
    for name in ("family/a", "family/b"):
        world.manifests[name] = replace(solo, name=name)
    del world.manifests["solo"]
    world.fetch("family", prepare=False)
    world.age("family/a", 10)
    assert world.cache.prune(older_than=20 * DAY).removed == ()
    assert len(world.cache.prune(older_than=5 * DAY).removed) == 1


def test_a_dry_run_tells_the_same_and_removes_nothing(aged: "World") -> None:
    """Each thing with its reason."""
    before = aged.names()
    planned = aged.cache.prune(older_than=10 * DAY, dry_run=True)
    assert aged.names() == before
    assert aged.cache.prune(older_than=10 * DAY).removed == planned.removed
    assert planned.removed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="changes the user of a child process")
def test_a_read_only_cache_is_shown_and_stays_whole(aged: "World", enterable: Path) -> None:
    """Looking works; whatever removes or pins is an error with the path, and nothing is gone."""
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
                with pytest.raises(StoreError, match=str(aged.root)) as told:
                    remove()
                assert told.value.exit_code == 8
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for path in aged.root.rglob("*"):
        assert path.is_dir() or before[path] == path.read_bytes()
    for path in [aged.root, *aged.root.rglob("*")]:
        path.chmod(0o755)


def test_evicted_content_is_fetched_again(aged: "World") -> None:
    """It is gone from here, not lost."""
    aged.cache.prune(max_size=0)
    assert len(aged.hub.load("solo", "train")) == 1000
