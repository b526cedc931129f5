from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from dshub import Dataset
from dshub.errors import ArgumentError
from dshub.loading.transforms.colors import Normalize
from dshub.loading.transforms.erasing import Cutout, RandomErasing
from dshub.loading.transforms.geometry import (
    CenterCrop,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
)
from dshub.loading.transforms.mixing import CutMix, MixUp, OneHot
from dshub.loading.transforms.transform import Batch
from tests.loading.transforms.examples import AUGMENTED, HEIGHT, NORMALIZE, ROWS, WIDTH, by_row


@pytest.mark.parametrize("transforms", AUGMENTED, ids=str)
def test_result_of_a_row_does_not_depend_on_its_batch(
    dataset: Dataset, transforms: list[Any]
) -> None:
    expected = by_row(dataset, transforms, shuffle=False)
    for options in (
        {"size": 13, "shuffle": True},
        {"size": 1, "threads": 0},
        {"size": 60, "threads": 2, "shuffle": "blocks"},
    ):
        results = by_row(dataset, transforms, **options)
        assert results.keys() == expected.keys()
        for key, image in expected.items():
            np.testing.assert_array_equal(results[key], image)
    for rank in range(3):
        part = by_row(dataset, transforms, rank=rank, world=3, size=4)
        for key, image in part.items():
            np.testing.assert_array_equal(image, expected[key])


@pytest.mark.parametrize("transforms", AUGMENTED, ids=str)
def test_random_transforms_differ_by_epoch_and_seed(
    dataset: Dataset, transforms: list[Any]
) -> None:
    fixed = [RandomHorizontalFlip(1.0), NORMALIZE] == transforms or isinstance(
        transforms[0], Resize
    )
    first, other = by_row(dataset, transforms), by_row(dataset, transforms, seed=1)
    epochs = any(not np.array_equal(first[0, i], first[1, i]) for i in range(ROWS))
    seeds = any(not np.array_equal(first[0, i], other[0, i]) for i in range(ROWS))
    assert (epochs, seeds) == ((False, False) if fixed else (True, True))


def test_callables_run_after_built_in_transforms(dataset: Dataset) -> None:
    seen: list[tuple[Sequence[int], float]] = []

    def record_batch(batch: Batch, generator: np.random.Generator) -> Batch:
        seen.append((batch["image"].shape, generator.random()))
        return batch

    for _ in dataset.batches(32, layout="chw", transform=[NORMALIZE, record_batch], threads=0):
        pass
    first = list(seen)
    assert [shape for shape, _ in first] == [(32, 3, HEIGHT, WIDTH), (28, 3, HEIGHT, WIDTH)]
    seen.clear()
    for _ in dataset.batches(32, layout="chw", transform=[NORMALIZE, record_batch], threads=0):
        pass
    assert seen == first
    with pytest.raises(ValueError, match="then other callables"):
        dataset.batches(4, transform=[record_batch, NORMALIZE])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Normalize((0.5,), (0.0,)), "std"),
        (lambda: Normalize((0.5, 0.5), (0.5,)), "std of Normalize is .*the same length as mean, 2"),
        (
            lambda: Normalize(*cast("Any", (0.5, 0.5))),
            "mean of Normalize is 0.5; it must be a tuple with one number",
        ),
        (
            lambda: Normalize(cast("Any", ("a",)), (1.0,)),
            "mean of Normalize is 'a'; it must be a number",
        ),
        (
            lambda: RandomCrop(cast("Any", "4")),
            "size of RandomCrop is '4'; it must be a whole number",
        ),
        (lambda: RandomCrop(0), "size of RandomCrop is 0"),
        (lambda: RandomCrop(cast("Any", (1, 2, 3))), r"a number, or \(height, width\)"),
        (lambda: RandomCrop(4, padding=-1), "padding of RandomCrop is -1"),
        (lambda: RandomHorizontalFlip(2), "probability of RandomHorizontalFlip is 2; .* 0 to 1"),
        (lambda: CenterCrop(0), "size of CenterCrop is 0"),
        (lambda: Resize(cast("Any", "32")), "size of Resize is '32'"),
        (lambda: RandomResizedCrop(8, scale=(2, 1)), "scale of RandomResizedCrop"),
        (lambda: RandomResizedCrop(8, ratio=(0, 1)), "ratio of RandomResizedCrop .*above 0"),
        (lambda: Cutout(-1), "size of Cutout is -1"),
        (lambda: RandomErasing(5), "probability of RandomErasing is 5"),
        (lambda: MixUp(0), "alpha of MixUp is 0; it must be a number above 0"),
        (lambda: CutMix(-1), "alpha of CutMix is -1"),
        (lambda: OneHot(2), "smoothing of OneHot is 2"),
    ],
)
def test_invalid_arguments_are_rejected(make: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make()
