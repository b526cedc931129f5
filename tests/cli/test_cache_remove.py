"""Questions before removing much or irreplaceable data."""

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
        """It is one."""
        return True


@pytest.fixture
def run() -> Command:
    """Runs a command in this process."""
    return lambda *arguments: group(list(arguments), standalone_mode=False)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Terminal]:
    """Gives the next command a terminal and an answer; returns the terminal."""

    def sit(typed: str) -> Terminal:
        shown = Terminal()
        monkeypatch.setattr(sys, "stdin", Terminal(typed))
        monkeypatch.setattr(sys, "stderr", shown)
        return shown

    return sit


@pytest.fixture
def filled(own: Path, cache: Path, run: Command) -> Path:
    """A cache with two datasets."""
    run("fetch", "tiny")
    return cache


def blobs(cache: Path) -> int:
    """Upstream files in a cache."""
    return sum(path.is_file() for path in (cache / "blobs-v1").rglob("*"))


@pytest.mark.parametrize(
    "arguments", ["rm --all", "prune --max-size 1B", "prune --older-than 0", "rm --all --json"]
)
def test_removing_everything_without_a_terminal_needs_yes(
    filled: Path, run: Command, arguments: str
) -> None:
    with pytest.raises(click.UsageError, match=r"removes everything.*--yes") as refusal:
        run("cache", *arguments.split())
    assert refusal.value.exit_code == 2
    assert blobs(filled) == 3
    run("cache", *arguments.split(), "--yes")
    assert blobs(filled) == 0


def test_removing_everything_asks_on_a_terminal(
    filled: Path, run: Command, answer: Callable[[str], Terminal]
) -> None:
    shown = answer("n\n")
    with pytest.raises(DshubError, match="nothing was removed"):
        run("cache", "rm", "--all")
    assert "tiny/one: labels" in shown.getvalue()
    assert blobs(filled) == 3
    answer("y\n")
    run("cache", "rm", "--all")
    assert blobs(filled) == 0


def test_removing_a_named_dataset_does_not_ask(filled: Path, run: Command) -> None:
    run("cache", "rm", "tiny/one")
    run("cache", "rm", "--all", "--prepared")
    assert blobs(filled) == 2
    run("cache", "rm", "tiny/two")
    assert blobs(filled) == 0


@pytest.mark.parametrize("arguments", ["rm tiny/one", "gc", "prune --keep raw"])
def test_removing_much_needs_yes(
    filled: Path, run: Command, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    monkeypatch.setattr(_removing, "LARGE", 4)
    rejected = filled / "partial-v1" / f"rejected-{'0' * 64}"
    rejected.write_bytes(b"5 bytes")
    with pytest.raises(click.UsageError, match=r"this removes .*B.*--yes"):
        run("cache", *arguments.split())
    run("cache", *arguments.split(), "--dry-run")
    assert rejected.exists()
    assert blobs(filled) == 3
    run("cache", *arguments.split(), "--yes")


def test_dataset_pinned_during_the_question_is_kept(
    filled: Path, run: Command, answer: Callable[[str], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    def confirm(*_: object, **__: object) -> bool:
        run("cache", "pin", "tiny/two")
        return True

    answer("")
    monkeypatch.setattr(click, "confirm", confirm)
    run("cache", "rm", "--all")
    assert blobs(filled) == 2


@pytest.fixture
def by_hand(own: Path, upstream: Path, cache: Path, run: Command) -> Path:
    """A cache with a dataset whose labels a person had to obtain."""
    path = own / "tiny" / "one" / "1.0.0.toml"
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
    by_hand: Path, run: Command, upstream: Path, arguments: str
) -> None:
    run("cache", *arguments.split())
    kept = {path.read_bytes() for path in (by_hand / "blobs-v1").rglob("*") if path.is_file()}
    assert (upstream / "labels-one.idx").read_bytes() in kept


def test_prune_refuses_a_size_below_that_of_manual_files(by_hand: Path, run: Command) -> None:
    with pytest.raises(DshubError, match=r"impossible to download again.*nothing was removed"):
        run("cache", "prune", "--max-size", "1B", "--yes")
    assert blobs(by_hand) == 3


def test_table_is_kept_if_its_manual_file_is_gone(by_hand: Path, run: Command) -> None:
    run("cache", "rm", "tiny/one", "--raw", "--yes")
    run("cache", "prune", "--older-than", "0d", "--yes")
    assert list((by_hand / "tables-v1" / "tiny" / "one").glob("*/table.json"))


def test_removing_a_manual_file_needs_yes(by_hand: Path, run: Command) -> None:
    with pytest.raises(click.UsageError, match=r"cannot be downloaded again.*--yes"):
        run("cache", "rm", "tiny/one")
    assert blobs(by_hand) == 3
    run("cache", "rm", "tiny/one", "--prepared")
    run("cache", "rm", "tiny/one", "--yes")
    assert blobs(by_hand) == 2


def test_manual_file_with_a_second_copy_is_evicted(
    by_hand: Path, run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only cache of the site, or a mirror, has it too."""
    site = tmp_path / "site"
    by_hand.rename(site)
    monkeypatch.setenv("DSHUB_SITE_CACHES", str(site))
    run("import", "tiny/one", str(tmp_path / "upstream" / "labels-one.idx"))
    run("cache", "prune", "--older-than", "0d", "--yes")
    monkeypatch.delenv("DSHUB_SITE_CACHES")
    run("import", "tiny/one", str(tmp_path / "upstream" / "labels-one.idx"))
    run("mirror", str(tmp_path / "mirror"), "tiny", "--no-pages")
    monkeypatch.setenv("DSHUB_MIRROR", str(tmp_path / "mirror"))
    run("cache", "prune", "--older-than", "0d", "--yes")
    assert blobs(by_hand) == 0
