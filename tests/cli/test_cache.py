"""`dshub cache`: list, verify, pin and remove items."""

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
    """Kind and datasets of every cached item, sorted."""
    answer: dict[str, Any] = json.loads(dshub("cache", "ls", "--json").stdout)
    assert answer["size"] == sum(item["size"] for item in answer["items"])
    return sorted((item["kind"], item["name"]) for item in answer["items"])


def files(folder: Path) -> set[Path]:
    """Every file below a folder except locks."""
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


def test_ls_lists_items_with_their_datasets(kept: Run) -> None:
    assert items(kept) == [
        ("prepared", "tiny/one train"),
        ("prepared", "tiny/two train"),
        ("raw", "tiny/one: images, shared with tiny/two"),
        ("raw", "tiny/one: labels"),
        ("raw", "tiny/two: labels"),
    ]
    shown = kept("cache", "ls", "tiny/two").stdout.splitlines()
    assert len(shown) == 1 + 3
    assert "tiny/two train" in shown[1]  # the largest


def test_rm_keeps_files_that_another_dataset_needs(kept: Run) -> None:
    done = kept("cache", "rm", "tiny/one")
    assert "left 1 item, 28 B: another dataset needs it" in done.stderr
    assert items(kept) == [
        ("prepared", "tiny/two train"),
        ("raw", "tiny/two: images"),
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
        ("--all --yes", {"prepared", "raw"}),
    ],
)
def test_rm_removes_what_its_dry_run_announces(
    kept: Run, cache: Path, arguments: str, gone: set[str]
) -> None:
    before = files(cache)
    planned = json.loads(kept("cache", "rm", *arguments.split(), "--dry-run", "--json").stdout)
    assert files(cache) == before
    removed = json.loads(kept("cache", "rm", *arguments.split(), "--json").stdout)
    assert removed["removed"] == planned["removed"]
    assert {item["kind"] for item in removed["removed"]} == gone
    assert all(not Path(item["path"]).exists() for item in removed["removed"])
    assert {kind for kind, _ in items(kept)} == {"prepared", "raw"} - gone


def test_rm_removes_synthetic_files_too(dshub: Run, own: Path, cache: Path) -> None:
    dshub("fetch", "tiny/one", DSHUB_SYNTHETIC="2")
    assert ("raw", "tiny/one: labels (synthetic)") in items(dshub)
    dshub("cache", "rm", "tiny/one")
    assert items(dshub) == []


def test_rm_all_of_one_kind_keeps_other_kinds(kept: Run) -> None:
    kept("cache", "rm", "--all", "--prepared")
    assert {kind for kind, _ in items(kept)} == {"raw"}


def test_du_has_lines_that_add_up_to_the_total(kept: Run) -> None:
    lines = kept("cache", "du").stdout.splitlines()
    titles = [line.split("  ")[0].strip() for line in lines]
    assert titles == ["DATASET", "tiny/one", "tiny/two", "shared by tiny/one and tiny/two", "total"]
    answer = json.loads(kept("cache", "du", "--json").stdout)
    for part in ("raw", "prepared", "partial", "total"):
        assert answer["total"][part] == sum(row[part] for row in answer["rows"])
    assert answer["total"]["total"] == json.loads(kept("cache", "ls", "--json").stdout)["size"]


def test_usage_of_an_empty_cache_says_so(dshub: Run) -> None:
    done = dshub("cache", "du")
    assert done.stdout == ""
    assert done.stderr.startswith("nothing in ")


def test_verify_reports_damage_once(kept: Run, cache: Path) -> None:
    """Exit code 5 and the damaged item, which is set aside."""
    done = kept("cache", "verify")
    assert (done.returncode, done.stdout) == (0, "")
    assert "intact: 3 files and 2 tables" in done.stderr
    next((cache / "tables-v1" / "tiny" / "one").glob("*/*.arrow")).write_bytes(b"other")
    done = kept("cache", "verify")
    assert done.returncode == 5
    assert "table tiny/one train" in done.stdout
    assert kept("cache", "verify").returncode == 0
    findings = json.loads(kept("cache", "verify", "--json").stdout)["findings"]
    assert {finding["state"] for finding in findings} == {"ok"}
    assert "set aside" in kept("cache", "gc").stdout
    assert "nothing to remove" in kept("cache", "gc").stdout


def test_pinned_datasets_are_kept(kept: Run) -> None:
    """Listings mark them, `rm` refuses, `prune` and `rm --all` skip them and say so."""
    assert kept("cache", "pin", "tiny/one").stdout == "pinned tiny/one\n"
    assert kept("cache", "ls").stdout.count("pinned") == 3
    assert kept("cache", "du").stdout.count("pinned") == 2
    done = kept("cache", "rm", "tiny")
    assert (done.returncode, done.stdout) == (1, "")
    assert "dshub cache unpin tiny/one" in done.stderr
    done = kept("cache", "prune", "--max-size", "1B")
    assert done.returncode == 1
    assert "B pinned" in done.stderr
    done = kept("cache", "rm", "--all", "--yes")
    assert "left 3 items" in done.stderr
    assert "pinned" in done.stderr
    assert {name for _, name in items(kept)} == {
        "tiny/one train",
        "tiny/one: images",
        "tiny/one: labels",
    }
    kept("cache", "unpin", "tiny")
    kept("cache", "rm", "--all", "--yes")
    assert items(kept) == []


@pytest.mark.parametrize(
    ("arguments", "gone"),
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
def test_prune_enforces_limits(kept: Run, arguments: str, gone: set[str]) -> None:
    """Sizes and time spans have units; a dry run shows what would go."""
    planned = json.loads(kept("cache", "prune", *arguments.split(), "--dry-run", "--json").stdout)
    assert len(items(kept)) == 5
    answer = json.loads(kept("cache", "prune", *arguments.split(), "--json").stdout)
    assert {item["kind"] for item in answer["removed"]} == gone
    assert answer["removed"] == planned["removed"]
    assert answer["size"] == sum(item["size"] for item in answer["removed"])
    assert {kind for kind, _ in items(kept)} == {"raw", "prepared"} - gone
