import gc
import json
import pickle
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import Dataset
from dshub.catalog.features import Feature, ImageFeature, NumberFeature
from dshub.errors import ArgumentError, DshubError, StateError
from dshub.loading.loader import Loader, cursor_of
from dshub.loading.options import BatchOptions
from dshub.loading.transforms.transform import Batch

ROWS = 23
IMAGES = np.arange(ROWS * 2 * 3 * 3, dtype=np.uint16).astype(np.uint8).reshape(ROWS, 2, 3, 3)


@pytest.fixture
def dataset() -> Dataset:
    return example()


def example(rows: int = ROWS) -> Dataset:
    """Return a dataset of row numbers, texts and small images."""
    return Dataset.from_arrays(
        {"image": IMAGES[:rows], "id": np.arange(rows), "text": [f"t{i}" for i in range(rows)]},
        features={"image": ImageFeature(shape=(2, 3, 3))},
        supervised=("image", "id"),
    )


def ids(batches: Sequence[Batch]) -> list[list[int]]:
    return [batch["id"].tolist() for batch in batches]


def flat(batches: Sequence[Batch]) -> list[int]:
    return [row for batch in ids(batches) for row in batch]


@pytest.mark.parametrize("size", [1, 5, 22, 23, 24, 1000])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_cover_the_rows_in_order(dataset: Dataset, size: int, *, drop_last: bool) -> None:
    expected = [list(range(ROWS))[i : i + size] for i in range(0, ROWS, size)]
    if drop_last:
        expected = [batch for batch in expected if len(batch) == size]
    loader = dataset.batches(size, drop_last=drop_last)
    assert len(loader) == len(expected)
    assert ids(list(loader)) == expected


def test_empty_dataset_has_no_batches() -> None:
    loader = example(0).batches(4, shuffle=True)
    assert (len(loader), list(loader), list(loader), loader.epoch) == (0, [], [], 2)


def test_columns_of_a_row_stay_together(dataset: Dataset) -> None:
    for batch in dataset.batches(4, shuffle=True, seed=1):
        assert np.array_equal(batch["image"], IMAGES[batch["id"]])
        assert batch["text"] == [f"t{i}" for i in batch["id"]]


@pytest.mark.parametrize("size", [1, 5, 23])
def test_each_epoch_has_its_own_order(dataset: Dataset, size: int) -> None:
    loader = dataset.batches(size, shuffle=True, seed=3)
    epochs = []
    for number in range(5):
        assert loader.epoch == number
        epochs.append(flat(list(loader)))
    assert all(sorted(epoch) == list(range(ROWS)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 5
    again = dataset.batches(7, shuffle=True, seed=3)
    assert [flat(list(again)) for _ in range(5)] == epochs
    assert flat(list(dataset.batches(size, shuffle=True, seed=4))) != epochs[0]


def test_setting_epoch_selects_that_epoch(dataset: Dataset) -> None:
    one, other = (dataset.batches(5, shuffle=True) for _ in range(2))
    list(one)
    list(one)
    other.epoch = 2
    assert ids(list(other)) == ids(list(one))


def test_setting_another_epoch_resets_the_position(dataset: Dataset) -> None:
    loader, other = (dataset.batches(5, shuffle=True) for _ in range(2))
    complete = [list(other) for _ in range(3)]
    next(iter(loader))
    loader.epoch = 2
    assert loader.state_dict() | {"epoch": 2, "position": 0} == loader.state_dict()
    assert ids(list(loader)) == ids(complete[2])
    loader.load_state_dict(other.state_dict() | {"epoch": 0, "position": 10})
    loader.epoch = 1
    assert ids(list(loader)) == ids(complete[1])


def test_setting_the_current_epoch_keeps_the_position(dataset: Dataset) -> None:
    loader, other = (dataset.batches(5, shuffle=True) for _ in range(2))
    complete = list(other)
    loader.load_state_dict(loader.state_dict() | {"position": 10})
    loader.epoch = 0
    assert ids(list(loader)) == ids(complete[2:])


@pytest.mark.parametrize("epoch", [-1, 1.5, "1", None])
def test_setting_an_invalid_epoch_is_rejected(dataset: Dataset, epoch: Any) -> None:
    loader = dataset.batches(5)
    with pytest.raises(ArgumentError, match=r"epoch is .*; it must be a whole number from 0 to"):
        loader.epoch = epoch


def test_iterating_after_a_break_restarts_the_epoch(dataset: Dataset) -> None:
    loader = dataset.batches(5, shuffle=True)
    first = next(iter(loader))
    assert loader.epoch == 0
    complete = list(loader)
    assert ids([first]) == ids(complete[:1])
    assert sorted(flat(complete)) == list(range(ROWS))
    assert loader.epoch == 1


@given(
    steps=st.integers(0, 14),
    size=st.integers(1, 9),
    other=st.integers(1, 9),
    shuffle=st.booleans(),
)
def test_state_resumes_with_any_batch_size(
    steps: int, size: int, other: int, *, shuffle: bool
) -> None:
    def run(loader: Loader, count: int) -> list[int]:
        ids_so_far: list[int] = []
        while loader.epoch < 3 and count > 0:
            for batch in loader:
                ids_so_far += batch["id"].tolist()
                count -= 1
                if not count:
                    return ids_so_far
        return ids_so_far

    complete = run(example().batches(1, shuffle=shuffle, seed=9), 10**6)
    first = example().batches(size, shuffle=shuffle, seed=9)
    before = run(first, steps)
    state = json.loads(json.dumps(first.state_dict()))
    second = example().batches(other, shuffle=shuffle, seed=9)
    second.load_state_dict(state)
    assert second.state_dict() == state
    assert before + run(second, 10**6) == complete


def test_state_between_epochs_resumes_with_the_next(dataset: Dataset) -> None:
    first = dataset.batches(5, shuffle=True)
    list(first)
    second = dataset.batches(4, shuffle=True)
    second.load_state_dict(first.state_dict())
    assert flat(list(second)) == flat(list(first))


def test_state_applies_to_one_epoch_only(dataset: Dataset) -> None:
    first = dataset.batches(5)
    next(iter(first))
    loader = dataset.batches(5)
    loader.load_state_dict(first.state_dict())
    assert list(cursor_of(loader).starts()) == [5, 10, 15, 20]
    assert flat(list(loader)) == list(range(5, ROWS))
    assert flat(list(loader)) == list(range(ROWS))
    assert list(cursor_of(loader).starts()) == [0, 5, 10, 15, 20]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "seed 1, but the loader has 0"),
        ({"rows": 99}, "rows 99, but the loader has 23"),
        ({"shuffle": 0}, "shuffle 0, but the loader has 1"),
        ({"order": 99}, "order 99"),
        ({"position": 24}, "not a position"),
        ({"position": -1}, "not a position"),
        ({"epoch": -1}, "not a position"),
    ],
    ids=str,
)
def test_state_of_another_order_is_rejected(
    dataset: Dataset, change: dict[str, int], words: str
) -> None:
    """The error names the difference, and the loader keeps its position."""
    loader = dataset.batches(5, shuffle=True)
    state = loader.state_dict()
    with pytest.raises(StateError, match=words):
        loader.load_state_dict(state | change)
    assert loader.state_dict() == state


HOSTILE: list[Any] = [
    10**5000,
    -(10**5000),
    2**64,
    float("nan"),
    None,
    "9" * 5000,
    np.arange(3),
    np.array([[1, 2], [3, 4]]),
    [[1]],
    {"a": 1},
    b"1",
    object(),
]


@pytest.mark.parametrize("field", ["order", "seed", "rows", "shuffle", "epoch", "position"])
def test_hostile_values_in_a_state_are_rejected(dataset: Dataset, field: str) -> None:
    loader = dataset.batches(5, shuffle=True)
    state = loader.state_dict()
    for value in HOSTILE:
        with pytest.raises(StateError) as caught:
            loader.load_state_dict(state | {field: value})
        assert len(str(caught.value)) < 300
    assert loader.state_dict() == state
    nested: list[Any] = []
    nested.append(nested)
    with pytest.raises(StateError):
        loader.load_state_dict({**state, "epoch": nested})
    for value in (10**5000, 2**53):
        with pytest.raises(ArgumentError, match="epoch"):
            loader.epoch = value


@pytest.mark.parametrize("state", [None, "state", 3, ["epoch", "position"]])
def test_state_must_be_a_dict(dataset: Dataset, state: Any) -> None:
    with pytest.raises(StateError, match=f"not {type(state).__name__}"):
        dataset.batches(5).load_state_dict(state)


def test_used_loader_pickles_without_caches() -> None:
    images = np.zeros((1000, 32, 32, 3), np.uint8)
    dataset = Dataset.from_arrays(
        {"image": images}, features={"image": ImageFeature(shape=(32, 32, 3))}
    )
    loader = dataset.batches(100)
    before = len(pickle.dumps(loader))
    list(loader)
    assert len(pickle.dumps(loader)) < before + 1000


@pytest.mark.parametrize("missing", ["order", "seed", "shuffle", "rows", "epoch", "position"])
def test_incomplete_state_is_rejected(dataset: Dataset, missing: str) -> None:
    loader = dataset.batches(5)
    state = {name: value for name, value in loader.state_dict().items() if name != missing}
    with pytest.raises(StateError):
        loader.load_state_dict(state)


def test_transform_changes_the_batch(dataset: Dataset) -> None:
    def darker(batch: Batch) -> Batch:
        batch["image"] //= 2
        return batch | {"first": batch["id"][:1]}

    batches = list(dataset.batches(10, transform=darker))
    assert np.array_equal(np.concatenate([b["image"] for b in batches]), IMAGES // 2)
    assert [b["first"].tolist() for b in batches] == [[0], [10], [20]]
    assert np.array_equal(dataset["image"], IMAGES)


@pytest.mark.parametrize("returned", [None, [1], 3])
def test_transform_must_return_a_batch(dataset: Dataset, returned: Any) -> None:
    """The error names the transform, because a missing `return` is a common mistake."""

    def forgetful(batch: Batch) -> Any:
        batch["image"] //= 2
        return returned

    with pytest.raises(DshubError, match=r"forgetful returned .* instead of a batch") as caught:
        next(iter(dataset.batches(4, transform=forgetful)))
    assert "return" in caught.value.hint


def test_transform_must_keep_supervised_columns(dataset: Dataset) -> None:
    """The error names the missing column, unlike a KeyError from inside the loader."""
    loader = dataset.batches(4, supervised=True, transform=lambda batch: {"image": batch["image"]})
    with pytest.raises(DshubError, match="the transforms removed column 'id'"):
        next(iter(loader))


@dataclass
class Shift:
    """A transform that is not hashable because it is a mutable dataclass."""

    by: int

    def __call__(self, batch: Batch) -> Batch:
        return batch | {"id": batch["id"] + self.by}


def test_transform_need_not_be_hashable(dataset: Dataset) -> None:
    assert flat(list(dataset.batches(9, transform=Shift(100)))) == list(range(100, 100 + ROWS))


def test_loader_frees_its_transform(dataset: Dataset) -> None:
    transform = Shift(1)
    freed = weakref.ref(transform)
    loader = dataset.batches(4, transform=transform)
    list(loader)
    del transform, loader
    gc.collect()
    assert freed() is None


def test_chw_layout_puts_channels_first(dataset: Dataset) -> None:
    """Only images are transposed, and callables get the transposed images."""
    seen = []

    def note(batch: Batch) -> Batch:
        seen.append(batch["image"].shape)
        return batch

    batch = next(iter(dataset.batches(4, layout="chw", transform=note)))
    assert np.array_equal(batch["image"], IMAGES[:4].transpose(0, 3, 1, 2))
    assert batch["image"].flags.c_contiguous
    assert batch["id"].shape == (4,)
    assert seen == [(4, 3, 2, 3)]


def test_supervised_batches_are_pairs(dataset: Dataset) -> None:
    x, y = next(iter(dataset.batches(4, supervised=True, shuffle=True)))
    assert np.array_equal(x, IMAGES[y])


@pytest.mark.parametrize("layout", ["hwc", "chw"])
def test_batches_are_new_arrays(dataset: Dataset, layout: Any) -> None:
    """Writing into a batch changes neither the dataset nor another batch."""
    loader = dataset.batches(5, layout=layout)
    first, second = list(loader), list(loader)
    for one, other in zip(first, second, strict=True):
        for name in ("image", "id"):
            assert one[name].flags.writeable
            one[name][:] = 0
            assert not np.shares_memory(one[name], other[name])
    assert flat(second) == list(range(ROWS))
    assert np.array_equal(dataset["image"], IMAGES)


def test_seed_can_be_a_numpy_integer(dataset: Dataset) -> None:
    loader = dataset.batches(5, shuffle=True, seed=np.int64(7))  # type: ignore[call-overload]
    assert ids(list(loader)) == ids(list(dataset.batches(5, shuffle=True, seed=7)))
    assert json.loads(json.dumps(loader.state_dict()))["seed"] == 7


class Squares:
    """A data source that is not a Dataset."""

    supervised = None
    image_columns = ()
    fingerprint = "squares"
    features: ClassVar[dict[str, Feature]] = {"square": NumberFeature(dtype="int64")}

    def __len__(self) -> int:
        return 10

    def gather(self, rows: np.ndarray) -> Batch:
        return {"square": rows**2}

    def without(self, names: Sequence[str]) -> "Squares":
        assert not names
        return self

    def pixels(self, name: str) -> None:
        del name

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        return rows

    def lengths(self, name: str, rows: np.ndarray) -> np.ndarray:
        del name
        return rows


def test_loader_accepts_rows_that_are_not_a_dataset() -> None:
    loader = Loader(Squares(), BatchOptions(4))
    assert [b["square"].tolist() for b in loader] == [[0, 1, 4, 9], [16, 25, 36, 49], [64, 81]]


def test_repeat_yields_the_batches_of_several_epochs(dataset: Dataset) -> None:
    expected = dataset.batches(5, shuffle=True)
    epochs = [batch for _ in range(3) for batch in ids(list(expected))]
    loader = dataset.batches(5, shuffle=True)
    assert ids(list(loader.repeat(3))) == epochs
    assert (loader.epoch, list(loader.repeat(0))) == (3, [])


def test_repeat_without_count_has_no_end_and_can_resume(dataset: Dataset) -> None:
    loader, resumed = dataset.batches(5, shuffle=True), dataset.batches(5, shuffle=True)
    batches = loader.repeat()
    for _, _ in zip(range(3 * len(loader) + 2), batches, strict=False):
        pass
    state = loader.state_dict()
    assert (state["epoch"], state["position"]) == (3, 10)
    resumed.load_state_dict(state)
    again = resumed.repeat()
    for _ in range(20):
        assert ids([next(again)]) == ids([next(batches)])


def test_repeat_of_no_batches_ends() -> None:
    assert list(example(0).batches(5).repeat()) == []


@pytest.mark.parametrize("count", [-1, 1.5, "2"])
def test_invalid_count_of_epochs_is_rejected(dataset: Dataset, count: Any) -> None:
    with pytest.raises(ArgumentError, match="count is"):
        dataset.batches(5).repeat(count)


def test_loader_has_its_dataset(dataset: Dataset) -> None:
    assert dataset.batches(5).dataset is dataset
