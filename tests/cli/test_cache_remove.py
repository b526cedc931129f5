"""Test the questions before much data or manually downloaded files are removed."""

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from dshub.cli import _removing, group
from dshub.errors import DshubError

Command = Callable[..., None]


class Terminal(io.StringIO):
    """A terminal with typed input."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run() -> Command:
    """Return a function that runs a command in this process."""
    return lambda *arguments: group(list(arguments), standalone_mode=False)


@pytest.fixture
def answer_question(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Terminal]:
    """Return a function that answers the next question and returns the simulated terminal."""

    def attach_terminal(answer: str) -> Terminal:
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        monkeypatch.setattr(sys, "stderr", terminal)
        return terminal

    return attach_terminal


@pytest.fixture
def filled_cache(registry: Path, cache: Path, run: Command) -> Path:
    """Fetch two datasets into the cache."""
    run("fetch", "tiny")
    return cache


def count_blobs(cache: Path) -> int:
    """Return the number of upstream files in a cache."""
    return sum(path.is_file() for path in (cache / "blobs-v1").rglob("*"))


@pytest.mark.parametrize(
    "arguments", ["rm --all", "prune --max-size 1B", "prune --older-than 0", "rm --all --json"]
)
def test_removing_everything_without_a_terminal_needs_yes(
    filled_cache: Path, run: Command, arguments: str
) -> None:
    with pytest.raises(click.UsageError, match=r"removes everything.*--yes") as refusal:
        run("cache", *arguments.split())
    assert refusal.value.exit_code == 2
    assert count_blobs(filled_cache) == 3
    run("cache", *arguments.split(), "--yes")
    assert count_blobs(filled_cache) == 0


def test_removing_everything_asks_on_a_terminal(
    filled_cache: Path, run: Command, answer_question: Callable[[str], Terminal]
) -> None:
    terminal = answer_question("n\n")
    with pytest.raises(DshubError, match="nothing was removed"):
        run("cache", "rm", "--all")
    assert "tiny/one: labels" in terminal.getvalue()
    assert count_blobs(filled_cache) == 3
    answer_question("y\n")
    run("cache", "rm", "--all")
    assert count_blobs(filled_cache) == 0


def test_removing_a_named_dataset_does_not_ask(filled_cache: Path, run: Command) -> None:
    run("cache", "rm", "tiny/one")
    run("cache", "rm", "--all", "--prepared")
    assert count_blobs(filled_cache) == 2
    run("cache", "rm", "tiny/two")
    assert count_blobs(filled_cache) == 0


@pytest.mark.parametrize("arguments", ["rm tiny/one", "gc", "prune --keep raw"])
def test_removing_much_needs_yes(
    filled_cache: Path, run: Command, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    monkeypatch.setattr(_removing, "LARGE", 4)
    rejected = filled_cache / "partial-v1" / f"rejected-{'0' * 64}"
    rejected.write_bytes(b"5 bytes")
    with pytest.raises(click.UsageError, match=r"this removes .*B.*--yes"):
        run("cache", *arguments.split())
    run("cache", *arguments.split(), "--dry-run")
    assert rejected.exists()
    assert count_blobs(filled_cache) == 3
    run("cache", *arguments.split(), "--yes")


def test_dataset_pinned_during_the_question_is_kept(
    filled_cache: Path,
    run: Command,
    answer_question: Callable[[str], Terminal],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def confirm(*_: object, **__: object) -> bool:
        run("cache", "pin", "tiny/two")
        return True

    answer_question("")
    monkeypatch.setattr(click, "confirm", confirm)
    run("cache", "rm", "--all")
    assert count_blobs(filled_cache) == 2


@pytest.fixture
def cache_with_manual_file(registry: Path, upstream: Path, cache: Path, run: Command) -> Path:
    """Fetch a dataset with manually downloaded labels into the cache."""
    path = registry / "tiny" / "one" / "1.0.0.toml"
    manual = 'filename = "labels.idx"\naccess = "manual"\ninstructions = "Ask for it."'
    text = re.sub(r'urls = \["\S+labels-one.idx"\]', manual, path.read_text())
    path.write_text(text)
    run("import", "tiny/one", str(upstream / "labels-one.idx"))
    run("fetch", "tiny")
    return cache


@pytest.mark.parametrize(
    "arguments", ["prune --older-than 0d --yes", "prune --keep prepared --yes", "gc --partial"]
)
def test_last_copy_of_a_manual_file_is_not_evicted(
    cache_with_manual_file: Path, run: Command, upstream: Path, arguments: str
) -> None:
    run("cache", *arguments.split())
    kept = {
        path.read_bytes()
        for path in (cache_with_manual_file / "blobs-v1").rglob("*")
        if path.is_file()
    }
    assert (upstream / "labels-one.idx").read_bytes() in kept


def test_prune_refuses_a_size_below_that_of_manual_files(
    cache_with_manual_file: Path, run: Command
) -> None:
    with pytest.raises(DshubError, match=r"impossible to download again.*nothing was removed"):
        run("cache", "prune", "--max-size", "1B", "--yes")
    assert count_blobs(cache_with_manual_file) == 3


def test_table_is_kept_if_its_manual_file_is_gone(
    cache_with_manual_file: Path, run: Command
) -> None:
    run("cache", "rm", "tiny/one", "--raw", "--yes")
    run("cache", "prune", "--older-than", "0d", "--yes")
    assert list((cache_with_manual_file / "tables-v1" / "tiny" / "one").glob("*/table.json"))


def test_removing_a_manual_file_needs_yes(cache_with_manual_file: Path, run: Command) -> None:
    with pytest.raises(click.UsageError, match=r"cannot be downloaded again.*--yes"):
        run("cache", "rm", "tiny/one")
    assert count_blobs(cache_with_manual_file) == 3
    run("cache", "rm", "tiny/one", "--prepared")
    run("cache", "rm", "tiny/one", "--yes")
    assert count_blobs(cache_with_manual_file) == 2


def test_manual_file_with_a_second_copy_is_evicted(
    cache_with_manual_file: Path, run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second copy can be in a site cache or on a mirror."""
    site = tmp_path / "site"
    cache_with_manual_file.rename(site)
    monkeypatch.setenv("DSHUB_SITE_CACHES", str(site))
    run("import", "tiny/one", str(tmp_path / "upstream" / "labels-one.idx"))
    run("cache", "prune", "--older-than", "0d", "--yes")
    monkeypatch.delenv("DSHUB_SITE_CACHES")
    run("import", "tiny/one", str(tmp_path / "upstream" / "labels-one.idx"))
    run("mirror", str(tmp_path / "mirror"), "tiny", "--no-pages")
    monkeypatch.setenv("DSHUB_MIRROR", str(tmp_path / "mirror"))
    run("cache", "prune", "--older-than", "0d", "--yes")
    assert count_blobs(cache_with_manual_file) == 0
