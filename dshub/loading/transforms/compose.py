"""Combine transforms, and save them as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import methodcaller
from typing import Any, ClassVar, Literal

import msgspec

from dshub._validate import decode
from dshub.errors import ArgumentError, DshubError, UnknownNameError
from dshub.loading.calling import name_of
from dshub.loading.transforms.callables import BaseTransform
from dshub.loading.transforms.colors import Normalize, ToFloat
from dshub.loading.transforms.erasing import Cutout, RandomErasing
from dshub.loading.transforms.geometry import (
    CenterCrop,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
)
from dshub.loading.transforms.jitter import ColorJitter
from dshub.loading.transforms.mixing import CutMix, MixUp, MultiHot, OneHot
from dshub.loading.transforms.transform import AnyTransform, Batch, Context, apply, is_own

# Their constructors check every argument, so that it is safe to call them with any values.
_SAVED: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        CenterCrop,
        CutMix,
        ColorJitter,
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
}


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    """A saved `Compose`; each transform is a dict of its name and arguments."""

    version: Literal[1]
    transforms: list[dict[str, Any]]


@dataclass(frozen=True)
class Compose(BaseTransform):
    """Apply several transforms in order; in a loader, like a list of them.

    ::

        prepare = Compose([Resize(256), CenterCrop(224), ToFloat()])
        ds.batches(64, transform=prepare)
        prepare(image, layout="chw")
        Compose.from_json(prepare.to_json())

    Attributes:
        transforms: dshub transforms, and then other callables; a `Compose` among them is replaced
            by its transforms.

    Raises:
        ArgumentError: an item is not a transform, or a callable precedes a dshub transform.
    """

    transforms: Sequence[AnyTransform]

    needs_images: ClassVar[bool] = False  # each step has its own value

    def __post_init__(self) -> None:
        transforms = check_transforms("transforms of Compose", self.transforms)
        object.__setattr__(self, "transforms", transforms)

    @property
    def steps(self) -> tuple[AnyTransform, ...]:
        return tuple(self.transforms)

    def apply(self, batch: Batch, context: Context) -> Batch:
        return apply(self.steps, batch, context)

    def to_json(self) -> str:
        """Return the transforms and their arguments as JSON, for `from_json`.

        Raises:
            DshubError: one of the transforms is not a dshub transform.
        """
        document = _Document(1, [_saved(transform) for transform in self.steps])
        data = msgspec.json.encode(
            document, enc_hook=methodcaller("item")
        )  # converts NumPy numbers
        return data.decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "Compose":
        """Create the transforms that `to_json` saved; no code in the text can run.

        Raises:
            UnknownNameError: the text contains an unknown transform or argument.
            DshubError: the text is not a saved `Compose`, or an argument is invalid.
        """
        data = text.encode() if isinstance(text, str) else text
        try:
            document = decode(data, _Document)
        except (ValueError, msgspec.DecodeError) as error:
            raise _unreadable(error) from None
        return cls([_loaded(fields) for fields in document.transforms])


def check_transforms(name: str, value: Any) -> tuple[Any, ...]:
    """Return the transforms of an argument in order, without `Compose`.

    Raises:
        ArgumentError: an item is not a transform, or a callable precedes a dshub transform.
    """
    if value is None:
        return ()
    given = value if isinstance(value, list | tuple) else (value,)
    transforms = tuple(
        step for item in given for step in (item.steps if isinstance(item, Compose) else (item,))
    )
    own = [is_own(transform) for transform in transforms]
    for transform, is_ours in zip(transforms, own, strict=True):
        if is_ours and isinstance(transform, type):
            expected = f"an instance, such as {transform.__name__}(…)"
        elif is_ours or callable(transform):
            continue
        else:
            expected = "a transform of dshub.loading.transforms, or a function from batch to batch"
        raise ArgumentError(name=name, value=transform, expected=expected)
    if own != sorted(own, reverse=True):
        expected = "in order: transforms of dshub.loading.transforms, then other callables"
        raise ArgumentError(name=name, value=list(transforms), expected=expected)
    return transforms


def _saved(transform: Any) -> dict[str, Any]:
    kind = type(transform)
    if _SAVED.get(kind.__name__) is not kind:
        raise DshubError(
            f"{name_of(transform)} cannot be saved, because it is not a dshub transform",
            hint="save only dshub transforms, and call your own functions after them",
        )
    return {"name": kind.__name__} | {name: getattr(transform, name) for name in _arguments(kind)}


def _loaded(saved: dict[str, Any]) -> Any:
    name = str(saved.pop("name", ""))
    kind = _SAVED.get(name)
    if kind is None:
        raise UnknownNameError(kind="transform", name=name, known=tuple(_SAVED))
    known = _arguments(kind)
    for argument in saved:
        if argument not in known:
            raise UnknownNameError(kind=f"argument of {name}", name=argument, known=known)
    lists = {key: value for key, value in saved.items() if isinstance(value, list)}
    try:
        return kind(**saved | {key: tuple(value) for key, value in lists.items()})
    except TypeError as error:  # raised by Python, or an ArgumentError
        raise _unreadable(f"{name}: {error}") from None


def _arguments(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.init)


def _unreadable(reason: object) -> DshubError:
    return DshubError(
        f"cannot read the saved transforms: {reason}",
        hint="pass the text that Compose.to_json() returned",
    )
