from collections import Counter
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import ImageFeature
from dshub.errors import ArgumentError, SchemaError
from dshub.loading.transforms.colors import Normalize


def dataset_named(name: str, rows: int) -> Dataset:
    """Return a dataset of images, lists and text, with its own name in the column `of`."""
    return Dataset.from_arrays(
        {
            "image": np.arange(rows, dtype=np.uint8).repeat(12).reshape(rows, 2, 2, 3),
            "id": np.arange(rows),
            "of": [name] * rows,
            "tokens": [np.arange(i % 3) for i in range(rows)],
        },
        features={"image": ImageFeature(shape=(2, 2, 3))},
        supervised=("image", "id"),
    )


A, B = dataset_named("a", 300), dataset_named("b", 1100)


def rows_of(loader: Any, epochs: int = 1) -> list[tuple[str, int]]:
    """Return the dataset name and row number of each row."""
    return [
        pair
        for _ in range(epochs)
        for batch in loader
        for pair in zip(batch["of"], batch["id"].tolist(), strict=True)
    ]


def test_each_dataset_has_its_share() -> None:
    """An epoch has as many rows as all datasets together, and rows repeat equally often."""
    parts = [
        dataset_named("a", 3000).columns(["id", "of"]),
        dataset_named("b", 11_000).columns(["id", "of"]),
    ]
    rows = rows_of(Dataset.mix(parts, weights=[0.75, 0.25]).batches(64, seed=1))
    counts = Counter(name for name, _ in rows)
    assert len(rows) == 14_000
    assert abs(counts["a"] / 14_000 - 0.75) < 0.01
    numbers = [number for name, number in rows if name == "a"]
    counts_of_rows = Counter(numbers).values()
    assert len(counts_of_rows) == 3000
    assert max(counts_of_rows) - min(counts_of_rows) <= 2
    assert numbers[:3000] != numbers[3000:6000]


def test_shares_follow_the_lengths_without_weights() -> None:
    counts = Counter(name for name, _ in rows_of(Dataset.mix([A, B]).batches(64)))
    assert abs(counts["a"] - 300) < 15


def test_columns_of_a_row_stay_together() -> None:
    for batch in Dataset.mix([A, B]).batches(50, seed=3):
        for i, (name, row) in enumerate(zip(batch["of"], batch["id"].tolist(), strict=True)):
            expected = (A if name == "a" else B)[row]
            assert np.array_equal(batch["image"][i], expected["image"])
            assert batch["tokens"][i].tolist() == expected["tokens"].tolist()


def test_options_of_batches_apply() -> None:
    mixture = Dataset.mix([A, B])
    normal = Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    x, y = next(iter(mixture.batches(8, supervised=True, layout="chw", transform=normal)))
    plain = next(iter(mixture.batches(8)))
    expected = (plain["image"].transpose(0, 3, 1, 2) / np.float32(255) - 0.5) / 0.25
    np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-5)
    assert np.array_equal(y, plain["id"])
    ranks = [rows_of(mixture.batches(8, rank=rank, world=2)) for rank in range(2)]
    together = [row for pair in zip(*ranks, strict=True) for row in pair]
    assert together == rows_of(mixture.batches(8))
    for option, value in {"shuffle": True, "weights": [1.0], "bucket": "id"}.items():
        with pytest.raises(ArgumentError, match=f"{option} is .* omitted"):
            mixture.batches(8, **{option: value})  # type: ignore[arg-type]


def test_state_resumes_with_another_batch_size() -> None:
    first = Dataset.mix([A, B], weights=[1, 2]).batches(64, seed=1)
    expected = rows_of(first, epochs=2)
    walk = iter(first)
    first.epoch = 0
    walk = iter(first)
    for _ in range(5):
        next(walk)
    second = Dataset.mix([A, B], weights=[1, 2]).batches(96, seed=1)
    second.load_state_dict(first.state_dict())
    assert rows_of(second, epochs=2) == expected[320:]
    assert first.fingerprint != Dataset.mix([A, B]).batches(64, seed=1).fingerprint


def test_different_columns_are_rejected() -> None:
    """The error names the column and the dataset."""
    with pytest.raises(SchemaError, match="column of of dataset 1: got no such column") as caught:
        Dataset.mix([A, B.columns(["image", "id", "tokens"])])
    assert "ds.columns" in caught.value.hint
    with pytest.raises(SchemaError, match="column id of dataset 1: got NumberFeature"):
        Dataset.mix(
            [
                Dataset.from_arrays({"id": np.zeros(3)}),
                Dataset.from_arrays({"id": np.arange(3)}),
            ]
        )


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [-1.0, 2.0], [float("nan"), 1.0]])
def test_invalid_weights_are_rejected(weights: list[float]) -> None:
    with pytest.raises(ValueError, match=r"weights is .* 2 numbers of at least 0"):
        Dataset.mix([A, B], weights=weights)
    with pytest.raises(ValueError, match="a list of datasets that are not empty"):
        Dataset.mix([A, B.take(0)])


@pytest.mark.parametrize("parts", [[], A, [1, 2], [A, [1]]], ids=["none", "one", "numbers", "list"])
def test_other_values_than_a_list_of_datasets_are_rejected(parts: Any) -> None:
    with pytest.raises(ArgumentError, match="it must be a list of datasets"):
        Dataset.mix(parts)


def test_weights_can_be_an_array() -> None:
    loaders = [Dataset.mix([A, B], weights=w).batches(64) for w in (np.array([0.5, 0.5]), [1, 1])]  # type: ignore[arg-type]
    assert rows_of(loaders[0]) == rows_of(loaders[1])
    with pytest.raises(ArgumentError, match="weights is 'ab'"):
        Dataset.mix([A, B], weights="ab")  # type: ignore[arg-type]


def test_small_dataset_is_not_left_out() -> None:
    """Every row appears, however small the share, unless its weight is 0."""
    large, small = (
        dataset_named("a", 20_000).columns(["id", "of"]),
        dataset_named("b", 3).columns(["id", "of"]),
    )
    rows = rows_of(Dataset.mix([large, small]).batches(512))
    assert {row for name, row in rows if name == "b"} == {0, 1, 2}
    assert len(rows) == 20_003
    none = rows_of(Dataset.mix([large, small], weights=[1, 0]).batches(512))
    assert {name for name, _ in none} == {"a"}
