import gc
import inspect
import json
import pickle
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import Dataset
from dshub.catalog.features import Feature, ImageFeature, NumberFeature
from dshub.errors import ArgumentError, DshubError, StateError, UnknownNameError
from dshub.loading.loader import Loader, walk_of
from dshub.loading.options import BatchOptions
from dshub.loading.transforms.geometry import RandomCrop
from dshub.loading.transforms.transform import Batch

ROWS = 23
IMAGES = np.arange(ROWS * 2 * 3 * 3, dtype=np.uint16).astype(np.uint8).reshape(ROWS, 2, 3, 3)


@pytest.fixture
def dataset() -> Dataset:
    return example()


def example(rows: int = ROWS) -> Dataset:
    """Rows that carry their own number."""
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
def test_batches_cover_the_rows_in_their_order(
    dataset: Dataset, size: int, *, drop_last: bool
) -> None:
    """As slicing a list would: the last one short, or left out; `len` says how many."""
    expected = [list(range(ROWS))[i : i + size] for i in range(0, ROWS, size)]
    if drop_last:
        expected = [batch for batch in expected if len(batch) == size]
    loader = dataset.batches(size, drop_last=drop_last)
    assert len(loader) == len(expected)
    assert ids(list(loader)) == expected


def test_no_rows_no_batches() -> None:
    """An empty dataset has epochs too."""
    loader = example(0).batches(4, shuffle=True)
    assert (len(loader), list(loader), list(loader), loader.epoch) == (0, [], [], 2)


def test_every_column_is_of_the_same_rows(dataset: Dataset) -> None:
    """Shuffling keeps picture, number and text of a row together."""
    for batch in dataset.batches(4, shuffle=True, seed=1):
        assert np.array_equal(batch["image"], IMAGES[batch["id"]])
        assert batch["text"] == [f"t{i}" for i in batch["id"]]


@pytest.mark.parametrize("size", [1, 5, 23])
def test_each_epoch_has_an_order_of_its_own(dataset: Dataset, size: int) -> None:
    """Every row once an epoch, no epoch like another, and the same again for the same seed."""
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


def test_a_chosen_epoch_can_be_walked_alone(dataset: Dataset) -> None:
    """Setting `epoch` goes there, without the ones before."""
    one, other = (dataset.batches(5, shuffle=True) for _ in range(2))
    list(one)
    list(one)
    other.epoch = 2
    assert ids(list(other)) == ids(list(one))


def test_another_epoch_is_gone_to_from_the_midst_of_one(dataset: Dataset) -> None:
    """Setting `epoch` goes to its beginning, also after a `break` or a state amid an epoch."""
    loader, other = (dataset.batches(5, shuffle=True) for _ in range(2))
    whole = [list(other) for _ in range(3)]
    next(iter(loader))
    loader.epoch = 2
    assert loader.state_dict() | {"epoch": 2, "position": 0} == loader.state_dict()
    assert ids(list(loader)) == ids(whole[2])
    loader.load_state_dict(other.state_dict() | {"epoch": 0, "position": 10})
    loader.epoch = 1
    assert ids(list(loader)) == ids(whole[1])


def test_setting_the_epoch_that_is_gone_on_with_keeps_the_place(dataset: Dataset) -> None:
    """As a loop over epochs does that begins where the state says."""
    loader, other = (dataset.batches(5, shuffle=True) for _ in range(2))
    whole = list(other)
    loader.load_state_dict(loader.state_dict() | {"position": 10})
    loader.epoch = 0
    assert ids(list(loader)) == ids(whole[2:])


@pytest.mark.parametrize("epoch", [-1, 1.5, "1", None])
def test_an_epoch_that_cannot_be(dataset: Dataset, epoch: Any) -> None:
    """Is refused where it is set."""
    loader = dataset.batches(5)
    with pytest.raises(ArgumentError, match=r"epoch is .*; it must be a whole number from 0 to"):
        loader.epoch = epoch


def test_leaving_early_and_iterating_again_begins_the_epoch_anew(dataset: Dataset) -> None:
    """A `break` loses no row of the next walk and counts no epoch."""
    loader = dataset.batches(5, shuffle=True)
    first = next(iter(loader))
    assert loader.epoch == 0
    whole = list(loader)
    assert ids([first]) == ids(whole[:1])
    assert sorted(flat(whole)) == list(range(ROWS))
    assert loader.epoch == 1


@given(
    steps=st.integers(0, 14),
    size=st.integers(1, 9),
    other=st.integers(1, 9),
    shuffle=st.booleans(),
)
def test_a_saved_walk_goes_on_where_it_was(
    steps: int, size: int, other: int, *, shuffle: bool
) -> None:
    """Steps before, then a new loader with the state: together the whole run, in any size."""

    def run(loader: Loader, count: int) -> list[int]:
        found: list[int] = []
        while loader.epoch < 3 and count > 0:
            for batch in loader:
                found += batch["id"].tolist()
                count -= 1
                if not count:
                    return found
        return found

    whole = run(example().batches(1, shuffle=shuffle, seed=9), 10**6)
    first = example().batches(size, shuffle=shuffle, seed=9)
    before = run(first, steps)
    state = json.loads(json.dumps(first.state_dict()))
    second = example().batches(other, shuffle=shuffle, seed=9)
    second.load_state_dict(state)
    assert second.state_dict() == state
    assert before + run(second, 10**6) == whole


def test_a_walk_saved_between_epochs_goes_on_with_the_next(dataset: Dataset) -> None:
    """Its state is the beginning of an epoch, and all of that follows."""
    first = dataset.batches(5, shuffle=True)
    list(first)
    second = dataset.batches(4, shuffle=True)
    second.load_state_dict(first.state_dict())
    assert flat(list(second)) == flat(list(first))


def test_going_on_happens_once(dataset: Dataset) -> None:
    """After the rest of an epoch, the next one is whole; so is a loader that was left again."""
    first = dataset.batches(5)
    next(iter(first))
    loader = dataset.batches(5)
    loader.load_state_dict(first.state_dict())
    assert list(walk_of(loader).starts()) == [5, 10, 15, 20]
    assert flat(list(loader)) == list(range(5, ROWS))
    assert flat(list(loader)) == list(range(ROWS))
    assert list(walk_of(loader).starts()) == [0, 5, 10, 15, 20]


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
def test_a_state_of_another_walk_is_refused(
    dataset: Dataset, change: dict[str, int], words: str
) -> None:
    """The error names what differs, and the loader stays where it was."""
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
def test_any_value_in_a_state_is_refused_in_words(dataset: Dataset, field: str) -> None:
    """Arrays compare to arrays, and Python writes no number of 5,000 digits."""
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
def test_what_is_no_dict_is_no_state(dataset: Dataset, state: Any) -> None:
    """A file read in the wrong way, say."""
    with pytest.raises(StateError, match=f"not {type(state).__name__}"):
        dataset.batches(5).load_state_dict(state)


def test_a_loader_that_was_used_pickles_without_its_rows() -> None:
    """A worker process gets the way to the rows, not a copy of all pictures."""
    pictures = np.zeros((1000, 32, 32, 3), np.uint8)
    dataset = Dataset.from_arrays(
        {"image": pictures}, features={"image": ImageFeature(shape=(32, 32, 3))}
    )
    loader = dataset.batches(100)
    before = len(pickle.dumps(loader))
    list(loader)
    assert len(pickle.dumps(loader)) < before + 1000


@pytest.mark.parametrize("missing", ["order", "seed", "shuffle", "rows", "epoch", "position"])
def test_half_a_state_is_refused(dataset: Dataset, missing: str) -> None:
    """What another program wrote is no state."""
    loader = dataset.batches(5)
    state = {name: value for name, value in loader.state_dict().items() if name != missing}
    with pytest.raises(StateError):
        loader.load_state_dict(state)


def test_a_transform_makes_the_batch(dataset: Dataset) -> None:
    """It gets the dict, may change it in place, and what it returns is handed out."""

    def darker(batch: Batch) -> Batch:
        batch["image"] //= 2
        return batch | {"first": batch["id"][:1]}

    batches = list(dataset.batches(10, transform=darker))
    assert np.array_equal(np.concatenate([b["image"] for b in batches]), IMAGES // 2)
    assert [b["first"].tolist() for b in batches] == [[0], [10], [20]]
    assert np.array_equal(dataset["image"], IMAGES)


@pytest.mark.parametrize("returned", [None, [1], 3])
def test_a_transform_that_returns_no_batch(dataset: Dataset, returned: Any) -> None:
    """A forgotten `return` is named, with the transform."""

    def forgetful(batch: Batch) -> Any:
        batch["image"] //= 2
        return returned

    with pytest.raises(DshubError, match=r"forgetful returned .* instead of a batch") as caught:
        next(iter(dataset.batches(4, transform=forgetful)))
    assert "return" in caught.value.hint


def test_a_transform_that_takes_out_half_of_a_pair(dataset: Dataset) -> None:
    """Which column is missing, rather than a KeyError."""
    loader = dataset.batches(4, supervised=True, transform=lambda batch: {"image": batch["image"]})
    with pytest.raises(DshubError, match="the transforms removed column 'id'"):
        next(iter(loader))


@dataclass
class Shift:
    """A transform as people write them, which is not hashable because it is a dataclass."""

    by: int

    def __call__(self, batch: Batch) -> Batch:
        return batch | {"id": batch["id"] + self.by}


def test_a_transform_need_not_be_hashable(dataset: Dataset) -> None:
    """Any callable is one."""
    assert flat(list(dataset.batches(9, transform=Shift(100)))) == list(range(100, 100 + ROWS))


def test_a_loader_lets_go_of_its_transform(dataset: Dataset) -> None:
    """What a transform holds, such as a model, is freed with the loader."""
    transform = Shift(1)
    freed = weakref.ref(transform)
    loader = dataset.batches(4, transform=transform)
    list(loader)
    del transform, loader
    gc.collect()
    assert freed() is None


def test_channels_come_first_where_asked(dataset: Dataset) -> None:
    """`chw` moves the axes of pictures alone, before the transform, in C order."""
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
    """The pair that the dataset names, in that order."""
    x, y = next(iter(dataset.batches(4, supervised=True, shuffle=True)))
    assert np.array_equal(x, IMAGES[y])


@pytest.mark.parametrize("layout", ["hwc", "chw"])
def test_batches_are_new_arrays(dataset: Dataset, layout: Any) -> None:
    """Writing into a batch reaches neither the dataset nor another batch."""
    loader = dataset.batches(5, layout=layout)
    first, second = list(loader), list(loader)
    for one, other in zip(first, second, strict=True):
        for name in ("image", "id"):
            assert one[name].flags.writeable
            one[name][:] = 0
            assert not np.shares_memory(one[name], other[name])
    assert flat(second) == list(range(ROWS))
    assert np.array_equal(dataset["image"], IMAGES)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda ds: ds.batches(0), "size is 0; it must be a whole number of at least 1"),
        (lambda ds: ds.batches(-3), "size is -3"),
        (lambda ds: ds.batches(2.5), "size is 2.5; it must be a whole number"),
        (lambda ds: ds.batches("8"), "size is '8'"),
        (lambda ds: ds.batches(True), "size is True"),
        (lambda ds: ds.batches(2, seed=None), "seed is None; it must be a whole number"),
        (lambda ds: ds.batches(2, seed=1.5), "seed is 1.5"),
        (lambda ds: ds.batches(2, layout="whc"), "layout is 'whc'; it must be 'hwc' or 'chw'"),
        (lambda ds: ds.batches(2, shuffle="yes"), "shuffle is 'yes'; it must be True, False or"),
        (lambda ds: ds.batches(2, shuffle=1), "shuffle is 1"),
        (lambda ds: ds.batches(2, drop_last="no"), "drop_last is 'no'; it must be True or False"),
        (lambda ds: ds.batches(2, supervised="no"), "supervised is 'no'"),
        (lambda ds: ds.batches(2, threads="2"), "threads is '2'; it must be a whole number of at"),
        (lambda ds: ds.batches(2, threads=1.5), "threads is 1.5"),
        (lambda ds: ds.batches(2, prefetch="1GB"), "prefetch is '1GB'; it must be a number"),
        (lambda ds: ds.batches(2, rank="0", world="2"), "world is '2'"),
        (lambda ds: ds.batches(2, weights="abc"), "weights is 'abc'; it must be 23 numbers"),
        (lambda ds: ds.batches(2, bucket="id"), "bucket is 'id'; it must be a column of text or"),
        (lambda ds: ds.batches(2, transform=RandomCrop), "an instance of it"),
        (lambda ds: ds.columns(["id"]).batches(2, supervised=True), "which columns"),
    ],
)
def test_options_that_cannot_be_are_refused_at_once(
    dataset: Dataset, make: Callable[[Dataset], Loader], words: str
) -> None:
    """Not only when the first batch is made: which option, what it is, and what it must be."""
    for kind in (ArgumentError, ValueError, TypeError):
        with pytest.raises(kind, match=words):
            make(dataset)


def test_a_seed_of_numpy_is_a_seed(dataset: Dataset) -> None:
    """It gives the same order, and a state that can be written as JSON."""
    loader = dataset.batches(5, shuffle=True, seed=np.int64(7))  # type: ignore[arg-type]
    assert ids(list(loader)) == ids(list(dataset.batches(5, shuffle=True, seed=7)))
    assert json.loads(json.dumps(loader.state_dict()))["seed"] == 7


class Squares:
    """Rows that no dataset holds."""

    supervised = None
    pictures = ()
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


def test_anything_with_a_length_and_a_gather_can_be_walked() -> None:
    """A loader needs no dataset."""
    loader = Loader(Squares(), BatchOptions(4))
    assert [b["square"].tolist() for b in loader] == [[0, 1, 4, 9], [16, 25, 36, 49], [64, 81]]


def test_help_shows_every_option(dataset: Dataset) -> None:
    """Names and defaults, for `help` and notebooks; a misspelled one is refused by the method."""
    parameters = inspect.signature(dataset.batches).parameters
    assert list(parameters)[:3] == ["size", "shuffle", "seed"]
    assert parameters["threads"].default == 1
    assert parameters["shuffle"].kind is inspect.Parameter.KEYWORD_ONLY
    with pytest.raises(TypeError, match=r"batches\(\) got an unexpected keyword argument 'sede'"):
        dataset.batches(8, sede=1)  # type: ignore[call-arg]


def test_options_are_the_same_for_a_loader_of_ones_own(dataset: Dataset) -> None:
    """Validated where they are made, against the rows where they meet them."""
    options = BatchOptions(4, shuffle=True, seed=3)
    assert ids(list(Loader(dataset, options))) == ids(
        list(dataset.batches(4, shuffle=True, seed=3))
    )
    with pytest.raises(ArgumentError, match="layout is 'whc'"):
        BatchOptions(4, layout="whc")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError):
        Loader(dataset, BatchOptions(4, bucket="none"))
    with pytest.raises(AttributeError):
        options.size = 5  # type: ignore[misc]
