"""Datasets of image files, which are decoded when a row is read.

The files are in dshub's cache, not in a folder. `loader` gets an open binary file. The default
decodes to RGB with Pillow, and ignores the orientation in EXIF data, as torchvision does.
"""

import io
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from dshub.compat.torchvision.registered import RegisteredDataset
from dshub.compat.torchvision.vision import default_loader
from dshub.datasets.dataset import Dataset
from dshub.errors import ArgumentError
from dshub.hub.functions import info
from dshub.loading.decoding.images import decoding_errors

_TRANSFORM = "transform=None target_transform=None"
_LOADER = f"{_TRANSFORM} download=False loader=default_loader"


class FileDataset(RegisteredDataset):
    """Base class of datasets of image files; rows are `(PIL image, int)`."""

    loader: Any = staticmethod(default_loader)

    @cached_property
    def targets(self) -> Any:
        """Class number of each image, a list of int."""
        return np.asarray(self._rows[self._label[0]]).tolist()

    @property
    def _labels(self) -> Any:
        """Same as `targets`; torchvision has no public name for it in some classes."""
        return self.targets

    @cached_property
    def _files(self) -> Dataset:
        return self._rows.columns(["image"]).decode(on=False)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Return the image and its class number.

        Raises:
            ReadError: the image file is damaged.
        """
        return self._transformed(self._load(index), self._target(index))

    def _load(self, index: int) -> Any:
        content = self._files[index]["image"]
        hint = f"run `dshub verify {self._manifest.name}` to check the cached files"
        with decoding_errors(partial(self._rows.where, index), hint=hint):
            return self.loader(io.BytesIO(content))

    def _target(self, index: int) -> Any:
        return self.targets[index]


class _TupleClasses(FileDataset):
    """Datasets with several names for each class, as in ImageNet."""

    @cached_property
    def classes(self) -> list[tuple[str, ...]]:
        """Names of each class, as tuples."""
        label: Any = info("imagenet-1k").features["label"]
        names = dict(zip(label.codes, label.names, strict=True))
        return [tuple(names[wnid].split(", ")) for wnid in self.wnids]

    @cached_property
    def class_to_idx(self) -> dict[str, int]:
        """Number of each class by each of its names."""
        return {name: number for number, names in enumerate(self.classes) for name in names}

    @property
    def wnids(self) -> list[str]:
        """WordNet identifier of each class."""
        return list(self._label[1].codes)

    @property
    def wnid_to_idx(self) -> dict[str, int]:
        """Number of each class by WordNet identifier."""
        return {wnid: number for number, wnid in enumerate(self.wnids)}


class ImageNet(_TupleClasses, arguments=f"split=train * {_TRANSFORM} loader=default_loader"):
    """ImageNet-1k: `split` is train or val. `dshub import imagenet-1k FOLDER` imports the files."""

    _name = "imagenet-1k"
    _folders = ("train", "val")

    @property
    def samples(self) -> list[tuple[str, int]]:
        """Description and class number of each image; images have no paths of their own."""
        return [(self._rows.where(row), target) for row, target in enumerate(self.targets)]

    imgs = samples


class Imagenette(
    _TupleClasses,
    arguments=f"split=train size=full download=False {_TRANSFORM} loader=default_loader",
):
    """Imagenette: `split` is train or val, and `size` is full, 320px or 160px."""

    _name = "imagenette/{size}"


class Food101(FileDataset, arguments=f"split=train {_LOADER}"):
    """Food-101: `split` is train or test."""

    _name = "food-101"


class Flowers102(FileDataset, arguments=f"split=train {_LOADER}"):
    """Oxford Flowers 102: `split` is train, val or test."""

    _name = "flowers-102"
    _folders = ("flowers-102",)


class StanfordCars(FileDataset, arguments=f"split=train {_LOADER}"):
    """Stanford Cars: `split` is train or test."""

    _name = "stanford-cars"
    _folders = ("stanford_cars",)


class DTD(FileDataset, arguments=f"split=train partition=1 {_LOADER}"):
    """Describable Textures: `split` is train, val or test, and `partition` is 1 to 10."""

    _name = "dtd-folds/{partition}"
    _folders = ("dtd",)

    def _open(self, name: str, split: str, *, download: bool) -> Dataset:
        rows = "dtd" if name == "dtd-folds/1" else name
        return super()._open(rows, split, download=download)


class EuroSAT(FileDataset, arguments=_LOADER):
    """EuroSAT: all images in RGB."""

    _name = "eurosat/rgb"
    _folders = ("eurosat",)


class SUN397(FileDataset, arguments=_LOADER):
    """SUN397: all images."""

    _name = "sun397"


class Places365(
    FileDataset,
    arguments=f"split=train-standard small=False download=False {_TRANSFORM} loader=default_loader",
):
    """Places365: `split` is train-standard or val. The registry only has `small=True`."""

    _name = "places365/small"

    def _split(self) -> str:
        _only(self, "small", value=True)
        return super()._split().removesuffix("-standard")


class FGVCAircraft(FileDataset, arguments=f"split=trainval annotation_level=variant {_LOADER}"):
    """FGVC-Aircraft: `split` is train, val, trainval or test. The classes are variants."""

    _name = "fgvc-aircraft"

    def _split(self) -> str:
        _only(self, "annotation_level", value="variant")
        split = super()._split()
        return "train+validation" if split == "trainval" else split


class OxfordIIITPet(
    FileDataset,
    arguments=f"split=trainval target_types=category transforms=None {_TRANSFORM} download=False",
):
    """Oxford-IIIT Pet: `split` is trainval or test.

    `target_types` is category, binary-category or a list of them; the registry has no
    segmentation.
    """

    _name = "oxford-iiit-pet"
    _folders = ("oxford-iiit-pet",)
    bin_classes: ClassVar[Sequence[str]] = ["Cat", "Dog"]
    bin_class_to_idx: ClassVar[dict[str, int]] = {"Cat": 0, "Dog": 1}
    _columns: ClassVar[dict[str, str]] = {"category": "label", "binary-category": "species"}

    def _split(self) -> str:
        for kind in self._kinds:
            if kind not in self._columns:
                expected = " or ".join(self._columns)
                raise ArgumentError(name="target_types", value=kind, expected=expected)
        return super()._split()

    @property
    def _kinds(self) -> list[str]:
        kinds = vars(self)["target_types"]
        return [kinds] if isinstance(kinds, str) else list(kinds)

    @cached_property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return [name.replace("_", " ").title() for name in super().classes]

    @cached_property
    def _species(self) -> Any:
        return np.asarray(self._rows["species"]).tolist()

    def _target(self, index: int) -> Any:
        numbers = {"category": self.targets, "binary-category": self._species}
        target = tuple(numbers[kind][index] for kind in self._kinds)
        return target[0] if len(target) == 1 else target or None


class _Caltech(FileDataset):
    @property
    def categories(self) -> list[str]:
        """Names of the classes."""
        return list(self.classes)

    @property
    def y(self) -> list[int]:
        """Class number of each image."""
        return list(self.targets)


class Caltech101(_Caltech, arguments=f"target_type=category {_TRANSFORM} download=False"):
    """Caltech 101: all images with their categories; the registry has no contours."""

    _name = "caltech-101"
    _folders = ("caltech101",)

    def _split(self) -> str:
        _only(self, "target_type", value="category")
        return super()._split()


class Caltech256(_Caltech, arguments=f"{_TRANSFORM} download=False"):
    """Caltech 256: all images."""

    _name = "caltech-256"
    _folders = ("caltech256",)


def _only(dataset: FileDataset, name: str, *, value: Any) -> None:
    """Reject other values of an argument than the one that the registry has data for."""
    given = vars(dataset)[name]
    if given != value:
        expected = f"{value!r}, because the registry has no other data"
        raise ArgumentError(name=name, value=given, expected=expected)
