"""What is kept, shown and removed."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def kept(dshub: Run, own: Path) -> Run:
    """The command, with `tiny/one` and `tiny/two` fetched and prepared."""
    assert dshub("fetch", "tiny").returncode == 0
    return dshub


def items(dshub: Run) -> list[tuple[str, str]]:
    """Kind and owner of everything in the cache, sorted."""
    answer: dict[str, Any] = json.loads(dshub("cache", "ls", "--json").stdout)
    assert answer["size"] == sum(item["size"] for item in answer["items"])
    return sorted((item["kind"], item["name"]) for item in answer["items"])


def files(folder: Path) -> set[Path]:
    """Every file below a folder but locks, which hold nothing."""
    return {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_dir_says_where_it_is(dshub: Run, cache: Path, tmp_path: Path) -> None:
    """One line, to be used in a shell; asking makes no folder."""
    assert dshub("cache", "dir").stdout == f"{cache}\n"
    elsewhere = tmp_path / "elsewhere"
    assert dshub("cache", "dir", DSHUB_CACHE=str(elsewhere)).stdout == f"{elsewhere}\n"
    assert not cache.exists()


@pytest.mark.parametrize(
    "arguments",
    ["list", "info mnist", "check mnist", "fetch mnist --dry-run", "cache ls", "cache rm mnist"],
)
def test_asking_leaves_nothing_on_the_disk(dshub: Run, cache: Path, arguments: str) -> None:
    """Only what gets something makes the folder of the cache."""
    assert dshub(*arguments.split()).returncode == 0
    assert not cache.exists()


def test_ls_names_what_is_there(kept: Run) -> None:
    """Files are listed under the dataset they belong to, shared ones once."""
    assert items(kept) == [
        ("prepared", "tiny/one"),
        ("prepared", "tiny/two"),
        ("raw", "tiny/one: images and others"),
        ("raw", "tiny/one: labels"),
        ("raw", "tiny/two: labels"),
    ]


def test_what_another_dataset_needs_stays(kept: Run) -> None:
    """Removing one of two leaves the file they share; the other then verifies as before."""
    kept("cache", "rm", "tiny/one")
    assert items(kept) == [
        ("prepared", "tiny/two"),
        ("raw", "tiny/one: images and others"),
        ("raw", "tiny/two: labels"),
    ]
    assert kept("verify", "tiny/two").returncode == 0
    kept("cache", "rm", "tiny/two")
    assert items(kept) == []


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        ("--prepared tiny", {"prepared"}),
        ("--raw tiny", {"raw"}),
        ("tiny", {"prepared", "raw"}),
        ("--partial", set()),
        ("--all", {"prepared", "raw"}),
    ],
)
def test_rm_removes_what_was_asked_and_says_it_beforehand(
    kept: Run, cache: Path, arguments: str, gone: set[str]
) -> None:
    """`--dry-run` removes nothing and announces what the same call without it then removes."""
    before = files(cache)
    planned = json.loads(kept("cache", "rm", *arguments.split(), "--dry-run", "--json").stdout)
    assert files(cache) == before
    removed = json.loads(kept("cache", "rm", *arguments.split(), "--json").stdout)
    assert removed["removed"] == planned["removed"]
    assert {item["kind"] for item in removed["removed"]} == gone
    assert all(not Path(item["path"]).exists() for item in removed["removed"])
    assert {kind for kind, _ in items(kept)} == {"prepared", "raw"} - gone


def test_a_stand_in_goes_with_its_dataset(dshub: Run, own: Path, cache: Path) -> None:
    """Its files are named in the listing, and none of them is left over."""
    dshub("fetch", "tiny/one", DSHUB_SYNTHETIC="2")
    assert ("raw", "tiny/one: labels") in items(dshub)
    dshub("cache", "rm", "tiny/one")
    assert items(dshub) == []
