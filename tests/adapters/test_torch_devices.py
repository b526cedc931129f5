"""Check that normalization on a device gives the values of the CPU, and that bytes are copied."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import ImageFeature
from dshub.errors import ArgumentError
from dshub.loading.transforms.colors import Normalize, ToFloat
from dshub.loading.transforms.erasing import RandomErasing
from dshub.loading.transforms.geometry import (
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
)
from dshub.testing.adapters import example, varied

torch = pytest.importorskip("torch")
TorchDispatchMode = pytest.importorskip("torch.utils._python_dispatch").TorchDispatchMode

NORMALIZE = Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
TRANSFORMS: dict[str, Any] = {
    "alone": [NORMALIZE],
    "to float": [ToFloat()],
    "fused": [RandomCrop(4, padding=1), RandomHorizontalFlip(), NORMALIZE],
    "after others": [RandomHorizontalFlip(), RandomErasing(), NORMALIZE],
}


class Copies(TorchDispatchMode):  # type: ignore[misc, valid-type]
    """Record the dtypes of tensors that are copied from the CPU to the device `meta`."""

    def __init__(self) -> None:
        super().__init__()
        self.dtypes: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        result = func(*args, **(kwargs or {}))
        tensors = [value for value in (*args[:1], result) if isinstance(value, torch.Tensor)]
        if [tensor.device.type for tensor in tensors if tensor.ndim == 4] == ["cpu", "meta"]:
            self.dtypes.append(tensors[0].dtype)
        return result


def pairs(dataset: Dataset, **options: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the batches of the loader and of the device, in one order."""
    normalize = options.pop("normalize", "device")
    loaders = [dataset.batches(16, shuffle=True, seed=3, **options) for _ in range(2)]
    cpu = loaders[0].torch()
    return zip(cpu, loaders[1].torch(device="cpu", normalize=normalize), strict=True)


def assert_equal(expected: Any, actual: Any) -> None:
    assert actual.dtype is expected.dtype is torch.float32
    assert actual.shape == expected.shape
    assert actual.stride() == expected.stride()
    assert torch.equal(actual, expected)


@pytest.mark.parametrize("layout", ["hwc", "chw"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_values_on_the_device_are_those_of_the_cpu(name: str, layout: str) -> None:
    for cpu, device in pairs(example(), transform=TRANSFORMS[name], layout=layout):
        assert_equal(cpu["image"], device["image"])
        assert torch.equal(cpu["label"], device["label"])
        assert torch.equal(cpu["size"], device["size"])
        assert (cpu["text"], list(cpu)) == (device["text"], list(device))


@pytest.mark.parametrize("supervised", [True, ("image", "text"), (["image", "size"], "label")])
def test_images_of_pairs_are_normalized(supervised: Any) -> None:
    for (x, y), (moved, labels) in pairs(example(), transform=NORMALIZE, supervised=supervised):
        images = (x["image"], moved["image"]) if isinstance(x, dict) else (x, moved)
        assert_equal(*images)
        assert list(y) == list(labels)


def test_image_files_are_normalized_on_the_device() -> None:
    files = varied().columns(["photo", "thumb"])
    cropped = [RandomResizedCrop(6), RandomHorizontalFlip(), NORMALIZE]
    for cpu, device in pairs(files, transform=cropped, layout="chw"):
        assert_equal(cpu["photo"], device["photo"])
        assert_equal(cpu["thumb"], device["thumb"])


def test_images_of_several_sizes_are_normalized_one_by_one() -> None:
    for cpu, device in pairs(varied().columns(["photo"]), transform=NORMALIZE):
        assert isinstance(device["photo"], list)
        for expected, actual in zip(cpu["photo"], device["photo"], strict=True):
            assert_equal(expected, actual)


def test_floats_of_the_dataset_are_not_changed() -> None:
    pixels = np.linspace(0, 255, 8 * 4 * 4 * 3, dtype=np.float32).reshape(8, 4, 4, 3)
    feature = ImageFeature(shape=(4, 4, 3), dtype="float32")
    dataset = Dataset.from_arrays({"image": pixels.copy()}, features={"image": feature})
    for cpu, device in pairs(dataset, transform=NORMALIZE):
        assert_equal(cpu["image"], device["image"])
    np.testing.assert_array_equal(dataset["image"], pixels)


def test_child_process_leaves_normalization_to_the_device() -> None:
    for cpu, device in pairs(example(), transform=TRANSFORMS["fused"], where="process"):
        assert_equal(cpu["image"], device["image"])


@pytest.mark.parametrize(
    ("normalize", "copied"), [("auto", "uint8"), ("device", "uint8"), ("loader", "float32")]
)
def test_bytes_are_copied_to_the_device(normalize: Any, copied: str) -> None:
    loader = example().batches(53, transform=TRANSFORMS["fused"], layout="chw", threads=0)
    with Copies() as copies:
        (batch,) = loader.torch(device="meta", normalize=normalize)
    assert copies.dtypes == [getattr(torch, copied)]
    assert batch["image"].dtype is torch.float32
    assert batch["image"].shape == (53, 3, 4, 4)


def test_cpu_batches_are_normalized_by_the_loader_unless_requested() -> None:
    for cpu, device in pairs(example(), transform=NORMALIZE, normalize="auto"):
        assert_equal(cpu["image"], device["image"])


def test_state_continues_with_normalization_on_the_device() -> None:
    def loader() -> Any:
        return (
            example().batches(8, shuffle=True, transform=NORMALIZE).torch("cpu", normalize="device")
        )

    first, second = loader(), loader()
    batches = list(first)
    for batch in first:
        assert batch["image"].dtype is torch.float32
        break
    second.load_state_dict(first.state_dict())
    rest = list(second)
    assert len(rest) == len(batches) - 1
    first.load_state_dict(second.state_dict())
    assert first.epoch == 2


@pytest.mark.parametrize(
    ("device", "options", "message"),
    [
        (None, {"transform": NORMALIZE}, "because `device` is not set"),
        ("cpu", {}, "because the last transform is not Normalize or ToFloat"),
        ("cpu", {"transform": [ToFloat(), RandomErasing()]}, "because the last transform is not"),
        ("cpu", {"transform": [ToFloat(), lambda batch: batch]}, "because the last transform"),
    ],
)
def test_normalization_that_cannot_run_on_the_device_is_an_error(
    device: Any, options: Any, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        example().batches(8, **options).torch(device, normalize="device")


def test_unknown_place_of_normalization_is_rejected() -> None:
    unknown: Any = "gpu"
    with pytest.raises(ArgumentError, match="normalize is 'gpu'"):
        example().batches(8, transform=NORMALIZE).torch("cpu", normalize=unknown)


def test_wrong_number_of_channels_is_an_error_on_the_device() -> None:
    loader = example().batches(8, transform=Normalize((0.1, 0.2), (1, 1)))
    with pytest.raises(ArgumentError, match="1 or 3 numbers, because the images have 3 channels"):
        list(loader.torch("cpu", normalize="device"))
