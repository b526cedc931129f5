import os
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.errors import ArgumentError, DshubError, UnknownNameError
from tests.loading.examples import DATASET, ROWS


def test_referenced_batches_keep_their_pixels() -> None:
    """A view of an array also keeps its memory from being reused."""
    held = list(DATASET.batches(10, shuffle=True, threads=2))
    views = [batch["image"][-1, :2] for batch in DATASET.batches(10, shuffle=True)]
    for batch, view in zip(held, views, strict=True):
        assert np.array_equal(batch["image"][:, 0, 0, 0], batch["id"])
        assert (view == batch["id"][-1]).all()


def test_memory_is_reused() -> None:
    addresses = {batch["image"].ctypes.data for batch in DATASET.batches(10, threads=1)}
    assert len(addresses) < 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_memory_is_not_shared_with_a_forked_process() -> None:
    loader = DATASET.batches(10, shuffle=True, threads=0)
    list(loader)  # fills the pool with unused memory
    filled, by_child = os.pipe()
    message, by_parent = os.pipe()
    child = os.fork()
    if not child:
        wrong = True
        try:
            batch = next(iter(loader))
            os.write(by_child, b".")
            os.read(message, 1)  # wait until the parent has filled its memory
            wrong = not np.array_equal(batch["image"][:, 0, 0, 0], batch["id"])
        finally:
            os._exit(int(wrong))
    os.read(filled, 1)
    loader.epoch = 5  # different rows from the child's
    batches = list(loader)
    os.write(by_parent, b".")
    assert len(batches) == len(loader)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_batch_can_be_written_to() -> None:
    for batch in DATASET.batches(10):
        batch["image"] += 1
        batch["id"] *= 2
    assert list(DATASET["id"]) == list(range(ROWS))
    assert DATASET[5]["image"].max() == 5


def test_lists_are_padded_to_the_longest_of_the_batch() -> None:
    ds = Dataset.from_arrays({"ids": [[1, 2, 3], [4], []], "n": np.arange(3)})
    first, second = ds.batches(2, pad={"ids": -1})
    assert first["ids"].tolist() == [[1, 2, 3], [4, -1, -1]]
    assert second["ids"].shape == (1, 0)


def test_columns_of_transforms_are_padded() -> None:
    ds = Dataset.from_arrays({"text": ["a", "abc"]})
    split = lambda batch: {"ids": [[ord(c) for c in text] for text in batch["text"]]}  # noqa: E731
    (batch,) = ds.batches(2, transform=split, pad={"ids": 0})
    assert batch["ids"].tolist() == [[97, 0, 0], [97, 98, 99]]


@pytest.mark.parametrize(
    ("pad", "error"),
    [({"x": 0}, UnknownNameError), ({"text": 0}, DshubError), ({"n": "0"}, ArgumentError)],
    ids=str,
)
def test_padding_that_cannot_be_is_rejected(pad: Any, error: type[Exception]) -> None:
    ds = Dataset.from_arrays({"text": ["a", "abc"], "n": np.arange(2)})
    with pytest.raises(error):
        next(iter(ds.batches(2, pad=pad)))


def test_padding_that_the_values_cannot_hold_is_rejected() -> None:
    """-1 would become 255, and 0.5 would become 0."""
    ds = Dataset.from_arrays({"ids": [np.ones(count, np.uint8) for count in (1, 2)]})
    for fill in (-1, 0.5):
        with pytest.raises(DshubError, match=f"cannot be padded with {fill}"):
            next(iter(ds.batches(2, pad={"ids": fill})))
