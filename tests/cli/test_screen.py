"""Test that untrusted text cannot control terminals, pipes and files."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from dshub.cli import _screen
from tests.commandline import run_on_terminal

Run = Callable[..., subprocess.CompletedProcess[str]]

# ECMA-48 control characters except line breaks, and the right-to-left override
COMMANDS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")


@pytest.fixture
def hostile_dataset(registry: Path) -> str:
    """Write a manifest that contains terminal control sequences."""
    path = registry / "tiny" / "one" / "1.0.0.toml"
    codes = r"\u001b]0;owned\u0007\u001b[2J\u009b2J\u007f\u202e"
    citation = f'[[citations]]\ntype = "misc"\nkey = "k"\ntitle = "{codes}"\nauthor = ["{codes}"]\n'
    terms = f'[license]\nspdx = "MIT"\nsource = "https://a.example"\nnote = "{codes}"\n'
    text = path.read_text(encoding="utf-8").replace('"cat"', f'"cat{codes}"')
    text = text.replace('title = "Tiny"', f'title = "Tiny{codes}"')
    text = text.replace('summary = "Three', f'summary = "{codes}Three')
    path.write_text(f"{text}\n{terms}\n{citation}", encoding="utf-8")
    return "tiny/one"


@pytest.mark.parametrize(
    "command", ["list --all", "search tiny", "info", "cite", "licenses", "preview"]
)
def test_manifest_text_cannot_control_the_terminal(
    dshub: Run, hostile_dataset: str, command: str
) -> None:
    """Text output omits control characters, and JSON escapes them."""
    words = command.split()
    arguments = words if words[0] in {"list", "search"} else [*words, hostile_dataset]
    for option in ([], ["--json"]):
        done = dshub(*arguments, *option)
        assert done.returncode == 0, done.stderr
        assert "owned" in done.stdout or command == "search tiny"
        assert COMMANDS.findall(done.stdout + done.stderr) == []


def test_json_preserves_control_characters(dshub: Run, hostile_dataset: str) -> None:
    answer = json.loads(dshub("info", hostile_dataset, "--json").stdout)
    assert answer["manifest"]["title"] == "Tiny\x1b]0;owned\x07\x1b[2J\x9b2J\x7f\u202e"


def test_errors_cannot_control_the_terminal(dshub: Run) -> None:
    done = dshub("info", "\x1b]0;owned\x07")
    assert done.returncode == 3
    assert COMMANDS.findall(done.stderr) == []


def test_unencodable_characters_are_replaced(dshub: Run, registry: Path) -> None:
    path = registry / "tiny" / "one" / "1.0.0.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"Tiny"', '"Tiny \u2192 \u732b"'), encoding="utf-8")
    done = dshub("info", "tiny/one", PYTHONIOENCODING="cp1252")
    assert done.stdout.startswith("Tiny ? ?  tiny/one@1.0.0")
    answer = json.loads(dshub("info", "tiny/one", "--json", PYTHONIOENCODING="cp1252").stdout)
    assert answer["manifest"]["title"] == "Tiny \u2192 \u732b"


# the styles that `dshub.cli._screen` writes
STYLES = re.compile(r"\x1b\[(?:[012]|3[1236])m")


@pytest.fixture
def colorful_dataset(registry: Path) -> str:
    """Write a manifest that contains color sequences and fake error lines."""
    path = registry / "tiny" / "one" / "1.0.0.toml"
    codes = r"\u001b[31mRED\nerror: fake\u2028error: fake\rerror: fake"
    text = path.read_text(encoding="utf-8").replace('"cat"', f'"cat{codes}"')
    text = text.replace('title = "Tiny"', f'title = "Tiny{codes}"')
    text = text.replace('summary = "Three', f'summary = "{codes}Three')
    text = text.replace('task = "', f'task = "{codes}')
    notes = "".join(f'{field} = "{codes}"\n' for field in ("source", "note", "terms"))
    path.write_text(f'{text}\n[license]\nspdx = "MIT"\n{notes}', encoding="utf-8")
    return "tiny/one"


@pytest.mark.parametrize(
    "command",
    [
        "list --all",
        "search tiny",
        "info NAME",
        "cite NAME",
        "licenses NAME",
        "fetch NAME",
        "check NAME",
    ],
)
def test_data_cannot_add_styles_or_lines(colorful_dataset: str, command: str) -> None:
    printed = run_on_terminal(
        *command.replace("NAME", colorful_dataset).split(), COLUMNS="200"
    ).stdout
    assert "RED" in printed or command == "check NAME"
    plain = STYLES.sub("", printed)
    assert COMMANDS.findall(plain) == []
    assert "\x1b[31mRED" not in printed
    assert [line for line in plain.splitlines() if line.startswith("error: fake")] == []


def test_only_terminals_get_styles(registry: Path, dshub: Run) -> None:
    assert STYLES.search(run_on_terminal("info", "tiny/one").stdout)
    assert not STYLES.search(dshub("info", "tiny/one").stdout)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (26, "a     bb    ccc   d     e"),
        (25, "a     bb    ccc   d     e"),
        (24, "a     bb    …  d     e"),
        (12, "a     …  e"),
        (3, "a     …"),
    ],
)
def test_middle_columns_are_left_out(width: int, expected: str) -> None:
    rows = [["a", "bb", "ccc", "d", "e"], ["1111", "2222", "3333", "4444", "5"]]
    shown = _screen.columns(_screen.narrowed(rows, width=width)).splitlines()
    assert shown[0] == expected
    assert width < 10 or max(map(len, shown)) <= width


def test_one_or_two_columns_stay() -> None:
    assert _screen.narrowed([["a" * 90]], width=10) == [["a" * 90]]
    assert _screen.narrowed([["a" * 9, "b" * 9]], width=10) == [["a" * 9, "b" * 9]]


@pytest.mark.parametrize("typed", ["fashion-m", "Fashion_M", "FASHIONM"])
def test_dataset_names_are_completed_in_any_spelling(typed: str) -> None:
    parameter = click.Argument(["name"], type=_screen.DatasetName())
    items = parameter.type.shell_complete(click.Context(click.Command("info")), parameter, typed)
    assert [item.value for item in items] == ["fashion-mnist"]
