import os
import subprocess
import sys
from pathlib import Path

import pytest

from dshub.catalog.registry import Registry
from dshub.cli import group
from dshub.publishing.site.snippets import Snippet, snippets

NAMES = ["mnist", "glue/sst2", "oxford-iiit-pet", "speech-commands/v0.02", "conll2003", "iris"]
EVEN = {"mnist", "glue/sst2", "oxford-iiit-pet", "iris"}  # batches have one array per column
NEEDS = {"torch": "torch", "tf": "tensorflow", "keras": "tensorflow"}


def code_of(name: str) -> dict[str, Snippet]:
    """Return the snippets of a dataset by framework."""
    return {item.key: item for item in snippets(Registry().manifest(name))}


@pytest.mark.parametrize("name", Registry().names())
def test_every_dataset_has_code_for_every_framework(name: str) -> None:
    code = code_of(name)
    assert {"numpy", "torch", "tf", "shell"} <= code.keys()
    for key, item in code.items():
        assert name in item.code
        assert max(map(len, item.code.splitlines())) <= 80
        if key != "shell":
            compile(item.code, key, "exec")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "name"),
    [(key, name) for key in ("numpy", "torch") for name in NAMES]
    + [("tf", name) for name in sorted(EVEN)]
    + [("keras", name) for name in sorted(EVEN) if "keras" in code_of(name)],
)
def test_code_runs(name: str, key: str, tmp_path: Path) -> None:
    if key in NEEDS:
        pytest.importorskip(NEEDS[key])
    run(code_of(name)[key].code, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "oxford-iiit-pet"])
def test_images_of_torch_are_ready_for_a_convolution(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    convolution = "import torch\ntorch.nn.Conv2d(image.shape[1], 8, 3)(image)"
    run(f"{code_of(name)['torch'].code}\n{convolution}\n", tmp_path)


def run(code: str, folder: Path) -> None:
    environment = os.environ | {"DSHUB_SYNTHETIC": "20", "DSHUB_PROGRESS": "off"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_shell_lines_are_commands() -> None:
    for name in ("mnist", "imagenet-1k"):
        verbs = [line.split()[1] for line in code_of(name)["shell"].code.splitlines()]
        assert {*verbs} <= {*group.commands, *group.list_commands(None)}  # type: ignore[arg-type]
    assert code_of("imagenet-1k")["shell"].code.startswith("dshub import imagenet-1k")
