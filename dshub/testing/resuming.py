"""Check that an adapter resumes from a loader's state in a new process.

The new process runs this module. It reads a JSON document from standard input with the file and
the class of the suite, and the runs to resume. It prints the digest of each row of each batch.
"""

import hashlib
import inspect
import json
import runpy
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Protocol

import numpy as np

from dshub.catalog.features import ImageFeature
from dshub.datasets.dataset import Dataset
from dshub.loading.loader import Loader
from dshub.loading.transforms.colors import Normalize
from dshub.loading.transforms.geometry import RandomHorizontalFlip
from dshub.loading.transforms.transform import Transform

ROWS = 1000
TIMEOUT = 600  # seconds; importing some frameworks takes half a minute

Digests = list[list[str]]
"""Digest of each row, by batch."""


class Stepping(Protocol):
    """Suite of an adapter with batches."""

    def steps_of(self, loader: Loader, count: int) -> tuple[list[Any], Mapping[str, Any]]:
        """Return the next `count` batches, converted to NumPy, and the final loader state."""


def loader_of(**options: Any) -> Loader:
    """Create a loader with transformed images and row numbers."""
    values = np.arange(ROWS * 4 * 4 * 3, dtype=np.uint32) * 2654435761 >> 24
    dataset = Dataset.from_arrays(
        {"image": values.astype(np.uint8).reshape(ROWS, 4, 4, 3), "id": np.arange(ROWS)},
        features={"image": ImageFeature(shape=(4, 4, 3))},
    )
    normal = Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    transform: list[Transform] = [RandomHorizontalFlip(), normal]
    return dataset.batches(shuffle=True, seed=7, transform=transform, **options)


def digests_of(batches: Iterable[Any]) -> Digests:
    """Return the digest of each row of each batch."""
    return [
        [
            hashlib.sha256(b"".join(values[i].tobytes() for values in batch.values())).hexdigest()
            for i in range(len(batch["id"]))
        ]
        for batch in batches
    ]


def check_resuming(suite: Stepping) -> None:
    """Check that a loader resumes in the first epoch, at the end of it, and in the second."""
    options = {"size": 64}
    expected_rows = digests_of(suite.steps_of(loader_of(**options), 40)[0])
    runs, expected = [], []
    for steps in (5, 16, 21):
        batches, state = suite.steps_of(loader_of(**options), steps)
        assert digests_of(batches) == expected_rows[:steps]
        runs.append({"options": options, "state": dict(state), "steps": 12})
        expected.append(expected_rows[steps : steps + 12])
    assert _in_new_process(suite, runs) == expected


def check_changing(suite: Stepping) -> None:
    """Check that an epoch resumes with another batch size, and with fewer ranks."""
    expected_rows = _interleaved([digests_of(loader_of(size=1))])
    batches, state = suite.steps_of(loader_of(size=64), 5)
    assert _interleaved([digests_of(batches)]) == expected_rows[:320]
    runs = [{"options": {"size": 96}, "state": dict(state), "steps": 8}]
    ranks = [loader_of(size=16, rank=i, world=4, uneven="exact") for i in range(4)]
    steps = [suite.steps_of(loader, 3) for loader in ranks]
    assert _interleaved([digests_of(batches) for batches, _ in steps]) == expected_rows[:192]
    for rank in range(3):
        options = {"size": 16, "rank": rank, "world": 3, "uneven": "exact"}
        runs.append({"options": options, "state": dict(steps[0][1]), "steps": 10})
    resized, *reranked = _in_new_process(suite, runs)
    assert _interleaved([resized]) == expected_rows[320:]
    assert _interleaved(reranked) == expected_rows[192 : 192 + 480]


def _interleaved(ranks: Sequence[Digests]) -> list[str]:
    """Merge the rows of all ranks, one row per rank in turn."""
    rows = [chain.from_iterable(batches) for batches in ranks]
    return list(chain.from_iterable(zip(*rows, strict=True)))


def _in_new_process(suite: Stepping, runs: Sequence[Mapping[str, Any]]) -> list[Digests]:
    kind = type(suite)
    request = {"file": inspect.getfile(kind), "suite": kind.__name__, "runs": runs}
    done = subprocess.run(
        [sys.executable, "-m", "dshub.testing.resuming"],
        input=json.dumps(request).encode(),
        capture_output=True,
        check=False,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr.decode()
    result: list[Digests] = json.loads(done.stdout.splitlines()[-1])
    return result


def _main() -> None:
    request = json.load(sys.stdin)
    suite: Stepping = runpy.run_path(request["file"])[request["suite"]]()
    result = []
    for run in request["runs"]:
        loader = loader_of(**run["options"])
        loader.load_state_dict(run["state"])
        result.append(digests_of(suite.steps_of(loader, run["steps"])[0]))
    sys.stdout.write("\n" + json.dumps(result) + "\n")


if __name__ == "__main__":
    _main()
