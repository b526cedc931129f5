"""Datasets of raw pixels, with all images in one array.

`data` and `targets` (or `labels`) have the types of torchvision: tensors for the MNIST family if
PyTorch is installed, and NumPy arrays and lists otherwise. They are created on first access, as
copies that callers can modify or replace. Rows then come from them. Until then, images come from
the memory map of the cache, and worker processes receive paths instead of data.
"""

from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from dshub.compat.opening import open_rows
from dshub.compat.torchvision.registered import RegisteredDataset
from dshub.datasets.dataset import Dataset
from dshub.errors import ArgumentError, MissingExtraError

_TRAIN = "train=True transform=None target_transform=None download=False"
_SPLIT = "split=train transform=None target_transform=None download=False"
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_DIGITS = [f"{number} - {word}" for number, word in enumerate(_WORDS)]
_LETTERS = "letters"


class PixelDataset(RegisteredDataset):
    """Base class of datasets of raw pixels; rows are `(PIL image, int)`."""

    @cached_property
    def data(self) -> Any:
        """Pixels of all images, uint8."""
        return np.array(self._pixels)

    @cached_property
    def targets(self) -> Any:
        """Class number of each image."""
        return self._numbers.tolist()

    @cached_property
    def _pixels(self) -> Any:
        """Images in the shape of `data`, as a view of the cache."""
        images = self._rows["image"]
        return images[..., 0] if images.shape[-1] == 1 else images

    @cached_property
    def _numbers(self) -> np.ndarray:
        """Class number of each image, int64."""
        return np.asarray(self._rows[self._label[0]])

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, without views of the cache."""
        views = ("_pixels", "_numbers")
        return {name: value for name, value in vars(self).items() if name not in views}

    def __len__(self) -> int:
        return len(vars(self).get("data", self._rows))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Return the image and its class number."""
        changed = vars(self)
        pixels = changed["data"][index] if "data" in changed else self._pixels[index]
        targets = changed.get("targets", self._numbers)
        return self._transformed(self._image(np.asarray(pixels)), self._target(targets[index]))

    def _image(self, pixels: np.ndarray) -> Image.Image:
        return Image.fromarray(pixels)

    def _target(self, value: Any) -> Any:
        return int(value)


def _tensor(array: np.ndarray) -> Any:
    """Return a copy as a tensor, or as an array if PyTorch is not installed."""
    try:
        return Dataset.from_arrays({"values": array}).to("torch")["values"]
    except MissingExtraError:
        return np.array(array)


class _TensorDataset(PixelDataset, arguments=_TRAIN):
    """Base class of the MNIST family, whose `data` and `targets` are tensors."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._folders = (f"{cls.__name__}/raw",)

    @cached_property
    def data(self) -> Any:
        """Pixels of all images, uint8 (rows, height, width)."""
        return _tensor(self._pixels)

    @cached_property
    def targets(self) -> Any:
        """Class number of each image, int64."""
        return _tensor(self._numbers)

    train_data = property(lambda self: self.data, doc="Old name of `data`.")
    test_data = property(lambda self: self.data, doc="Old name of `data`.")
    train_labels = property(lambda self: self.targets, doc="Old name of `targets`.")
    test_labels = property(lambda self: self.targets, doc="Old name of `targets`.")


class MNIST(_TensorDataset):
    """MNIST: `data` is uint8 (rows, 28, 28), and `targets` is int64 (rows,)."""

    _name = "mnist"
    classes: Any = _DIGITS


class FashionMNIST(_TensorDataset):
    """Fashion-MNIST: `data` is uint8 (rows, 28, 28), and `targets` is int64 (rows,)."""

    _name = "fashion-mnist"


class KMNIST(_TensorDataset):
    """Kuzushiji-MNIST: `data` is uint8 (rows, 28, 28), and `targets` is int64 (rows,)."""

    _name = "kmnist"


class EMNIST(
    _TensorDataset,
    arguments="split * train=True transform=None target_transform=None download=False",
):
    """EMNIST: `split` is byclass, bymerge, balanced, letters, digits or mnist.

    As in torchvision, images are transposed, and the classes of `letters` start at 1. In
    `dshub.load`, images are upright, and classes start at 0.
    """

    _name = "emnist/{split}"

    @cached_property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return ["N/A"] * self._first + list(self._label[1].names)

    @property
    def _first(self) -> int:
        return int(vars(self)["split"] == _LETTERS)

    @cached_property
    def _pixels(self) -> Any:
        return self._rows["image"][..., 0].swapaxes(1, 2)

    @cached_property
    def _numbers(self) -> np.ndarray:
        return np.asarray(self._rows["label"]) + self._first


class QMNIST(
    _TensorDataset,
    arguments="what=None compat=True train=True * transform=None target_transform=None "
    "download=False",
):
    """QMNIST: `what` is train, test, test10k, test50k or nist; by default it follows `train`.

    `targets` is int64 (rows, 8). Rows have the class number, or all eight numbers if `compat` is
    False.
    """

    _name = "qmnist"
    classes: Any = _DIGITS

    def _open(self, name: str, split: str, *, download: bool) -> Dataset:
        rows = "qmnist-nist" if vars(self)["what"] == "nist" else name
        return super()._open(rows, split, download=download)

    def _split(self) -> str:
        what = vars(self)["what"] or super()._split()
        parts = {"nist": "train", "test10k": "test[:10000]", "test50k": "test[10000:]"}
        return parts.get(what, what)

    @cached_property
    def _numbers(self) -> np.ndarray:
        columns = [self._rows[name] for name in self._rows.features if name != "image"]
        return np.stack([*columns, np.zeros(len(self._rows))], 1).astype(np.int64)

    def _target(self, value: Any) -> Any:
        return int(value[0]) if vars(self)["compat"] else value


class USPS(PixelDataset, arguments=_TRAIN):
    """USPS: `data` is uint8 (rows, 16, 16), and `targets` is a list."""

    _name = "usps"


class CIFAR10(PixelDataset, arguments=_TRAIN):
    """CIFAR-10: `data` is uint8 (rows, 32, 32, 3), and `targets` is a list."""

    _name = "cifar-10"


class CIFAR100(CIFAR10):
    """CIFAR-100: `data` is uint8 (rows, 32, 32, 3), and `targets` is a list of the 100 classes."""

    _name = "cifar-100"


class _ChannelsFirst(PixelDataset):
    """Datasets with `labels` instead of `targets`, and `data` with channels first."""

    @property
    def labels(self) -> Any:
        """Class number of each image."""
        return self.targets

    @labels.setter
    def labels(self, values: Any) -> None:
        self.targets = values

    @cached_property
    def targets(self) -> Any:
        """Class number of each image, int64 (rows,)."""
        return np.array(self._numbers)

    @cached_property
    def _pixels(self) -> Any:
        return self._rows["image"].transpose(0, 3, 1, 2)

    def _image(self, pixels: np.ndarray) -> Image.Image:
        return Image.fromarray(pixels.transpose(1, 2, 0))


class SVHN(_ChannelsFirst, arguments=_SPLIT):
    """SVHN: `data` is uint8 (rows, 3, 32, 32), and `labels` is int64 (rows,).

    `split` is train, test or extra.
    """

    _name = "svhn"


class STL10(
    _ChannelsFirst,
    arguments="split=train folds=None transform=None target_transform=None download=False",
):
    """STL-10: `data` is uint8 (rows, 3, 96, 96), and `labels` is int64 (rows,), or -1 if unknown.

    `split` is train, test, unlabeled or train+unlabeled. `folds` is not supported.
    """

    _name = "stl-10"

    def _split(self) -> str:
        if vars(self)["folds"] is not None:
            expected = "None, because the registry does not have the folds"
            raise ArgumentError(name="folds", value=vars(self)["folds"], expected=expected)
        return super()._split()

    @cached_property
    def _numbers(self) -> np.ndarray:
        numbers = np.full(len(self), -1, np.int64)
        if "label" in self._rows.features:
            numbers[:] = self._rows["label"]
        elif super()._split().startswith("train+"):
            labels = open_rows("stl-10", "train")["label"]
            numbers[: len(labels)] = labels
        return numbers
