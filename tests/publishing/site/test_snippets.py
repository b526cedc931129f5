"""The lines of code on the pages do what they promise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dshub.catalog.registry import Registry
from dshub.cli import group
from dshub.publishing.site.snippets import Snippet, snippets

NAMES = ["mnist", "glue/sst2", "oxford-iiit-pet", "speech-commands/v0.02", "conll2003", "iris"]
EVEN = {"mnist", "glue/sst2", "oxford-iiit-pet", "iris"}  # batches that are one array a column
NEEDS = {"torch": "torch", "tf": "tensorflow", "keras": "tensorflow"}


def lines(name: str) -> dict[str, Snippet]:
    """Snippets of a dataset by framework."""
    return {item.key: item for item in snippets(Registry().manifest(name))}


@pytest.mark.parametrize("name", Registry().names())
def test_every_dataset_has_lines_for_every_framework(name: str) -> None:
    """They are Python, name the dataset, and fit a phone's screen with little scrolling."""
    found = lines(name)
    assert {"numpy", "torch", "tf", "shell"} <= found.keys()
    for key, item in found.items():
        assert name in item.code
        assert max(map(len, item.code.splitlines())) <= 80
        if key != "shell":
            compile(item.code, key, "exec")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "name"),
    [(key, name) for key in ("numpy", "torch") for name in NAMES]
    + [("tf", name) for name in sorted(EVEN)]
    + [("keras", name) for name in sorted(EVEN) if "keras" in lines(name)],
)
def test_the_lines_run(name: str, key: str, tmp_path: Path) -> None:
    """A page's lines load the dataset, here its stand-in, as they stand."""
    if key in NEEDS:
        pytest.importorskip(NEEDS[key])
    found = lines(name)
    environment = os.environ | {"DSHUB_SYNTHETIC": "20", "DSHUB_PROGRESS": "off"}
    done = subprocess.run(
        [sys.executable, "-c", found[key].code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_shell_lines_are_commands() -> None:
    """Each line is a command that exists; files that need a person are imported, not fetched."""
    for name in ("mnist", "imagenet-1k"):
        verbs = [line.split()[1] for line in lines(name)["shell"].code.splitlines()]
        assert {*verbs} <= {*group.commands, *group.list_commands(None)}  # type: ignore[arg-type]
    assert lines("imagenet-1k")["shell"].code.startswith("dshub import imagenet-1k")
