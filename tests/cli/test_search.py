"""Test `dshub search`: find datasets by keyword."""

import subprocess
from collections.abc import Callable

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_search_shows_the_lines_of_list(dshub: Run) -> None:
    every, matches = (
        dshub("list").stdout.splitlines(),
        dshub("search", "Trouser").stdout.splitlines(),
    )
    line = next(line for line in every if line.startswith("fashion-mnist "))
    assert line.split()[1] == "70,000"
    assert [line.split()[0] for line in matches[1:]] == ["fashion-mnist"]
    assert matches[1].split() == line.split()


def test_search_without_match_says_so_on_stderr(dshub: Run) -> None:
    done = dshub("search", "nothing-mentions-this")
    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing-mentions-this" in done.stderr


def test_search_needs_every_word(dshub: Run) -> None:
    assert dshub("search", "Trouser", "handwritten").stdout == ""


def test_search_without_match_suggests_a_word(dshub: Run) -> None:
    assert "did you mean trouser?" in dshub("search", "trousr").stderr
