"""`dshub search`: datasets by keyword."""

import subprocess
from collections.abc import Callable

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_search_shows_matches_as_list_does(dshub: Run) -> None:
    """A line has name, rows and size; others are not shown."""
    every, found = dshub("list").stdout.splitlines(), dshub("search", "Trouser").stdout.splitlines()
    line = next(line for line in every if line.startswith("fashion-mnist "))
    assert line.split()[1] == "70,000"
    assert [line.split()[0] for line in found[1:]] == ["fashion-mnist"]
    assert found[1].split() == line.split()


def test_search_without_match_says_so_on_stderr(dshub: Run) -> None:
    done = dshub("search", "nothing-mentions-this")
    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing-mentions-this" in done.stderr


def test_search_needs_every_word(dshub: Run) -> None:
    assert dshub("search", "Trouser", "handwritten").stdout == ""
