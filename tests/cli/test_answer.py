"""Test results in text and JSON, and notes on standard error."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dshub import plugins
from tests.commandline import run_on_terminal

Run = Callable[..., subprocess.CompletedProcess[str]]

CACHE = ("dir", "ls", "du", "verify", "gc", "prune", "rm", "pin", "unpin")
COMMANDS = [*plugins.names("cli"), *(f"cache {name}" for name in CACHE)]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_begins_with_an_example(dshub: Run, command: str) -> None:
    done = dshub(*command.split(), "--help")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    example = next(i for i, line in enumerate(lines) if line.startswith(f"    dshub {command}"))
    assert example < lines.index("Options:")


def test_help_lists_every_command(dshub: Run) -> None:
    listed = dshub("--help").stdout.partition("\nGet:\n")[2]
    helps = {line.split()[0]: line.split()[1:] for line in listed.splitlines() if line[:1] == " "}
    assert {name.split()[0] for name in COMMANDS} == helps.keys()
    assert all(helps.values())


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
def test_json_is_one_object_with_a_schema(dshub: Run, arguments: str, key: str) -> None:
    done = dshub(*arguments.split(), "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert answer["schema"] == 1
    assert key in answer
    assert done.stderr == ""


def test_json_omits_notes(dshub: Run, registry: Path, tmp_path: Path) -> None:
    assert "to fetch" in dshub("fetch", "tiny", "--dry-run").stderr
    assert dshub("fetch", "tiny", "--json").stderr == ""
    assert dshub("mirror", str(tmp_path / "m"), "tiny", "--no-pages", "--json").stderr == ""


def test_closed_pipe_is_not_an_error(dshub: Run, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "dshub", "list"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", ["list", "info mnist", "info mnits"])
def test_pipes_and_no_color_get_plain_text(dshub: Run, arguments: str) -> None:
    for variables in ({}, {"NO_COLOR": "1"}):
        done = dshub(*arguments.split(), **variables)
        assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
def test_terminal_gets_colors_unless_no_color_is_set() -> None:
    assert "\x1b[1m" in run_on_terminal("info", "mnist").stdout
    assert "\x1b[" not in run_on_terminal("info", "mnist", NO_COLOR="1").stdout
