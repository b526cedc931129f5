"""The base class of datasets, and their transforms."""

from collections.abc import Callable, Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from PIL import Image

from dshub import plugins
from dshub.errors import ArgumentError

AnyPath = str | PathLike[str]
Function = Callable[..., Any]

_INDENT = "    "


def default_loader(path: Any) -> Image.Image:
    """Decode an image file to RGB with Pillow.

    Args:
        path: path of the file, or an open binary file.
    """
    with Image.open(path) as image:
        return image.convert("RGB")


class StandardTransform:
    """Apply one function to the image and another to the target.

    Args:
        transform: function of the image, or None.
        target_transform: function of the target, or None.
    """

    def __init__(
        self, transform: Function | None = None, target_transform: Function | None = None
    ) -> None:
        self.transform, self.target_transform = transform, target_transform

    def __call__(self, image: Any, target: Any) -> tuple[Any, Any]:
        """Return the transformed image and target."""
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __repr__(self) -> str:
        parts = {"Transform": self.transform, "Target transform": self.target_transform}
        lines = [type(self).__name__]
        for title, function in parts.items():
            if function is not None:
                head, *rest = repr(function).splitlines()
                lines += [f"{title}: {head}", *(" " * (len(title) + 2) + line for line in rest)]
        return "\n".join(lines)


class VisionDataset:
    """Base class of map-style datasets of images.

    PyTorch is not required: a `DataLoader` and the datasets of `torch.utils.data` only use
    `__len__` and `__getitem__`.

    Args:
        root: folder of the dataset.
        transforms: function of image and target that returns both.
        transform: function of the image, which is a PIL image.
        target_transform: function of the target.

    Raises:
        ArgumentError: `transforms` is combined with one of the other functions.
    """

    def __init__(
        self,
        root: AnyPath | None = None,
        transforms: Function | None = None,
        transform: Function | None = None,
        target_transform: Function | None = None,
    ) -> None:
        separate = transform is not None or target_transform is not None
        if transforms is not None and separate:
            expected = "left out if transform or target_transform is passed"
            raise ArgumentError(name="transforms", value=transforms, expected=expected)
        self.root = root if root is None else fspath(Path(root).expanduser())
        self.transform, self.target_transform = transform, target_transform
        standard = StandardTransform(transform, target_transform) if separate else None
        self.transforms = transforms or standard

    def __getitem__(self, index: int) -> Any:
        """Return the image and the target of a row."""
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Any]:
        return (self[row] for row in range(len(self)))

    def __add__(self, other: Any) -> Any:
        """Return a `torch.utils.data.ConcatDataset`."""
        return plugins.module("adapters", "torch").concatenate([self, other])

    def __repr__(self) -> str:
        lines = [f"Number of datapoints: {len(self)}"]
        lines += [] if self.root is None else [f"Root location: {self.root}"]
        lines += self.extra_repr().splitlines()
        lines += [] if self.transforms is None else [repr(self.transforms)]
        return "\n".join([f"Dataset {type(self).__name__}", *(_INDENT + line for line in lines)])

    def extra_repr(self) -> str:
        """Return more lines for `repr`."""
        return ""

    def _transformed(self, image: Any, target: Any) -> tuple[Any, Any]:
        """Apply the functions, which callers can replace after construction."""
        if self.transforms is not None and not isinstance(self.transforms, StandardTransform):
            image, target = self.transforms(image, target)
        return StandardTransform(self.transform, self.target_transform)(image, target)
