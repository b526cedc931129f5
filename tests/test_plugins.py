import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dshub import plugins
from dshub.catalog.sources import built_in_root
from dshub.errors import UnknownNameError

POINTS = """
[dshub.formats]
words = outside.words

[dshub.cli]
hello = outside.hello
"""

HELLO = '''
import click

@click.command(short_help="Greets.")
def command():
    """Greet."""
    click.echo("hello from outside")
'''


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return a folder for PYTHONPATH with an installed package of one format and one command."""
    root = tmp_path / "site"
    info = root / "outside-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    (root / "outside").mkdir()
    (root / "outside" / "__init__.py").touch()
    (root / "outside" / "words.py").write_text("Reader = 'the reader of outside'\n")
    (root / "outside" / "hello.py").write_text(HELLO)
    return root


def test_built_in_plugins_are_found_by_file_name() -> None:
    """The module of the `import` command has another name, because `import` is a keyword."""
    assert "idx" in plugins.names("formats")
    assert {"gz", "bz2", "xz", "zst", "tar", "zip"} <= set(plugins.names("archives"))
    assert {"numpy", "torch", "tf"} <= set(plugins.names("adapters"))
    assert {"import", "list"} <= set(plugins.names("cli"))
    assert plugins.module("cli", "import").__name__ == "dshub.cli.import_"
    assert not any(name.startswith("_") for name in plugins.names("cli"))


@pytest.mark.parametrize("name", ["idxx", "../idx", "os", "_checked", "", "__init__"])
def test_unknown_name_imports_nothing(name: str) -> None:
    with pytest.raises(UnknownNameError, match="format") as caught:
        plugins.module("formats", name)
    assert "idx" in caught.value.hint
    with pytest.raises(UnknownNameError):
        plugins.module("archives", name)


def test_listing_names_imports_no_plugin() -> None:
    code = (
        "import sys; from dshub import plugins; assert 'idx' in plugins.names('formats');"
        "assert not {'numpy', 'pyarrow', 'dshub.formats'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("form", ["folder", "zip file"])
def test_entry_points_add_plugins(
    outside: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    path_entry = outside if form == "folder" else shutil.make_archive(str(outside), "zip", outside)
    monkeypatch.setenv("PYTHONPATH", str(path_entry))
    code = (
        "from dshub import plugins; assert plugins.names('formats').index('words') > 0;"
        "print(plugins.module('formats', 'words').Reader)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == "the reader of outside\n"
    command = [sys.executable, "-m", "dshub", "hello"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == "hello from outside\n"


def test_entry_points_add_datasets(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package itself is not imported."""
    points = POINTS + "\n[dshub.registry]\nours = outside.datasets\ngone = nowhere.at.all\n"
    (outside / "outside-1.0.dist-info" / "entry_points.txt").write_text(points)
    (outside / "outside" / "__init__.py").write_text("raise SystemExit('it was imported')")
    built_in = built_in_root() / "mnist" / "1.0.0.toml"
    text = built_in.read_text("utf-8")
    for name, full_name in {"outside/digits": "outside/digits", "mnist": "mnist"}.items():
        path = outside / "outside" / "datasets" / name / "9.0.0.toml"
        path.parent.mkdir(parents=True)
        changed = text.replace('"1.0.0"', '"9.0.0"').replace(
            'name = "mnist"', f'name = "{full_name}"'
        )
        path.write_text(changed, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(outside))
    code = (
        "import sys; from dshub import Registry; registry = Registry();"
        "print(registry.manifest('mnist').identifier, registry.expand(['mnist']));"
        "print('importlib.metadata' in sys.modules);"
        "print(registry.manifest('outside/digits').identifier, registry.expand(['outside']));"
        "print('outside/digits' in registry.names(), registry.versions('mnist'));"
        "print(Registry(built_in=False).names())"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines() == [
        "mnist@1.0.0 ['mnist']",
        "False",
        "outside/digits@9.0.0 ['outside/digits']",
        "True ['1.0.0']",
        "[]",
    ]
