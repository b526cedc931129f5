import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from dshub.catalog.manifest import Manifest
from dshub.cli.new import command
from dshub.datasets.dataset import Dataset
from dshub.datasets.splits import Splits
from dshub.hub.hub import Hub


class Result:
    """The manifest that `dshub new` wrote, and its dataset.

    Attributes:
        answer: parsed JSON output of the command.
    """

    def __init__(self, answer: dict[str, Any], hub: Hub) -> None:
        self.answer = answer
        self.path = Path(answer["manifest"])
        self.manifest: Manifest = hub.registry.manifest(str(self.path))
        self.splits: Splits = hub.load(str(self.path))

    def __getitem__(self, split: str) -> Dataset:
        return self.splits[split]

    def doubts(self, word: str) -> list[str]:
        """Return the doubts that contain a word."""
        return [doubt for doubt in self.answer["doubts"] if word in doubt]


New = Callable[..., Any]  # returns `Result`


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: Hub) -> New:
    """Return a function that runs `dshub new` and opens the result from the cache."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DSHUB_PROGRESS", "off")

    def run(*arguments: object) -> Result:
        out = io.StringIO()
        with redirect_stdout(out):
            command.main([*map(str, arguments), "--json"], "new", standalone_mode=False)
        return Result(json.loads(out.getvalue()), hub)

    return run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Create an empty folder for files."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder
