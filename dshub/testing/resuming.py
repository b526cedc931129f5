"""Going on in a new process: what every adapter with batches must do, and the process that does.

The process runs this module with a JSON document on its standard input: where the suite of the
adapter stands, and what is asked of it. It answers with a digest of each row of each batch.
"""

import hashlib
import inspect
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dshub.catalog.features import ImageFeature
from dshub.datasets.dataset import Dataset
from dshub.loading.loader import Loader
from dshub.loading.transforms.colors import Normalize
from dshub.loading.transforms.geometry import RandomHorizontalFlip
from dshub.loading.transforms.transform import Transform

ROWS = 1000
TIMEOUT = 600  # seconds; some frameworks take half a minute to import


class Stepping(Protocol):
    """A suite of batches."""

    def steps_of(self, loader: Loader, count: int) -> tuple[list[Any], Mapping[str, Any]]:
        """The next batches through NumPy, and the state after them."""


def loader_of(**options: Any) -> Loader:
    """Batches of pictures, turned and scaled, and of the numbers of their rows."""
    values = np.arange(ROWS * 4 * 4 * 3, dtype=np.uint32) * 2654435761 >> 24
    dataset = Dataset.from_arrays(
        {"image": values.astype(np.uint8).reshape(ROWS, 4, 4, 3), "id": np.arange(ROWS)},
        features={"image": ImageFeature(shape=(4, 4, 3))},
    )
    normal = Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    transform: list[Transform] = [RandomHorizontalFlip(), normal]
    return dataset.batches(shuffle=True, seed=7, transform=transform, **options)


def digests(batch: Mapping[str, Any]) -> list[str]:
    """One for each row of a batch."""
    return [
        hashlib.sha256(b"".join(values[i].tobytes() for values in batch.values())).hexdigest()
        for i in range(len(batch["id"]))
    ]


def check_resuming(suite: Stepping) -> None:
    """In the midst of an epoch, at the end of one, and over several."""
    options = {"size": 64}
    whole = [digests(b) for b in suite.steps_of(loader_of(**options), 40)[0]]
    asked, expected = [], []
    for steps in (5, 16, 21):
        taken, state = suite.steps_of(loader_of(**options), steps)
        assert [digests(batch) for batch in taken] == whole[:steps]
        asked.append({"options": options, "state": dict(state), "steps": 12})
        expected.append(whole[steps : steps + 12])
    assert _elsewhere(suite, asked) == expected


def check_changing(suite: Stepping) -> None:
    """The rest of an epoch with batches of another size, and by fewer ranks."""
    whole = [row for batch in loader_of(size=1) for row in digests(batch)]
    taken, state = suite.steps_of(loader_of(size=64), 5)
    assert [row for batch in taken for row in digests(batch)] == whole[:320]
    asked = [{"options": {"size": 96}, "state": dict(state), "steps": 8}]
    ranks = [loader_of(size=16, rank=i, world=4, uneven="exact") for i in range(4)]
    parts = [suite.steps_of(loader, 3) for loader in ranks]
    assert _together([part for part, _ in parts]) == whole[:192]
    for rank in range(3):
        options = {"size": 16, "rank": rank, "world": 3, "uneven": "exact"}
        asked.append({"options": options, "state": dict(parts[0][1]), "steps": 10})
    first, *others = _elsewhere(suite, asked)
    assert [row for batch in first for row in batch] == whole[320:]
    rows = [[row for batch in part for row in batch] for part in others]
    assert [row for turn in zip(*rows, strict=True) for row in turn] == whole[192 : 192 + 480]


def _together(ranks: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """The rows of several ranks in the order that they take turns in."""
    rows = [[row for batch in part for row in digests(batch)] for part in ranks]
    return [row for turn in zip(*rows, strict=True) for row in turn]


def _elsewhere(suite: Stepping, asked: Sequence[Mapping[str, Any]]) -> list[list[list[str]]]:
    """What the suite of a new process gets: digests of rows of batches of each walk."""
    kind = type(suite)
    where = {"file": inspect.getfile(kind), "suite": kind.__name__, "asked": asked}
    done = subprocess.run(  # this interpreter, and this module
        [sys.executable, "-m", "dshub.testing.resuming"],
        input=json.dumps(where).encode(),
        capture_output=True,
        check=False,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr.decode()
    answer: list[list[list[str]]] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _answer() -> None:
    where = json.load(sys.stdin)
    spec = spec_from_file_location(Path(where["file"]).stem, where["file"])
    if spec is None or spec.loader is None:
        raise ImportError(where["file"])
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    suite: Stepping = getattr(module, where["suite"])()
    found = []
    for one in where["asked"]:
        loader = loader_of(**one["options"])
        loader.load_state_dict(one["state"])
        found.append([digests(batch) for batch in suite.steps_of(loader, one["steps"])[0]])
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    _answer()
