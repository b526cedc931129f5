"""Features, the types of columns."""

import builtins
import re
import textwrap
from collections.abc import Iterator
from math import prod
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeGuard,
    assert_never,
    get_args,
)

import msgspec
from msgspec import Meta

from dshub._validate import LARGEST, Text
from dshub.catalog.names import spelled
from dshub.catalog.spellings import familiar
from dshub.errors import ArgumentError

# `dshub.catalog.parsing` completes the message "must …" with the descriptions of constraints.
Positive = Annotated[int, Meta(ge=1, lt=LARGEST, description="be at least 1 and below 2**53")]
Natural = Annotated[int, Meta(ge=0, lt=LARGEST, description="be at least 0 and below 2**53")]
Dtype = Literal[
    "bool",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float32",
    "float64",
]
Unit = Literal["D", "s", "ms", "us", "ns"]
BoxFormat = Literal["xyxy", "xywh", "cxcywh"]
_SHOWN = 10  # maximum class names in a `repr`


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TOML table of a manifest. Unknown fields are faults."""


class Column(
    Fields,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    repr_omit_defaults=True,
    tag_field="kind",
):
    """Base class of features.

    Attributes:
        optional: whether values can be missing. A row then holds None, or NaN for floats and NaT
            for dates. Arrays of integers, bools and classes are masked arrays (`numpy.ma`).
    """

    optional: bool = False


class ImageFeature(Column, frozen=True, kw_only=True, tag="image"):
    """Image of height, width and channels.

    Attributes:
        shape: (height, width, channels), or empty for encoded images of different sizes. Encoded
            images are decoded to RGB unless the shape has 1 channel.
        dtype: type of one pixel value. Encoded images are `uint8`, which reduces 16-bit values to
            their upper 8 bits; or `uint16`, `int32` or `float32`, which keep values as they are.
            Without a shape, images of these types have 1 channel if the file is gray.
        encoding: `raw` for plain pixels; `jpeg` or `png` for image files that mostly have this
            format, stored unchanged and decoded when a row is read; `any` for several formats.
    """

    shape: tuple[Positive, ...] = ()
    dtype: Dtype = "uint8"
    encoding: Literal["raw", "jpeg", "png", "any"] = "raw"


class MaskFeature(Column, frozen=True, kw_only=True, tag="mask"):
    """Image of class numbers, such as the classes of the pixels of another image.

    Rows are arrays (height, width). Values of files are kept as they are: palette indices, gray
    values of 8, 16 or 32 bits, and 0 and 1 of files with one bit.

    Attributes:
        shape: (height, width), or empty for encoded masks of different sizes.
        dtype: type of one value.
        encoding: `raw` for plain values; `png`, or `any` for image files of several formats, stored
            unchanged and decoded when a row is read.
        names: class names in order, so that the value i means `names[i]`; empty if unknown.
        ignore: value of pixels without a class, often 255. `RandomCrop` pads masks with it.
    """

    shape: tuple[Positive, ...] = ()
    dtype: Literal["uint8", "uint16", "int32"] = "uint8"
    encoding: Literal["raw", "png", "any"] = "raw"
    names: tuple[Text, ...] = ()
    ignore: Natural | None = None


class AudioFeature(Column, frozen=True, kw_only=True, tag="audio"):
    """Audio, stored as the upstream file and decoded when a row is read.

    Rows are int16 arrays of shape (samples,), or (samples, channels) for several channels.

    Attributes:
        rate: samples per second; 0 if files differ and each row keeps its rate.
        channels: number of channels; 0 if files differ and each row keeps its channels.
        encoding: format of the audio files; `ogg` contains Vorbis or Opus, and `any` stands for
            files of several formats.
        resample: whether to convert files of other rates to `rate`, and files of other channels to
            `channels`: the mean of several for 1, and copies of a single one. Otherwise, such files
            are an error.
    """

    rate: Natural
    channels: Natural = 1
    encoding: Literal["wav", "flac", "mp3", "ogg", "aiff", "any"] = "wav"
    resample: bool = False


if TYPE_CHECKING:
    from dshub.hub.familiar.labels import LabelNames
else:
    LabelNames = msgspec.Struct  # msgspec requires struct bases at run time


class LabelFeature(Column, LabelNames, frozen=True, kw_only=True, tag="label"):
    """Class number. Rows contain int64 values from 0 to len(names) - 1.

    Attributes:
        names: class names in order, so that the value i means `names[i]`.
        codes: upstream code of each class, such as a WordNet number, if files contain codes. Codes
            that are integers also match columns of integers.
        first: upstream number of the first class, if files contain consecutive numbers.
    """

    names: Annotated[tuple[Text, ...], Meta(min_length=1, description="not be empty")]
    codes: tuple[str, ...] = ()
    first: int = 0

    if not TYPE_CHECKING:  # `__getattr__` would hide unknown attributes from type checkers

        def __getattr__(self, name: builtins.str) -> Any:
            return familiar(self, name, "labels.LabelNames")

    def __repr__(self) -> builtins.str:
        names = [repr(name) for name in self.names[:_SHOWN]]
        names += [f"… {len(self.names):,} names"] if len(self.names) > _SHOWN else []
        codes = f", codes={len(self.codes):,}" if self.codes else ""
        optional = ", optional=True" if self.optional else ""
        return f"LabelFeature(names=({', '.join(names)}){codes}, first={self.first}{optional})"

    def int(self, name: builtins.str) -> builtins.int:
        """Return the number of a class by name or code, as in `features["label"].int("cat")`.

        Case, `-`, `_` and blanks do not matter if only one class matches.

        Raises:
            ArgumentError: no class, or several ones, have that name or code.
        """
        for options in (self.codes, self.names):
            if name in options:
                return options.index(name)
        options = tuple(spelled(name, self.names) or spelled(name, self.codes))
        if len(options) != 1:
            options = options or self.names
            classes = textwrap.shorten(", ".join(options), 80, placeholder=", …")
            raise ArgumentError(name="name", value=name, expected=f"one of the classes {classes}")
        return (self.names if options[0] in self.names else self.codes).index(options[0])

    def str(self, number: builtins.int) -> builtins.str:
        """Return the name of a class, as in `features["label"].str(3)`; raises IndexError."""
        return self.names[self._checked(number)]

    def code(self, number: builtins.int) -> builtins.str:
        """Return the upstream code of a class, or its name if the feature has no codes."""
        return (self.codes or self.names)[self._checked(number)]

    def _checked(self, number: builtins.int) -> builtins.int:
        if not 0 <= number < len(self.names):
            raise IndexError(f"class {number} is not between 0 and {len(self.names) - 1}")
        return number


class NumberFeature(Column, frozen=True, kw_only=True, tag="number"):
    """Number, or array of numbers if `shape` is not empty.

    Attributes:
        missing: upstream strings for a missing value. They become NaN, so `dtype` must be a float
            unless the column is optional.
    """

    dtype: Dtype
    shape: tuple[Positive, ...] = ()
    missing: tuple[str, ...] = ()


class BoxFeature(Column, frozen=True, kw_only=True, tag="box"):
    """Bounding box of an object in an image.

    Rows are arrays of shape (4,), and lists of boxes have shape (boxes, 4). The origin is the top
    left corner of the image.

    Attributes:
        format: `xyxy` for left, top, right and bottom; `xywh` for left, top, width and height; or
            `cxcywh` for the center, width and height.
        relative: whether the numbers are fractions of the width and height of the image instead of
            pixels.
        dtype: type of one number.
    """

    shape: ClassVar[tuple[int, ...]] = (4,)

    format: BoxFormat = "xyxy"
    relative: bool = False
    dtype: Literal["float32", "float64"] = "float32"


class TextFeature(Column, frozen=True, kw_only=True, tag="text"):
    """String."""


class DateFeature(Column, frozen=True, kw_only=True, tag="date"):
    """Date, or date and time. Rows contain `numpy.datetime64` values in UTC.

    Attributes:
        unit: precision: `D` for days without time, or `s`, `ms`, `us` or `ns`.
        timezone: time zone to display times in, such as `Europe/Rome`; empty if unknown.
    """

    unit: Unit = "D"
    timezone: str = ""


class BytesFeature(Column, frozen=True, kw_only=True, tag="bytes"):
    """Bytes that are not decoded."""


class ListFeature(Column, frozen=True, kw_only=True, tag="list"):
    """List of values, such as the words of a sentence, with a length that varies between rows.

    Rows are arrays of shape (values,) or (values, *shape) for numbers, classes and dates, and
    otherwise lists.

    Attributes:
        of: type of each value.
    """

    of: "Feature"


class StructFeature(Column, frozen=True, kw_only=True, tag="struct"):
    """Named values, such as the role and the content of a chat message. Rows are dicts.

    Attributes:
        fields: type of each value by name.
    """

    fields: Annotated[
        dict[Text, "Feature"], Meta(min_length=1, description="have at least one field")
    ]


Feature = (
    ImageFeature
    | MaskFeature
    | AudioFeature
    | LabelFeature
    | NumberFeature
    | BoxFeature
    | TextFeature
    | DateFeature
    | BytesFeature
    | ListFeature
    | StructFeature
)
"""Type of a column. The set is closed, so that a type checker reports unhandled cases."""


_BYTES = {name: int(re.sub(r"\D", "", name) or 8) // 8 for name in get_args(Dtype)}


def is_encoded(feature: Feature) -> bool:
    """Return whether rows are stored as files that must be decoded."""
    return isinstance(feature, AudioFeature) or is_image_file(feature)


def is_image_file(feature: Feature) -> TypeGuard[ImageFeature | MaskFeature]:
    """Return whether rows are stored as image files that must be decoded."""
    return isinstance(feature, ImageFeature | MaskFeature) and feature.encoding != "raw"


def boxes_in(feature: Feature) -> Iterator[BoxFeature]:
    """Yield the features of boxes in a feature, at any depth."""
    if isinstance(feature, BoxFeature):
        yield feature
    elif isinstance(feature, ListFeature):
        yield from boxes_in(feature.of)
    elif isinstance(feature, StructFeature):
        for of in feature.fields.values():
            yield from boxes_in(of)


def row_bytes(feature: Feature) -> int:
    """Return the bytes per row of a column; 0 if rows differ in size."""
    match feature:
        case ImageFeature() | MaskFeature() if feature.encoding != "raw":
            return 0
        case ImageFeature() | MaskFeature() | NumberFeature() | BoxFeature():
            return prod(feature.shape) * _BYTES[feature.dtype]
        case LabelFeature() | DateFeature():
            return 8
        case StructFeature():
            sizes = [row_bytes(of) for of in feature.fields.values()]
            return sum(sizes) if all(sizes) else 0
        case TextFeature() | AudioFeature() | ListFeature() | BytesFeature():
            return 0
        case _:
            assert_never(feature)


_FILES = {"jpeg": "JPEG", "png": "PNG", "ogg": "Ogg", "any": "files of several formats"}


def describe(feature: Feature) -> str:  # noqa: C901, PLR0912  # a case each
    """Describe a feature, as in `image, 28 x 28 x 1, uint8` or `label, 10 classes`."""
    match feature:
        case ListFeature():
            facts = [f"list of {describe(feature.of)}"]
        case StructFeature():
            facts = [f"struct of {', '.join(feature.fields)}"]
        case TextFeature():
            facts = ["text"]
        case BytesFeature():
            facts = ["bytes"]
        case DateFeature():
            facts = ["date" if feature.unit == "D" else "date and time", feature.timezone]
        case LabelFeature():
            facts = ["label", f"{len(feature.names):,} classes"]
        case NumberFeature():
            facts = ["number", _dimensions(feature.shape), feature.dtype]
        case BoxFeature():
            facts = ["box", feature.format, "relative" if feature.relative else "pixels"]
        case ImageFeature():
            content = _FILES.get(feature.encoding, feature.dtype)
            deep = feature.dtype if content != feature.dtype != "uint8" else ""
            facts = ["image", _dimensions(feature.shape), content, deep]
        case MaskFeature():
            classes = f"{len(feature.names):,} classes" if feature.names else ""
            facts = ["mask", _dimensions(feature.shape), feature.dtype, classes]
        case AudioFeature():
            rate = f"{feature.rate:,} Hz" if feature.rate else "several rates"
            channels = {0: "mono and stereo", 1: ""}.get(
                feature.channels, f"{feature.channels} channels"
            )
            facts = [
                "audio",
                rate,
                channels,
                _FILES.get(feature.encoding, feature.encoding.upper()),
            ]
        case _:
            assert_never(feature)
    return ", ".join([*filter(None, facts), *(["optional"] if feature.optional else [])])


def _dimensions(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
