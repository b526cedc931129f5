import json
import pickle
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.errors import ArgumentError, DshubError, UnknownNameError
from dshub.loading import transforms
from dshub.loading.gathering import Gatherer
from dshub.loading.options import BatchOptions
from dshub.loading.transforms import (
    BaseTransform,
    Batch,
    CenterCrop,
    ColorJitter,
    Compose,
    CutMix,
    Cutout,
    MixUp,
    MultiHot,
    Normalize,
    OneHot,
    RandomCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
    ToFloat,
)
from tests.loading.transforms.examples import NORMALIZE, PIXELS, by_row

SAVED: list[BaseTransform] = [
    CenterCrop((5, 7)),
    ColorJitter(0.3, 0.2, 0.1),
    CutMix(0.5),
    Cutout(3, fill=9),
    MixUp(0.4),
    MultiHot(),
    Normalize((0.4, 0.5, 0.6), (0.2, 0.25, 0.3)),
    OneHot(0.1),
    RandomCrop(5, padding=2),
    RandomCrop(),
    RandomErasing(0.7, scale=(0.1, 0.2), ratio=(0.5, 2), fill=3),
    RandomHorizontalFlip(0.25),
    RandomResizedCrop(6, scale=(0.5, 1.0)),
    RandomVerticalFlip(0.75),
    Resize(8),
    ToFloat(),
]


def invert(batch: Batch) -> Batch:
    return batch | {"image": 1 - batch["image"]}


def test_compose_equals_a_list_and_keeps_fusing(dataset: Dataset) -> None:
    steps: list[Any] = [RandomCrop(padding=2), RandomHorizontalFlip(), NORMALIZE, Cutout(3), invert]
    nested = Compose([Compose(steps[:2]), *steps[2:]])
    assert nested == Compose(tuple(steps))
    expected, results = by_row(dataset, steps), by_row(dataset, [nested])
    for key, image in expected.items():
        np.testing.assert_array_equal(results[key], image)
    assert Gatherer(dataset, BatchOptions(8, transform=nested)).fused.count == 3
    prints = {dataset.batches(8, transform=item).fingerprint for item in (steps, nested)}
    assert len(prints) == 1


def test_apply_of_compose_runs_every_step(dataset: Dataset) -> None:
    class Outer:
        def apply(self, batch: Batch, context: Any) -> Batch:
            return Compose([CenterCrop(5), ToFloat()]).apply(batch, context)

    (batch,) = dataset.batches(60, transform=Outer())
    np.testing.assert_array_equal(batch["image"], Compose([CenterCrop(5), ToFloat()])(PIXELS))


def test_functions_in_a_call_get_the_requested_layout() -> None:
    seen = []

    def record(batch: Batch) -> Batch:
        seen.append(batch["image"].shape)
        return batch

    image = Compose([ToFloat(), record])(PIXELS[0], layout="chw")
    assert seen == [(1, 3, 9, 11)]
    np.testing.assert_array_equal(image, ToFloat()(PIXELS[0], layout="chw"))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([invert, ToFloat()], "in order: transforms of dshub.loading.transforms, then other"),
        ([ToFloat], r"an instance, such as ToFloat\(…\)"),
        ([3], "transforms of Compose is 3; it must be a transform"),
    ],
)
def test_invalid_steps_are_rejected(steps: list[Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Compose(steps)


def test_every_transform_is_saved() -> None:
    kinds = {
        kind
        for kind in vars(transforms).values()
        if isinstance(kind, type) and issubclass(kind, BaseTransform)
    }
    abstract = {transforms.BaseTransform, transforms.ImageTransform, Compose}
    assert {type(item) for item in SAVED} == kinds - abstract


@pytest.mark.parametrize("transform", SAVED, ids=str)
def test_saved_transform_is_equal_and_gives_the_same_pixels(transform: BaseTransform) -> None:
    composed = Compose([transform])
    text = composed.to_json()
    read = Compose.from_json(text)
    assert (read, repr(read), read.to_json()) == (composed, repr(composed), text)
    assert Compose.from_json(text.encode()) == pickle.loads(pickle.dumps(composed)) == composed
    for training in () if isinstance(transform, MultiHot) else (False, True):  # it needs labels
        expected, result = (item(PIXELS, training=training, seed=1) for item in (composed, read))
        np.testing.assert_array_equal(result, expected)


def test_numbers_of_numpy_are_saved() -> None:
    flip = RandomHorizontalFlip(np.float32(0.5))  # type: ignore[arg-type]
    assert Compose.from_json(Compose([flip]).to_json()) == Compose([RandomHorizontalFlip(0.5)])


def test_saved_form_is_stable() -> None:
    text = Compose([RandomCrop(28, padding=2), ToFloat()]).to_json()
    assert json.loads(text) == {
        "version": 1,
        "transforms": [{"name": "RandomCrop", "size": 28, "padding": 2}, {"name": "ToFloat"}],
    }


class Own(Normalize):
    """A transform that is not defined by dshub."""


@pytest.mark.parametrize("step", [invert, Own((0.5,), (0.5,))])
def test_foreign_transforms_are_not_saved(step: Any) -> None:
    with pytest.raises(DshubError, match=r"^(invert|Own) cannot be saved"):
        Compose([ToFloat(), step]).to_json()


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ('{"name": "Nomralize"}', "no transform named 'Nomralize'"),
        ('{"name": "Compose", "transforms": []}', "no transform named 'Compose'"),
        ('{"name": "os.system"}', "no transform named 'os.system'"),
        ("{}", "no transform named ''"),
        ('{"name": "Resize", "sise": 3}', "no argument of Resize named 'sise'"),
        ('{"name": "ToFloat", "mean": [0.5]}', "no argument of ToFloat named 'mean'"),
        ('{"name": "Resize"}', "saved transforms: Resize: .*missing 1 required .* 'size'"),
        ('{"name": "Resize", "size": "x"}', "saved transforms: Resize: size of Resize is 'x'"),
        ('{"name": "Resize", "size": 0}', "saved transforms: Resize: size of Resize is 0"),
        ('"Resize"', "saved transforms: Expected `object`"),
    ],
)
def test_invalid_saved_transforms_are_rejected(saved: str, message: str) -> None:
    with pytest.raises(DshubError, match=message):
        Compose.from_json(f'{{"version": 1, "transforms": [{saved}]}}')


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"transforms": []}', '{"version": 2, "transforms": []}', b"\xff"]
)
def test_other_text_is_rejected(text: str | bytes) -> None:
    with pytest.raises(DshubError, match="cannot read the saved transforms") as caught:
        Compose.from_json(text)
    assert "to_json" in caught.value.hint


def test_suggestion_for_a_misspelled_name() -> None:
    with pytest.raises(UnknownNameError) as caught:
        Compose.from_json('{"version": 1, "transforms": [{"name": "Nomralize"}]}')
    assert "Normalize" in caught.value.hint
