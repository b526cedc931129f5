"""Features: what the columns of a dataset hold.

What every table of a manifest is: fields that are known, and no others.
"""

import builtins
import re
import textwrap
from math import prod
from typing import TYPE_CHECKING, Literal, NoReturn, assert_never, get_args

import msgspec

from dshub._validate import Text
from dshub.catalog import phrasebook
from dshub.errors import ArgumentError


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a manifest: another field than its own is a fault, wherever it is read from."""


Dtype = Literal[
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"
]


_SHOWN = 10  # names of classes in a `repr`


class ImageFeature(
    Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="image"
):
    """A picture: height, width, channels.

    Attributes:
        shape: (height, width, channels); left out where pictures differ, which only encoded ones
            may. Encoded pictures are handed out with 3 channels, red, green and blue, unless the
            shape says 1.
        dtype: of one value.
        encoding: `raw` for plain pixels; `jpeg` or `png` for files of that kind, kept as they are
            and decoded when a row is read; `any` where upstream mixes kinds.
    """

    shape: tuple[int, ...] = ()
    dtype: Dtype = "uint8"
    encoding: Literal["raw", "jpeg", "png", "any"] = "raw"


class AudioFeature(
    Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="audio"
):
    """A recording, kept as the file it came in and decoded when a row is read.

    Rows are int16, (samples,), or (samples, channels) where there are several channels.

    Attributes:
        rate: samples a second.
        channels: how many there are.
        encoding: what the files are.
    """

    rate: int
    channels: int = 1
    encoding: Literal["wav", "flac"] = "wav"


class LabelFeature(
    Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="label"
):
    """A class number; rows hold int64 from 0 to len(names) - 1.

    Attributes:
        names: the classes in order: row value i means `names[i]`.
        codes: what upstream writes for each class where that is not its name, such as a WordNet
            number; empty where it is.
        first: the number that upstream writes for the first class, where it writes numbers.
    """

    names: tuple[Text, ...]
    codes: tuple[str, ...] = ()
    first: int = 0

    if not TYPE_CHECKING:  # a type checker knows which attributes there are

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
            ArgumentError: there is no such class.
        """
        known = self.codes if name in self.codes else self.names
        if name not in known:
            classes = textwrap.shorten(", ".join(known), 80, placeholder=", …")
            raise ArgumentError(name="name", value=name, expected=f"one of the classes {classes}")
        return known.index(name)

    def str(self, number: builtins.int) -> builtins.str:
        """The name of a class: `features["label"].str(3)`; IndexError if there is none."""
        return self.names[self._checked(number)]

    def code(self, number: builtins.int) -> builtins.str:
        """What upstream writes for a class: its code, or its name where it has none."""
        return (self.codes or self.names)[self._checked(number)]

    def _checked(self, number: builtins.int) -> builtins.int:
        if not 0 <= number < len(self.names):
            raise IndexError(f"there are classes 0 to {len(self.names) - 1}, not {number}")
        return number


class NumberFeature(
    Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="number"
):
    """A number, or an array of them where `shape` is not empty.

    Attributes:
        missing: texts for which upstream has no value; rows hold NaN, so they need a float.
    """

    dtype: Dtype
    shape: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()


class TextFeature(
    Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="text"
):
    """A string."""


Item = LabelFeature | NumberFeature | TextFeature
"""What a list may hold."""


class ListFeature(
    Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="list"
):
    """As many values as a row has, such as the words of a sentence.

    Rows are arrays, (values,) or (values, *shape), and lists of `str` for text.

    Attributes:
        of: what each value is.
    """

    of: Item


Feature = ImageFeature | AudioFeature | LabelFeature | NumberFeature | TextFeature | ListFeature
"""A column: a closed set, so that a type checker sees a case that was forgotten."""


_BYTES = {name: int(re.sub(r"\D", "", name)) // 8 for name in get_args(Dtype)}


def is_encoded(feature: Feature) -> bool:
    """Whether rows are kept as files that have to be decoded."""
    return isinstance(feature, AudioFeature) or (
        isinstance(feature, ImageFeature) and feature.encoding != "raw"
    )


def row_bytes(feature: Feature) -> int:
    """Bytes of one row of a column; 0 where that differs from row to row."""
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
