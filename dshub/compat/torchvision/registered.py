"""The base class of datasets of the registry."""

from collections.abc import Sequence
from functools import cached_property
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, ClassVar

from dshub.catalog.features import LabelFeature
from dshub.catalog.manifest import Manifest
from dshub.compat.opening import open_rows
from dshub.compat.torchvision.vision import VisionDataset, default_loader
from dshub.datasets.dataset import Dataset
from dshub.datasets.labels import label_column

_NAMED = "*"  # later arguments are keyword-only
_DEFAULTS = {"None": None, "True": True, "False": False, "default_loader": default_loader}


def signature_of(arguments: str) -> Signature:
    """Return a signature from text such as ``root split="train" * transform=None``.

    Default values are words, numbers, True, False or None.
    """
    kind: Any = Parameter.POSITIONAL_OR_KEYWORD
    parameters = []
    for argument in arguments.split():
        if argument == _NAMED:
            kind = Parameter.KEYWORD_ONLY
            continue
        name, has_default, text = argument.partition("=")
        number = int(text) if text.isdecimal() else text
        default = _DEFAULTS.get(text, number) if has_default else Parameter.empty
        parameters.append(Parameter(name, kind, default=default))
    return Signature(parameters)


class RegisteredDataset(VisionDataset):
    """Base class of datasets that dshub downloads and prepares in its cache.

    A subclass names its dataset and its arguments. The arguments become attributes.

    Args:
        *args: arguments of the subclass; the first is the folder of torchvision's files.
        **kwargs: arguments of the subclass by name.

    Raises:
        TypeError: an argument is missing or unknown.
        UnknownNameError: the split does not exist.
        DshubError: one of the errors of `Hub.load`, or `download` is False, and the files are
            neither in the cache nor in `root`.
    """

    _name: ClassVar[str] = ""
    """Name of the dataset, with arguments in braces."""

    _folders: ClassVar[Sequence[str]] = ()
    """Folders of torchvision below `root`."""

    def __init_subclass__(cls, *, arguments: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if arguments:
            cls.__signature__ = signature_of(f"root {arguments}")

    __signature__: ClassVar[Signature]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        names = ("root", "transforms", "transform", "target_transform")
        super().__init__(**{name: given.pop(name) for name in names if name in given})
        download = given.pop("download", True)  # ImageNet has no such argument
        vars(self).update(given)
        self._rows = self._open(self._name.format(**given), self._split(), download=download)

    if TYPE_CHECKING:  # arguments become attributes

        def __getattr__(self, name: str) -> Any: ...

    def _open(self, name: str, split: str, *, download: bool) -> Dataset:
        return open_rows(name, split, root=self.root, folders=self._folders, download=download)

    def _split(self) -> str:
        """Return the split expression for the arguments."""
        given = vars(self)
        if "train" in given:
            return "train" if given["train"] else "test"
        return str(given.get("split", "train"))

    def extra_repr(self) -> str:
        """Return the split."""
        return f"Split: {self._split().title()}"

    @property
    def _manifest(self) -> Manifest:
        manifest = self._rows.manifest
        assert manifest is not None  # noqa: S101  # the rows come from the registry
        return manifest

    @property
    def _label(self) -> tuple[str, LabelFeature]:
        """Column and feature of the targets, which some splits lack."""
        return label_column(self._manifest.features, None, self._manifest.supervised)

    @cached_property
    def classes(self) -> list[Any]:
        """Names of the classes, in the order of their numbers."""
        return list(self._label[1].names)

    @cached_property
    def class_to_idx(self) -> dict[str, int]:
        """Number of each class by name."""
        return {name: number for number, name in enumerate(self.classes)}
