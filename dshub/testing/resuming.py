"""Check that an adapter resumes from a loader's state in a new process.

That process runs this module. It reads a JSON document from standard input: the file and class
of the adapter's suite, and walks to take. It answers with a digest of each row of each batch.
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
TIMEOUT = 600  # seconds; some frameworks take half a minute to import

Digests = list[list[str]]
"""One for each row of each batch."""


class Stepping(Protocol):
    """A suite with batches."""

    def steps_of(self, loader: Loader, count: int) -> tuple[list[Any], Mapping[str, Any]]:
        """Get the next batches, converted to NumPy, and the state after them."""


def loader_of(**options: Any) -> Loader:
    """Create a loader of transformed images and row numbers."""
    values = np.arange(ROWS * 4 * 4 * 3, dtype=np.uint32) * 2654435761 >> 24
    dataset = Dataset.from_arrays(
        {"image": values.astype(np.uint8).reshape(ROWS, 4, 4, 3), "id": np.arange(ROWS)},
        features={"image": ImageFeature(shape=(4, 4, 3))},
    )
    normal = Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    transform: list[Transform] = [RandomHorizontalFlip(), normal]
    return dataset.batches(shuffle=True, seed=7, transform=transform, **options)


def digests_of(batches: Iterable[Any]) -> Digests:
    """Hash the rows of batches."""
    return [
        [
            hashlib.sha256(b"".join(values[i].tobytes() for values in batch.values())).hexdigest()
            for i in range(len(batch["id"]))
        ]
        for batch in batches
    ]


def check_resuming(suite: Stepping) -> None:
    """Resume within an epoch, at its end, and in the next one."""
    options = {"size": 64}
    whole = digests_of(suite.steps_of(loader_of(**options), 40)[0])
    walks, expected = [], []
    for steps in (5, 16, 21):
        batches, state = suite.steps_of(loader_of(**options), steps)
        assert digests_of(batches) == whole[:steps]
        walks.append({"options": options, "state": dict(state), "steps": 12})
        expected.append(whole[steps : steps + 12])
    assert _in_new_process(suite, walks) == expected


def check_changing(suite: Stepping) -> None:
    """Resume an epoch with another batch size, and with fewer ranks."""
    whole = _interleaved([digests_of(loader_of(size=1))])
    batches, state = suite.steps_of(loader_of(size=64), 5)
    assert _interleaved([digests_of(batches)]) == whole[:320]
    walks = [{"options": {"size": 96}, "state": dict(state), "steps": 8}]
    ranks = [loader_of(size=16, rank=i, world=4, uneven="exact") for i in range(4)]
    steps = [suite.steps_of(loader, 3) for loader in ranks]
    assert _interleaved([digests_of(batches) for batches, _ in steps]) == whole[:192]
    for rank in range(3):
        options = {"size": 16, "rank": rank, "world": 3, "uneven": "exact"}
        walks.append({"options": options, "state": dict(steps[0][1]), "steps": 10})
    resized, *reranked = _in_new_process(suite, walks)
    assert _interleaved([resized]) == whole[320:]
    assert _interleaved(reranked) == whole[192 : 192 + 480]


def _interleaved(ranks: Sequence[Digests]) -> list[str]:
    """Put the rows of ranks, which take turns, into one list."""
    rows = [chain.from_iterable(batches) for batches in ranks]
    return list(chain.from_iterable(zip(*rows, strict=True)))


def _in_new_process(suite: Stepping, walks: Sequence[Mapping[str, Any]]) -> list[Digests]:
    kind = type(suite)
    request = {"file": inspect.getfile(kind), "suite": kind.__name__, "walks": walks}
    done = subprocess.run(  # this interpreter and this module
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
    for walk in request["walks"]:
        loader = loader_of(**walk["options"])
        loader.load_state_dict(walk["state"])
        result.append(digests_of(suite.steps_of(loader, walk["steps"])[0]))
    sys.stdout.write("\n" + json.dumps(result) + "\n")


if __name__ == "__main__":
    _main()
