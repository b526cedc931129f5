import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_type_hints

import pytest

from dshub import Dataset
from dshub.errors import ArgumentError, SettingsError, UnknownNameError
from dshub.loading.loader import Loader
from dshub.loading.options import BatchKeywords, BatchOptions, this_rank
from dshub.loading.transforms.geometry import RandomCrop
from tests.loading.examples import DATASET, ROWS


@pytest.fixture
def dataset() -> Dataset:
    return DATASET


def first_ids(loader: Loader) -> list[int]:
    ids: list[int] = next(iter(loader))["id"].tolist()
    return ids


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
        (lambda ds: ds.batches(2, weights="abc"), "weights is 'abc'; it must be 101 numbers"),
        (
            lambda ds: ds.batches(2, bucket="id"),
            "bucket is 'id'; it must be a column of text, lists or",
        ),
        (lambda ds: ds.batches(2, transform=RandomCrop), "an instance, such as"),
        (lambda ds: ds.columns(["id"]).batches(2, supervised=True), "does not define"),
    ],
)
def test_invalid_options_are_rejected_at_once(
    dataset: Dataset, make: Callable[[Dataset], Loader], words: str
) -> None:
    """The error names the option, its value and the expected values."""
    for kind in (ArgumentError, ValueError, TypeError):
        with pytest.raises(kind, match=words):
            make(dataset)


def test_signature_shows_every_option(dataset: Dataset) -> None:
    parameters = inspect.signature(dataset.batches).parameters
    assert list(parameters)[:3] == ["size", "shuffle", "seed"]
    assert parameters["threads"].default == "auto"
    assert parameters["shuffle"].kind is inspect.Parameter.KEYWORD_ONLY
    with pytest.raises(TypeError, match=r"batches\(\) got an unexpected keyword argument 'sede'"):
        dataset.batches(8, sede=1)  # type: ignore[call-overload]


def test_options_can_be_created_separately(dataset: Dataset) -> None:
    options = BatchOptions(4, shuffle=True, seed=3)
    assert first_ids(Loader(dataset, options)) == first_ids(
        dataset.batches(4, shuffle=True, seed=3)
    )
    with pytest.raises(ArgumentError, match="layout is 'whc'"):
        BatchOptions(4, layout="whc")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError):
        Loader(dataset, BatchOptions(4, bucket="none"))
    with pytest.raises(AttributeError):
        options.size = 5  # type: ignore[misc]


def test_rank_defaults_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert first_ids(DATASET.batches(3)) == [1, 3, 5]
    assert first_ids(DATASET.batches(3, rank=0, world=1)) == [0, 1, 2]


def test_rank_outside_its_world_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variables, which an old launcher can leave behind."""
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(
        SettingsError, match="RANK is 3; it must be below WORLD_SIZE, which is 2, unless"
    ):
        DATASET.batches(3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shuffle": "random"}, "shuffle is"),
        ({"uneven": "even"}, "uneven is"),
        ({"rank": 1}, "passed together with `world`"),
        ({"rank": 4, "world": 4}, "a whole number from 0 to 3"),
        ({"threads": -1}, "at least 0"),
        ({"weights": [1.0]}, "101 numbers of at least 0, one for each row"),
        ({"weights": [-1.0] * ROWS}, "at least 0"),
    ],
)
def test_invalid_options_of_ranks_and_weights_are_rejected(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        DATASET.batches(8, **options)
    with pytest.raises(ArgumentError, match="transform is 'normalize'"):
        DATASET.batches(8, transform="normalize")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError):
        DATASET.batches(8, bucket="txet")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (0, 1)),
        ({"RANK": "2", "WORLD_SIZE": "4"}, (2, 4)),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}, (1, 2)),
        ({"PMI_RANK": "3", "PMI_SIZE": "8"}, (3, 8)),
        ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "16"}, (0, 16)),
        ({"RANK": "\u00b2", "WORLD_SIZE": "4"}, (0, 1)),
        ({"RANK": "0", "WORLD_SIZE": "9" * 5000}, (0, 1)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "16"}, (0, 1)),  # a shell in a Slurm allocation
        ({"RANK": "x", "WORLD_SIZE": "4"}, (0, 1)),
        ({"RANK": "1"}, (0, 1)),
    ],
)
def test_rank_and_world_come_from_the_launchers_variables(
    environment: dict[str, str], expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invalid numbers are ignored, and so is a rank without a world size."""
    monkeypatch.setattr("os.environ", environment)
    assert this_rank() == expected


def test_type_checkers_know_every_option_of_batches() -> None:
    known = get_type_hints(BatchKeywords)
    options = get_type_hints(BatchOptions)
    names = {field.name for field in fields(BatchOptions)} - {"size", "supervised"}
    assert known == {name: options[name] for name in names}
