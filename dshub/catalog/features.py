"""Features: the types of columns."""

import builtins
import re
import textwrap
from math import prod
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, assert_never, get_args

import msgspec
from msgspec import Meta

from dshub._validate import LARGEST, Text
from dshub.catalog import phrasebook
from dshub.errors import ArgumentError

# Descriptions of constraints complete the message "must …"; see `dshub.catalog.parsing`.
Positive = Annotated[int, Meta(ge=1, lt=LARGEST, description="be at least 1 and below 2**53")]
Dtype = Literal[
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"
]
_SHOWN = 10  # names of classes in a `repr`


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a manifest; unknown fields are faults."""


class ImageFeature(
    Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="image"
):
    """An image: height, width, channels.

    Attributes:
        shape: (height, width, channels). Encoded images that differ in size have none. They are
            decoded to 3 channels (RGB), unless the shape says 1.
        dtype: of one value.
        encoding: `raw` for plain pixels; `jpeg` or `png` for files of that kind, stored unchanged
            and decoded when a row is read; `any` if upstream mixes kinds.
    """

    shape: tuple[Positive, ...] = ()
    dtype: Dtype = "uint8"
    encoding: Literal["raw", "jpeg", "png", "any"] = "raw"


class AudioFeature(
    Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="audio"
):
    """Audio, stored as upstream's file and decoded when a row is read.

    Rows are int16, (samples,), or (samples, channels) if there are several channels.

    Attributes:
        rate: samples per second.
        channels: their number.
        encoding: the format of the files.
    """

    rate: Positive
    channels: Positive = 1
    encoding: Literal["wav", "flac"] = "wav"


class LabelFeature(
    Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="label"
):
    """A class number; rows hold int64 from 0 to len(names) - 1.

    Attributes:
        names: the classes in order: row value i means `names[i]`.
        codes: upstream's code of each class, such as a WordNet number, if files do not hold names.
        first: upstream's number of the first class, if files hold numbers.
    """

    names: Annotated[tuple[Text, ...], Meta(min_length=1, description="not be empty")]
    codes: tuple[str, ...] = ()
    first: int = 0

    if not TYPE_CHECKING:  # a type checker knows the attributes

        def __getattr__(self, name: builtins.str) -> NoReturn:
            raise phrasebook.missing(self, name, phrasebook.LABEL)

    def __repr__(self) -> builtins.str:
        names = [repr(name) for name in self.names[:_SHOWN]]
        names += [f"… {len(self.names):,} names"] if len(self.names) > _SHOWN else []
        codes = f", codes={len(self.codes):,}" if self.codes else ""
        return f"LabelFeature(names=({', '.join(names)}){codes}, first={self.first})"

    def int(self, name: builtins.str) -> builtins.int:
        """The number of a class, by name or code: `features["label"].int("cat")`.

        Raises:
            ArgumentError: no class has that name or code.
        """
        known = self.codes if name in self.codes else self.names
        if name not in known:
            classes = textwrap.shorten(", ".join(known), 80, placeholder=", …")
            raise ArgumentError(name="name", value=name, expected=f"one of the classes {classes}")
        return known.index(name)

    def str(self, number: builtins.int) -> builtins.str:
        """The name of a class: `features["label"].str(3)`; raises IndexError."""
        return self.names[self._checked(number)]

    def code(self, number: builtins.int) -> builtins.str:
        """The value that upstream's files hold for a class: its code, or its name without codes."""
        return (self.codes or self.names)[self._checked(number)]

    def _checked(self, number: builtins.int) -> builtins.int:
        if not 0 <= number < len(self.names):
            raise IndexError(f"there are classes 0 to {len(self.names) - 1}, not {number}")
        return number


class NumberFeature(
    Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="number"
):
    """A number, or an array of numbers if `shape` is not empty.

    Attributes:
        missing: texts that upstream writes for a missing value; rows hold NaN, so `dtype` must be
            a float.
    """

    dtype: Dtype
    shape: tuple[Positive, ...] = ()
    missing: tuple[str, ...] = ()


class TextFeature(
    Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="text"
):
    """A string."""


Item = LabelFeature | NumberFeature | TextFeature
"""The types of values in a list."""


class ListFeature(
    Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="list"
):
    """Values whose number differs from row to row, such as the words of a sentence.

    Rows are arrays, (values,) or (values, *shape), and lists of `str` for text.

    Attributes:
        of: the type of each value.
    """

    of: Item


Feature = ImageFeature | AudioFeature | LabelFeature | NumberFeature | TextFeature | ListFeature
"""A column: a closed set, so that a type checker finds forgotten cases."""


_BYTES = {name: int(re.sub(r"\D", "", name)) // 8 for name in get_args(Dtype)}


def is_encoded(feature: Feature) -> bool:
    """True if rows are stored as files that must be decoded."""
    return isinstance(feature, AudioFeature) or (
        isinstance(feature, ImageFeature) and feature.encoding != "raw"
    )


def row_bytes(feature: Feature) -> int:
    """Bytes of one row of a column; 0 if rows differ in size."""
    match feature:
        case ImageFeature() if feature.encoding != "raw":
            return 0
        case ImageFeature() | NumberFeature():
            return prod(feature.shape) * _BYTES[feature.dtype]
        case LabelFeature():
            return 8
        case TextFeature() | AudioFeature() | ListFeature():
            return 0
        case _:
            assert_never(feature)


_FILES = {"jpeg": "JPEG", "png": "PNG", "any": "files of several formats"}


def describe(feature: Feature) -> str:
    """A feature in a few words: `image, 28 x 28 x 1, uint8`, `label, 10 classes`."""
    match feature:
        case ListFeature():
            return f"list of {describe(feature.of)}"
        case TextFeature():
            facts = ["text"]
        case LabelFeature():
            facts = ["label", f"{len(feature.names):,} classes"]
        case NumberFeature():
            facts = ["number", _dimensions(feature.shape), feature.dtype]
        case ImageFeature():
            content = _FILES.get(feature.encoding, feature.dtype)
            facts = ["image", _dimensions(feature.shape), content]
        case AudioFeature():
            channels = f"{feature.channels} channels" if feature.channels > 1 else ""
            facts = ["audio", f"{feature.rate:,} Hz", channels, feature.encoding.upper()]
        case _:
            assert_never(feature)
    return ", ".join(filter(None, facts))


def _dimensions(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
