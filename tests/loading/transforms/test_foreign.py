"""Test torchvision and albumentations transforms in a loader."""

import os
import signal
import sys
import threading
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import Feature, ImageFeature, MaskFeature
from dshub.errors import DshubError
from dshub.loading.transforms.geometry import RandomHorizontalFlip

ROWS, HEIGHT, WIDTH = 40, 12, 10
PIXELS = np.random.default_rng(0).integers(0, 256, (ROWS, HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture
def dataset() -> Dataset:
    return Dataset.from_arrays(
        {"image": PIXELS, "id": np.arange(ROWS)},
        features={"image": ImageFeature(shape=(HEIGHT, WIDTH, 3))},
    )


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return `torchvision.transforms.v2`, from the folder in DSHUB_TEST_TORCHVISION if it is set.

    A torchvision wheel fits only one build of torch. With another torch, its compiled operators are
    missing and `_meta_registrations` fails to import. Transforms do not need the operators, so an
    empty module replaces it.
    """
    pytest.importorskip("torch")
    if folder := os.environ.get("DSHUB_TEST_TORCHVISION"):
        monkeypatch.syspath_prepend(folder)
    registrations = "torchvision._meta_registrations"
    if registrations not in sys.modules:
        monkeypatch.setitem(sys.modules, registrations, ModuleType(registrations))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing warns about missing operators
        return pytest.importorskip("torchvision.transforms.v2")


def by_row(dataset: Dataset, transform: Any, size: int, **options: Any) -> dict[int, np.ndarray]:
    batches = dataset.batches(size, transform=transform, **options)
    return {
        int(row): np.asarray(image)
        for batch in batches
        for row, image in zip(batch["id"], batch["image"], strict=True)
    }


def assert_equal(results: dict[int, np.ndarray], expected: dict[int, np.ndarray]) -> None:
    assert results.keys() == expected.keys()
    for row, image in expected.items():
        np.testing.assert_array_equal(results[row], image)


@pytest.mark.parametrize("layout", ["hwc", "chw"])
def test_torchvision_gets_tensors_with_channels_first(
    dataset: Dataset, torchvision: Any, layout: Any
) -> None:
    import torch

    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    transform = torchvision.Compose(
        [
            torchvision.CenterCrop(8),
            torchvision.ToDtype(torch.float32, scale=True),
            torchvision.Normalize(mean, std),
        ]
    )
    results = by_row(dataset, transform, 7, layout=layout)
    expected = (PIXELS[:, 2:10, 1:9] / 255 - np.array(mean)) / np.array(std)
    for row, image in results.items():
        part = expected[row]
        part = np.moveaxis(part, -1, 0) if layout == "chw" else part
        np.testing.assert_allclose(image, part, rtol=1e-5, atol=1e-6)


def test_torchvision_is_repeatable_for_each_row(dataset: Dataset, torchvision: Any) -> None:
    import torch

    transform = [
        RandomHorizontalFlip(),
        torchvision.RandomCrop(8),
        torchvision.ColorJitter(0.3, 0.3),
    ]
    expected = by_row(dataset, transform, 7)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert_equal(by_row(dataset, transform, 16, shuffle=True, threads=2), expected)
    assert torch.equal(torch.get_rng_state(), before)
    other = by_row(dataset, transform, 7, seed=1)
    assert any(not np.array_equal(other[row], expected[row]) for row in expected)
    loader = dataset.batches(ROWS, transform=transform)
    first, second = (np.asarray(batch["image"]) for _ in range(2) for batch in loader)
    assert not np.array_equal(first, second)


def masked() -> Dataset:
    """Return images with two columns of masks, of their first two channels."""
    shape = HEIGHT, WIDTH
    columns: dict[str, np.ndarray] = {
        "image": PIXELS,
        "red": PIXELS[..., 0],
        "green": PIXELS[..., 1].astype(np.int32),
    }
    features: dict[str, Feature] = {
        "image": ImageFeature(shape=(*shape, 3)),
        "red": MaskFeature(shape=shape),
        "green": MaskFeature(shape=shape, dtype="int32"),
    }
    return Dataset.from_arrays(columns, features=features)


def assert_masks_follow(transform: Any) -> None:
    for layout, threads in (("hwc", 0), ("chw", 2)):
        options: Any = {"layout": layout, "threads": threads}
        for batch in masked().batches(9, transform=transform, **options):
            images = batch["image"]
            images = np.moveaxis(images, 1, -1) if layout == "chw" else images
            assert np.array_equal(images[..., 0], batch["red"])
            assert np.array_equal(images[..., 1], batch["green"])
            assert batch["green"].dtype == np.int32


def test_torchvision_changes_masks_with_images(torchvision: Any) -> None:
    crop, flip = torchvision.RandomCrop(8), torchvision.RandomHorizontalFlip()
    assert_masks_follow(torchvision.Compose([crop, flip]))
    assert_masks_follow(crop)


def test_torchvision_1_refuses_to_move_images_without_masks(torchvision: Any) -> None:
    del torchvision
    old: Any = sys.modules["torchvision.transforms"]
    with pytest.raises(DshubError, match=r"RandomCrop does not change masks .*\n.*v2"):
        next(iter(masked().batches(4, transform=old.RandomCrop(5))))
    (batch,) = masked().batches(ROWS, transform=old.ToTensor())
    assert np.array_equal(batch["red"], PIXELS[..., 0])


@pytest.fixture
def albumentations(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")  # importing would access the network
    return pytest.importorskip("albumentations")


@pytest.mark.parametrize("layout", ["hwc", "chw"])
def test_albumentations_gets_one_image_at_a_time(
    dataset: Dataset, albumentations: Any, layout: Any
) -> None:
    transform = albumentations.CenterCrop(8, 6)
    results = by_row(dataset, transform, 7, layout=layout)
    for row, image in results.items():
        part = PIXELS[row, 2:10, 2:8]
        assert np.array_equal(image, np.moveaxis(part, -1, 0) if layout == "chw" else part)


def test_albumentations_is_repeatable_for_each_row(dataset: Dataset, albumentations: Any) -> None:
    transform = albumentations.Compose(
        [albumentations.HorizontalFlip(p=0.5), albumentations.RandomCrop(8, 8)]
    )
    expected = by_row(dataset, transform, 7)
    assert_equal(by_row(dataset, transform, 16, shuffle=True, threads=3), expected)
    assert len({image.tobytes() for image in expected.values()}) == ROWS
    other = by_row(dataset, transform, 7, seed=1)
    assert any(not np.array_equal(other[row], expected[row]) for row in expected)


def test_albumentations_changes_masks_with_images(albumentations: Any) -> None:
    flip, crop = albumentations.HorizontalFlip(p=0.5), albumentations.RandomCrop(8, 8)
    assert_masks_follow(albumentations.Compose([flip, crop]))
    assert_masks_follow(crop)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork_during_a_transform_does_not_block_the_child(
    dataset: Dataset, albumentations: Any
) -> None:
    begun, ends = threading.Event(), threading.Event()

    def wait(image: np.ndarray, **_: Any) -> np.ndarray:
        begun.set()
        ends.wait(60)
        return image

    slow = dataset.batches(4, transform=albumentations.Lambda(image=wait, p=1.0))
    thread = threading.Thread(target=next, args=(iter(slow),))
    thread.start()
    assert begun.wait(60)
    child = os.fork()
    if not child:
        signal.alarm(30)  # kill a hanging child
        quick = dataset.batches(4, transform=albumentations.HorizontalFlip(), threads=0)
        os._exit(len(next(iter(quick))["id"]) - 4)
    status = os.waitpid(child, 0)[1]
    ends.set()
    thread.join()
    assert status == 0
