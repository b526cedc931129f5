"""`dshub search`: datasets by keyword."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_search_shows_matches_as_list_does(dshub: Run) -> None:
    """A line has name, rows and size; others are not shown."""
    every, found = dshub("list").stdout.splitlines(), dshub("search", "Trouser").stdout.splitlines()
    line = next(line for line in every if line.startswith("fashion-mnist "))
    assert line.split()[1] == "70,000"
    assert [line.split()[0] for line in found[1:]] == ["fashion-mnist"]
    assert found[1].split() == line.split()


def test_search_without_match_says_so_on_stderr(dshub: Run) -> None:
    """An empty answer is not a failure."""
    done = dshub("search", "nothing-mentions-this")
    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing-mentions-this" in done.stderr


def test_search_needs_every_word(dshub: Run) -> None:
    """A second word narrows the answer."""
    assert dshub("search", "Trouser", "handwritten").stdout == ""


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX")
@pytest.mark.parametrize(
    ("width", "shown", "left_out"),
    [
        (120, "70,000   11.6 MB  image-classification  Grayscale images of", "nothing"),
        (70, "70,000   11.6 MB  Grayscale images of", "image-classification"),
        (48, "70,000   11.6 MB", "28x28"),
    ],
)
def test_search_takes_one_line_per_dataset_on_any_terminal(
    width: int, shown: str, left_out: str
) -> None:
    """Columns without room are left out, so that no dataset takes two lines."""
    import pty
    import termios

    primary, secondary = pty.openpty()
    termios.tcsetwinsize(secondary, (50, width))
    command = [sys.executable, "-m", "dshub", "search", "mnist"]
    environment = {name: text for name, text in os.environ.items() if name != "COLUMNS"}
    subprocess.run(command, stdout=secondary, env=environment | {"NO_COLOR": "1"}, check=True)
    os.close(secondary)
    text = b""
    while b"\nqmnist " not in text or not text.endswith(b"\n"):
        text += os.read(primary, 65536)
    os.close(primary)
    lines = text.decode().splitlines()
    assert max(map(len, lines)) <= width
    (line,) = (line for line in lines if line.startswith("mnist "))
    assert shown in line
    assert left_out not in line
