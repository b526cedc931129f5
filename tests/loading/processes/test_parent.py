"""Test batches that a child process prepares."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset, Feature
from dshub.catalog.features import ImageFeature, LabelFeature, TextFeature
from dshub.errors import DshubError, FunctionError
from dshub.loading.loader import Loader, cursor_of
from dshub.loading.transforms import Normalize, RandomCrop, RandomHorizontalFlip

ROWS = 90
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def rows() -> Dataset:
    """Return rows with images, labels, texts and lists of different lengths."""
    draw = np.random.default_rng(0)
    features: dict[str, Feature] = {
        "image": ImageFeature(shape=(64, 64, 3)),
        "label": LabelFeature(names=("a", "b")),
        "text": TextFeature(),
    }
    columns: dict[str, Any] = {
        "image": draw.integers(0, 256, (ROWS, 64, 64, 3), np.uint8),
        "label": np.arange(ROWS) % 2,
        "text": [f"row {number}" * (number % 3) for number in range(ROWS)],
        "tokens": [np.arange(5000 * (number % 4)) for number in range(ROWS)],
    }
    return Dataset.from_arrays(columns, features=features, supervised=("image", "label"))


DATASET = rows()
AUGMENT = [RandomCrop(48), RandomHorizontalFlip(), Normalize(mean=(0.5,) * 3, std=(0.25,) * 3)]


def batches(**options: Any) -> Loader[Any]:
    defaults: dict[str, Any] = {"shuffle": True, "transform": AUGMENT, "threads": 2}
    return DATASET.batches(16, **defaults | options)


def failing(batch: Any) -> Any:
    """Fail for the batch with row 40, as a transform."""
    if "row 40" in batch["text"]:
        raise ValueError("row 40")
    return batch


def slow(batch: Any) -> Any:
    time.sleep(0.3)
    return batch


def assert_equal(batch: Any, other: Any) -> None:
    assert batch.keys() == other.keys()
    for name, values in batch.items():
        if isinstance(values, np.ndarray):
            assert values.dtype == other[name].dtype
            np.testing.assert_array_equal(values, other[name])
        else:
            assert len(values) == len(other[name])
            assert all(map(np.array_equal, values, other[name]))


def child_of(loader: Loader[Any]) -> int:
    """Return the process number of the child of a loader."""
    _, process = cursor_of(loader)._process or (None, None)
    assert process is not None
    return process._process.pid


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while is_running(pid):
        assert time.monotonic() < deadline, "the child still runs"
        time.sleep(0.05)


@pytest.fixture
def loader() -> Iterator[Loader[Any]]:
    made = batches(where="process")
    yield made
    _, process = cursor_of(made)._process or (None, None)
    if process is not None:
        process.close()


def test_batches_states_and_fingerprints_are_those_of_threads(loader: Loader[Any]) -> None:
    """Over two epochs, with a resumed loader in the second."""
    threads = batches()
    assert loader.fingerprint == threads.fingerprint
    for _ in range(2):
        for batch, other in zip(loader, threads, strict=True):
            assert_equal(batch, other)
            assert loader.state_dict() == threads.state_dict()
            assert batch["image"].flags.writeable
    for step, _ in enumerate(loader):
        if step == 1:
            break
    resumed = batches()
    resumed.load_state_dict(loader.state_dict())
    loader.load_state_dict(loader.state_dict())
    for batch, other in zip(loader, resumed, strict=True):
        assert_equal(batch, other)


def test_memory_is_reused_only_when_nothing_refers_to_a_batch(loader: Loader[Any]) -> None:
    kept = list(loader)
    expected = list(batches())
    for _ in range(3):
        views = [batch["image"][3, 5:] for batch in loader]
        del views
    for batch, other in zip(kept, expected, strict=True):
        assert_equal(batch, other)
    _, process = cursor_of(loader)._process or (None, None)
    assert process is not None
    regions = len(process._maps)
    del kept, batch
    for _ in range(5):
        for _ in loader:
            pass
    assert len(process._maps) <= regions + 4


def test_breaks_and_interleaved_iterations_leave_no_batch_behind(loader: Loader[Any]) -> None:
    first = next(iter(loader))
    pid = child_of(loader)
    for one, two in zip(loader, loader, strict=True):
        assert len(one["label"]) == len(two["label"])
    assert child_of(loader) == pid
    again = batches(where="process")
    assert_equal(first, next(iter(again)))


def test_errors_are_raised_at_their_batch() -> None:
    """Earlier batches arrive, and the loader can be used again."""
    loader = batches(where="process", transform=failing, shuffle=False)
    for _ in range(2):
        counts: list[int] = []
        with pytest.raises(FunctionError, match="row 40") as caught:
            counts.extend(len(batch["text"]) for batch in loader)
        assert counts == [16, 16]
        assert "failing" in str(caught.value)


@pytest.mark.parametrize("what", ["lambda", "rows"])
def test_objects_that_cannot_be_sent_are_named(what: str) -> None:
    data = DATASET.map(lambda row: {"n": len(row["text"])}) if what == "rows" else DATASET
    transform: Any = (lambda batch: batch) if what == "lambda" else []
    loader = data.batches(16, transform=transform, where="process")
    with pytest.raises(DshubError, match="cannot be sent to a process") as caught:
        next(iter(loader))
    assert 'where="thread"' in caught.value.hint


@LINUX
def test_killed_child_is_reported_and_replaced(loader: Loader[Any]) -> None:
    walk = iter(loader)
    next(walk)
    os.kill(child_of(loader), signal.SIGKILL)
    with pytest.raises(DshubError, match="ended by signal 9"):
        for _ in range(ROWS):
            next(walk)
    assert len(list(loader)) == len(loader)


@LINUX
def test_child_ends_with_its_loader() -> None:
    loader = batches(where="process")
    batch = next(iter(loader))
    pid = child_of(loader)
    assert is_running(pid)
    pixels = batch["image"].copy()
    del loader
    gc.collect()
    wait_until_gone(pid)
    np.testing.assert_array_equal(batch["image"], pixels)  # its memory lives on


def test_pickled_loaders_start_their_own_child(loader: Loader[Any]) -> None:
    first = next(iter(loader))
    copy = pickle.loads(pickle.dumps(loader))
    assert cursor_of(copy)._process is None
    assert_equal(first, next(iter(copy)))
    assert child_of(copy) != child_of(loader)


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_parent import batches, child_of, slow  # `slow` leaves time for the signal
{definition}
{guard}
    loader = batches(where="process", transform={transform})
    for number, batch in enumerate(loader):
        if not number:
            print(child_of(loader), flush=True)
    print("done", len(batch["label"]))
"""


def start(folder: Path, **parts: str) -> "subprocess.Popen[str]":
    """Start a script that iterates over a loader; it prints the number of the child first."""
    defaults = {"definition": "", "guard": "if __name__ == '__main__':", "transform": "slow"}
    script = folder / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), **defaults | parts))
    return subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@LINUX
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=str)
def test_child_ends_with_a_killed_parent(tmp_path: Path, number: signal.Signals) -> None:
    with start(tmp_path) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    wait_until_gone(pid)
    assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)


OWN = "def own(batch):\n    return batch"


def test_functions_of_a_script_reach_the_child(tmp_path: Path) -> None:
    with start(tmp_path, definition=OWN, transform="own") as process:
        output, errors = process.communicate(timeout=60)
    assert output.splitlines()[1:] == ["done 10"], errors


def test_script_without_a_guard_is_told_to_add_one(tmp_path: Path) -> None:
    """Only if the child needs a function of the script."""
    for transform, message in (("slow", "done 10"), ("own", "below `if __name__ ==")):
        with start(tmp_path, definition=OWN, guard="if True:", transform=transform) as process:
            output, errors = process.communicate(timeout=60)
        assert message in output + errors


def test_torch_batches_are_those_of_threads() -> None:
    torch = pytest.importorskip("torch")
    options: dict[str, Any] = {"layout": "chw", "supervised": True}
    ours = batches(where="process", **options).torch()
    for (x, y), (u, v) in zip(ours, batches(**options).torch(), strict=True):
        assert torch.equal(x, u)
        assert torch.equal(y, v)
        assert x.stride() == u.stride()


@pytest.mark.parametrize("framework", ["tf", "jax"])
def test_framework_batches_are_those_of_threads(framework: str) -> None:
    pytest.importorskip({"tf": "tensorflow"}.get(framework, framework))
    options: dict[str, Any] = {"supervised": True, "drop_last": True}
    ours, other = (batches(where=w, **options).to(framework) for w in ("process", "thread"))
    count = 0
    for (x, y), (u, v) in zip(ours, other, strict=True):
        np.testing.assert_array_equal(np.asarray(x), np.asarray(u))
        np.testing.assert_array_equal(np.asarray(y), np.asarray(v))
        count += 1
    assert count == ROWS // 16
