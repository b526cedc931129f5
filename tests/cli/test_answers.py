"""What the commands answer, to people and to programs, and on which stream."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dshub import plugins

Run = Callable[..., subprocess.CompletedProcess[str]]

CACHE = ("dir", "ls", "du", "verify", "gc", "prune", "rm", "pin", "unpin")
COMMANDS = [*plugins.names("cli"), *(f"cache {name}" for name in CACHE)]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_how_to_call_it(dshub: Run, command: str) -> None:
    """Each help text has an example to copy, above its list of options."""
    done = dshub(*command.split(), "--help")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    example = next(i for i, line in enumerate(lines) if line.startswith(f"    dshub {command}"))
    assert example < lines.index("Options:")


def test_every_command_has_a_line_in_the_help(dshub: Run) -> None:
    """`dshub --help` lists all commands with what they do."""
    listed = dshub("--help").stdout.partition("Commands:\n")[2]
    found = {line.split()[0]: line.split()[1:] for line in listed.splitlines()}
    assert {name.split()[0] for name in COMMANDS} <= found.keys()
    assert all(found.values())


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ("list", "datasets"),
        ("search digits", "datasets"),
        ("search nothing-mentions-this", "datasets"),
        ("info fashion-mnist", "manifest"),
        ("check mnist", "manifests"),
        ("fetch mnist --dry-run", "missing"),
        ("cite mnist", "citations"),
        ("licenses mnist --deny nc", "licenses"),
        ("lock mnist", "datasets"),
        ("cache dir", "dir"),
        ("cache ls", "items"),
        ("cache ls mnist", "items"),
        ("cache du", "rows"),
        ("cache verify", "findings"),
        ("cache gc", "removed"),
        ("cache prune --max-size 1GB", "removed"),
        ("cache rm mnist", "removed"),
        ("cache pin mnist", "pinned"),
        ("cache unpin mnist", "unpinned"),
    ],
)
def test_json_is_an_object_with_a_schema_and_nothing_beside_it(
    dshub: Run, arguments: str, key: str
) -> None:
    """A program reads standard output as it is, and can tell when the form changes."""
    done = dshub(*arguments.split(), "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert answer["schema"] == 1
    assert key in answer
    assert done.stderr == ""


def test_list_and_search_tell_the_same_of_a_dataset(dshub: Run) -> None:
    """A line has name, rows and size; searching shows the line of what was found and no other."""
    every, found = dshub("list").stdout.splitlines(), dshub("search", "Trouser").stdout.splitlines()
    line = next(line for line in every if line.startswith("fashion-mnist "))
    assert line.split()[1] == "70,000"
    assert [line.split()[0] for line in found[1:]] == ["fashion-mnist"]
    assert found[1].split() == line.split()


def test_a_search_without_result_says_so_aside(dshub: Run) -> None:
    """Nothing found is an empty answer, no failure; the remark goes to standard error."""
    done = dshub("search", "nothing-mentions-this")
    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing-mentions-this" in done.stderr


def test_info_tells_what_a_user_must_know(dshub: Run) -> None:
    """Splits, classes, licence, checksums and sources of a dataset, and what is here of it."""
    answer = dshub("info", "fashion-mnist").stdout
    for fact in ("60,000 rows", "Ankle boot", "MIT", "0 of 4 files", "sha256:3aede38d", "https://"):
        assert fact in answer


def test_info_tells_how_a_person_obtains_files(dshub: Run) -> None:
    """Terms and the way to the files stand there once; names that hold commas are told apart."""
    answer = dshub("info", "imagenet-1k").stdout
    assert "1,000 classes: tench, Tinca tinca; goldfish, Carassius auratus; " in answer
    assert "terms " in answer
    assert answer.count("Register at https://image-net.org") == 1


def test_info_tells_limits_that_a_manifest_sets(dshub: Run, own: Path) -> None:
    """What a file may unpack to is said where it is not the usual."""
    path = own / "tiny" / "one" / "1.0.0.toml"
    text = path.read_text()
    limits = "limits = { unpacked = 300_000_000_000, members = 2_000_000, ratio = 2000 }"
    path.write_text(text.replace("[resources.images]", f"[resources.images]\n{limits}"))
    answer = dshub("info", "tiny/one").stdout
    assert answer.count("at most 300.0 GB, 2,000,000 members, 2,000 times its size") == 1
    assert "unpacks to" not in dshub("info", "tiny/two").stdout


def test_check_tells_every_fault(dshub: Run, own: Path) -> None:
    """The faults of a file go to standard output with their lines, and the exit code is 1."""
    path = own / "tiny" / "one" / "1.0.0.toml"
    text = path.read_text().replace("rows = 3", "rows = 0").replace('"cat", "dog"', '"cat", "cat"')
    path.write_text(text.replace('format = "idx"', 'format = "idx", speed = 3'))
    done = dshub("check", str(path))
    assert done.returncode == 1
    assert done.stdout.count("line ") == 2
    path.write_text(path.read_text().replace("rows = 0", "rows = 3").replace('cat"]', 'dog"]'))
    assert "speed" in dshub("check", str(path)).stdout
    assert dshub("check").returncode == 1
    assert dshub("check", "tiny/two").returncode == 0


def test_a_reader_that_goes_away_is_no_failure(dshub: Run, tmp_path: Path) -> None:
    """`dshub list | head -1` ends in silence."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "dshub", "list"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", ["list", "info mnist", "info mnits"])
def test_no_colour_where_none_is_wanted(dshub: Run, arguments: str) -> None:
    """NO_COLOR, and output that is no terminal, mean plain text."""
    for variables in ({}, {"NO_COLOR": "1"}):
        done = dshub(*arguments.split(), **variables)
        assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX")
@pytest.mark.parametrize(
    ("width", "shown", "left_out"),
    [
        (120, "70,000   11.6 MB  image-classification  70,000 28x28 gray", "nothing"),
        (70, "70,000   11.6 MB  70,000 28x28 gray", "image-classification"),
        (48, "70,000   11.6 MB", "28x28"),
    ],
)
def test_a_line_each_on_any_terminal(width: int, shown: str, left_out: str) -> None:
    """What has no room is left out, so that no dataset takes two lines."""
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


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX")
def test_colour_on_a_terminal_unless_no_color(tmp_path: Path) -> None:
    """On a terminal the table has colours, and NO_COLOR takes them away."""
    import pty

    def shown(**variables: str) -> bytes:
        primary, secondary = pty.openpty()
        command = [sys.executable, "-m", "dshub", "info", "mnist"]
        subprocess.run(command, stdout=secondary, env=os.environ | variables, check=True)
        os.close(secondary)
        text = b""
        while b"load(" not in text:
            text += os.read(primary, 65536)
        os.close(primary)
        return text

    assert b"\x1b[1m" in shown(TERM="xterm-256color")
    assert b"\x1b[" not in shown(TERM="xterm-256color", NO_COLOR="1")
