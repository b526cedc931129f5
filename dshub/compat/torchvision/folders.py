"""Datasets of your own files, in one folder per class."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dshub.compat.torchvision.vision import AnyPath, Function, VisionDataset, default_loader
from dshub.errors import ArgumentError

IMG_EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".ppm",
    ".bmp",
    ".pgm",
    ".tif",
    ".tiff",
    ".webp",
)

Sample = tuple[str, int]


class DatasetFolder(VisionDataset):
    """Rows `(loader(path), class number)` of the files below one folder per class.

    Classes are sorted by name, and the files of a class by path.

    Args:
        root: folder with the folders of the classes.
        loader: function of a path that returns the sample.
        extensions: file name extensions of samples, if `is_valid_file` is None.
        transform: function of the sample.
        target_transform: function of the class number.
        is_valid_file: function of a path that returns True for samples.
        allow_empty: whether a class can have no samples.

    Raises:
        FileNotFoundError: the folder has no classes, or a class has no samples.
        ArgumentError: both or neither of `extensions` and `is_valid_file` are passed.
    """

    def __init__(
        self,
        root: AnyPath,
        loader: Function,
        extensions: tuple[str, ...] | None = None,
        transform: Function | None = None,
        target_transform: Function | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.classes, self.class_to_idx = self.find_classes(str(self.root))
        self.samples = self.make_dataset(
            str(self.root), self.class_to_idx, extensions, is_valid_file, allow_empty
        )
        self.loader, self.extensions = loader, extensions
        self.targets = [number for _, number in self.samples]

    @staticmethod
    def find_classes(directory: AnyPath) -> tuple[list[str], dict[str, int]]:
        """Return the names of the class folders, and the number of each; can be overridden."""
        names = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
        if not names:
            raise FileNotFoundError(f"{directory} has no folder of a class")
        return names, {name: number for number, name in enumerate(names)}

    @staticmethod
    def make_dataset(
        directory: AnyPath,
        class_to_idx: Mapping[str, int],
        extensions: Sequence[str] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> list[Sample]:
        """Return the path and class number of each sample; can be overridden."""
        if (extensions is None) == (is_valid_file is None):
            expected = "passed if is_valid_file is not, and left out otherwise"
            raise ArgumentError(name="extensions", value=extensions, expected=expected)
        suffixes = tuple(extensions or ())
        is_sample = is_valid_file or (lambda path: path.lower().endswith(suffixes))
        samples: list[Sample] = []
        for name in sorted(class_to_idx):
            found = [path for path in _files(Path(directory, name)) if is_sample(path)]
            if not found and not allow_empty:
                raise FileNotFoundError(f"class {name} has no samples in {directory}")
            samples += [(path, class_to_idx[name]) for path in found]
        return samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Return the sample and its class number."""
        path, target = self.samples[index]
        return self._transformed(self.loader(path), target)


class ImageFolder(DatasetFolder):
    """Rows `(PIL image, class number)` of the image files below one folder per class.

    Args:
        root: folder with the folders of the classes.
        transform: function of the image.
        target_transform: function of the class number.
        loader: function of a path that returns the image.
        is_valid_file: function of a path that returns True for images; by default, the file name
            has one of `IMG_EXTENSIONS`.
        allow_empty: whether a class can have no images.

    Raises:
        FileNotFoundError: the folder has no classes, or a class has no images.
    """

    def __init__(
        self,
        root: AnyPath,
        transform: Function | None = None,
        target_transform: Function | None = None,
        loader: Function = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(
            root,
            loader,
            IMG_EXTENSIONS if is_valid_file is None else None,
            transform,
            target_transform,
            is_valid_file,
            allow_empty,
        )
        self.imgs = self.samples


def _files(folder: Path) -> Iterator[str]:
    """Yield the sorted paths of the files below a folder, following links."""
    for parent, _, names in sorted(os.walk(folder, followlinks=True)):
        for name in sorted(names):
            yield str(Path(parent, name))
