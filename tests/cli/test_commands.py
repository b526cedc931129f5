"""Test the command table that lets `dshub --help` run without importing any command."""

import subprocess
import sys
from pathlib import Path

import pytest
from click import Context

from dshub import plugins
from dshub.cli import group
from dshub.cli._commands import GROUPS

TABLE = {name: text for commands in GROUPS.values() for name, text in commands.items()}


def test_every_command_is_in_the_table() -> None:
    assert sorted(TABLE) == list(plugins.built_in("cli"))
    assert len(TABLE) == sum(map(len, GROUPS.values()))


@pytest.mark.parametrize("name", sorted(TABLE))
def test_table_has_the_short_help_of_the_command(name: str) -> None:
    assert plugins.module("cli", name).command.get_short_help_str(limit=100) == TABLE[name]


def output_of(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout


@pytest.mark.parametrize("way", ["main(['--help'])", "shell_complete(Context(group), '')"])
def test_help_and_completion_import_no_command(way: str) -> None:
    code = f"""
import sys
from click import Context
from dshub.cli import group
names = {sorted(TABLE)}
try:
    group.{way}
except SystemExit:
    pass
print([name for name in names if f"dshub.cli.{{name}}" in sys.modules])
"""
    assert output_of(code).splitlines()[-1] == "[]"


def test_names_of_commands_complete_with_their_help() -> None:
    items = group.shell_complete(Context(group), "li")
    assert [(item.value, item.help) for item in items] == [
        (name, TABLE[name]) for name in ("licenses", "list")
    ]


HELLO = '''
import click

@click.command()
def command():
    """Greet people.

    Warmly.
    """
'''


def test_commands_of_other_packages_are_a_separate_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dshub.cli]\nhello = outside_hello\n")
    (tmp_path / "outside_hello.py").write_text(HELLO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    command = [sys.executable, "-m", "dshub", "--help"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.partition("From other packages:\n")[2].split() == [
        "hello",
        "Greet",
        "people.",
    ]


@pytest.mark.parametrize("name", ["list", "search", "info", "fetch", "mirror", "lock", "cache"])
def test_light_commands_import_neither_numpy_nor_arrow(name: str) -> None:
    code = (
        f"import sys, dshub.cli.{name};"
        "print({'numpy', 'pyarrow', 'PIL', 'jinja2'} & {*sys.modules})"
    )
    assert output_of(code) == "set()\n"
