"""Test `dshub cache`: list, verify, pin and remove items."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def fetched(dshub: Run, registry: Path) -> Run:
    """Fetch and prepare `tiny/one` and `tiny/two`, and return the command."""
    assert dshub("fetch", "tiny").returncode == 0
    return dshub


def items(dshub: Run) -> list[tuple[str, str]]:
    """Return the kind and name of every cached item, sorted."""
    answer: dict[str, Any] = json.loads(dshub("cache", "ls", "--json").stdout)
    assert answer["size"] == sum(item["size"] for item in answer["items"])
    return sorted((item["kind"], item["name"]) for item in answer["items"])


def files(folder: Path) -> set[Path]:
    """Return every file below a folder except locks."""
    return {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_dir_prints_the_folder(dshub: Run, cache: Path, tmp_path: Path) -> None:
    assert dshub("cache", "dir").stdout == f"{cache}\n"
    elsewhere = tmp_path / "elsewhere"
    assert dshub("cache", "dir", DSHUB_CACHE=str(elsewhere)).stdout == f"{elsewhere}\n"
    assert not cache.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        "list",
        "info mnist",
        "check mnist",
        "fetch mnist --dry-run",
        "cache ls",
        "cache du",
        "cache verify",
        "cache gc",
        "cache prune --max-size 1GB",
        "cache rm mnist",
    ],
)
def test_reading_commands_do_not_create_the_cache(dshub: Run, cache: Path, arguments: str) -> None:
    assert dshub(*arguments.split()).returncode == 0
    assert not cache.exists()


def test_ls_lists_items_with_their_datasets(fetched: Run) -> None:
    assert items(fetched) == [
        ("prepared", "tiny/one train"),
        ("prepared", "tiny/two train"),
        ("raw", "tiny/one: images, shared with tiny/two"),
        ("raw", "tiny/one: labels"),
        ("raw", "tiny/two: labels"),
    ]
    lines = fetched("cache", "ls", "tiny/two").stdout.splitlines()
    assert len(lines) == 1 + 3
    assert "tiny/two train" in lines[1]  # largest item first


def test_rm_keeps_files_that_another_dataset_needs(fetched: Run) -> None:
    done = fetched("cache", "rm", "tiny/one")
    assert "left 1 item, 28 B: another dataset needs it" in done.stderr
    assert items(fetched) == [
        ("prepared", "tiny/two train"),
        ("raw", "tiny/two: images"),
        ("raw", "tiny/two: labels"),
    ]
    assert fetched("verify", "tiny/two").returncode == 0
    fetched("cache", "rm", "tiny/two")
    assert items(fetched) == []


@pytest.mark.parametrize(
    ("arguments", "removed_kinds"),
    [
        ("--prepared tiny", {"prepared"}),
        ("--raw tiny", {"raw"}),
        ("tiny", {"prepared", "raw"}),
        ("--partial", set()),
        ("--all --yes", {"prepared", "raw"}),
    ],
)
def test_rm_removes_the_items_of_its_dry_run(
    fetched: Run, cache: Path, arguments: str, removed_kinds: set[str]
) -> None:
    before = files(cache)
    planned = json.loads(fetched("cache", "rm", *arguments.split(), "--dry-run", "--json").stdout)
    assert files(cache) == before
    removed = json.loads(fetched("cache", "rm", *arguments.split(), "--json").stdout)
    assert removed["removed"] == planned["removed"]
    assert {item["kind"] for item in removed["removed"]} == removed_kinds
    assert all(not Path(item["path"]).exists() for item in removed["removed"])
    assert {kind for kind, _ in items(fetched)} == {"prepared", "raw"} - removed_kinds


def test_rm_removes_synthetic_files_too(dshub: Run, registry: Path, cache: Path) -> None:
    dshub("fetch", "tiny/one", DSHUB_SYNTHETIC="2")
    assert ("raw", "tiny/one: labels (synthetic)") in items(dshub)
    dshub("cache", "rm", "tiny/one")
    assert items(dshub) == []


def test_rm_all_of_one_kind_keeps_other_kinds(fetched: Run) -> None:
    fetched("cache", "rm", "--all", "--prepared")
    assert {kind for kind, _ in items(fetched)} == {"raw"}


def test_du_lines_add_up_to_the_total(fetched: Run) -> None:
    lines = fetched("cache", "du").stdout.splitlines()
    titles = [line.split("  ")[0].strip() for line in lines]
    assert titles == ["DATASET", "tiny/one", "tiny/two", "shared by tiny/one and tiny/two", "total"]
    answer = json.loads(fetched("cache", "du", "--json").stdout)
    for part in ("raw", "prepared", "partial", "total"):
        assert answer["total"][part] == sum(row[part] for row in answer["rows"])
    assert answer["total"]["total"] == json.loads(fetched("cache", "ls", "--json").stdout)["size"]


def test_usage_of_an_empty_cache_says_so(dshub: Run) -> None:
    done = dshub("cache", "du")
    assert done.stdout == ""
    assert done.stderr.startswith("nothing in ")


def test_verify_reports_damage_once(fetched: Run, cache: Path) -> None:
    """The damaged item is set aside, so a second run reports nothing."""
    done = fetched("cache", "verify")
    assert (done.returncode, done.stdout) == (0, "")
    assert "intact: 3 files and 2 tables" in done.stderr
    next((cache / "tables-v1" / "tiny" / "one").glob("*/*.arrow")).write_bytes(b"other")
    done = fetched("cache", "verify")
    assert done.returncode == 5
    assert "table tiny/one train" in done.stdout
    assert fetched("cache", "verify").returncode == 0
    findings = json.loads(fetched("cache", "verify", "--json").stdout)["findings"]
    assert {finding["state"] for finding in findings} == {"ok"}
    assert "set aside" in fetched("cache", "gc").stdout
    assert "nothing to remove" in fetched("cache", "gc").stdout


def test_pinned_datasets_are_kept(fetched: Run) -> None:
    """`cache rm` refuses pinned datasets; `cache prune` and `cache rm --all` skip them."""
    assert fetched("cache", "pin", "tiny/one").stdout == "pinned tiny/one\n"
    assert fetched("cache", "ls").stdout.count("pinned") == 3
    assert fetched("cache", "du").stdout.count("pinned") == 2
    done = fetched("cache", "rm", "tiny")
    assert (done.returncode, done.stdout) == (1, "")
    assert "dshub cache unpin tiny/one" in done.stderr
    done = fetched("cache", "prune", "--max-size", "1B")
    assert done.returncode == 1
    assert "B pinned" in done.stderr
    done = fetched("cache", "rm", "--all", "--yes")
    assert "left 3 items" in done.stderr
    assert "pinned" in done.stderr
    assert {name for _, name in items(fetched)} == {
        "tiny/one train",
        "tiny/one: images",
        "tiny/one: labels",
    }
    fetched("cache", "unpin", "tiny")
    fetched("cache", "rm", "--all", "--yes")
    assert items(fetched) == []


@pytest.mark.parametrize(
    ("arguments", "removed_kinds"),
    [
        ("--max-size 1TB", set()),
        ("--max-size 0.5MiB", set()),
        ("--max-size 40B --yes", {"raw", "prepared"}),
        ("--older-than 4w", set()),
        ("--older-than 0h --yes", {"raw", "prepared"}),
        ("--keep raw", {"prepared"}),
        ("--keep prepared", {"raw"}),
    ],
)
def test_prune_enforces_limits(fetched: Run, arguments: str, removed_kinds: set[str]) -> None:
    planned = json.loads(
        fetched("cache", "prune", *arguments.split(), "--dry-run", "--json").stdout
    )
    assert len(items(fetched)) == 5
    answer = json.loads(fetched("cache", "prune", *arguments.split(), "--json").stdout)
    assert {item["kind"] for item in answer["removed"]} == removed_kinds
    assert answer["removed"] == planned["removed"]
    assert answer["size"] == sum(item["size"] for item in answer["removed"])
    assert {kind for kind, _ in items(fetched)} == {"raw", "prepared"} - removed_kinds
