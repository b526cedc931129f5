"""Views of a dataset: columns, files, license.

What a licence allows, in a few words, as far as its identifier says.

Identifiers are those of the SPDX licence list (https://spdx.org/licenses/); what the parts of a
Creative Commons licence mean is said at https://creativecommons.org/share-your-work/cclicenses/.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.catalog.manifest import License, Manifest

_PARTS = {
    "BY": "Name the authors.",
    "SA": "Pass adapted versions on under the same licence.",
    "NC": "No commercial use.",
    "ND": "Pass no adapted versions on.",
}
_NOTICE = "Use, change and pass on freely; keep the copyright notice."
_PLAIN = {
    "MIT": _NOTICE,
    "BSD-2-Clause": _NOTICE,
    "BSD-3-Clause": _NOTICE,
    "ISC": _NOTICE,
    "Apache-2.0": _NOTICE,
    "CC0-1.0": "No conditions.",
    "PDDL-1.0": "No conditions.",
}
_REDISTRIBUTION = {
    "yes": "The files may be passed on.",
    "no": "The files may not be passed on: everybody gets them from the source.",
    "unknown": "Whether the files may be passed on is not known.",
}


@dataclass(frozen=True)
class Terms:
    """A licence for a person to read.

    Attributes:
        title: its identifier, or `not stated`.
        stated: whether a source states one.
        conditions: what it allows and asks, a sentence each.
        text: where the licence's text can be read; empty where it is none of SPDX's list.
    """

    title: str
    stated: bool
    conditions: tuple[str, ...]
    text: str


def terms(license_: License) -> Terms:
    """What a licence allows; of terms that are not SPDX's own, only what the manifest says."""
    spdx = license_.spdx
    if spdx is None:
        return Terms("not stated", False, (_REDISTRIBUTION[license_.redistribution],), "")  # noqa: FBT003
    words = re.findall(r"[A-Za-z0-9.+-]+", spdx)
    said = [sentence for word in words for sentence in _conditions(word)]
    if "OR" in words:  # which of them holds is the user's choice
        said = []
    told = (_REDISTRIBUTION[license_.redistribution], *dict.fromkeys(said))
    listed = len(words) == 1 and not spdx.startswith("LicenseRef-")
    return Terms(spdx, True, told, f"https://spdx.org/licenses/{spdx}.html" if listed else "")  # noqa: FBT003


def _conditions(identifier: str) -> list[str]:
    """What one licence asks."""
    if identifier in _PLAIN:
        return [_PLAIN[identifier]]
    match = re.fullmatch(r"CC-([A-Z]+(?:-[A-Z]+)*)-[0-9.]+(?:-[A-Z]+)?", identifier)
    parts = match[1].split("-") if match else []
    return [_PARTS[part] for part in parts if part in _PARTS]


MODALITIES = ("image", "text", "audio", "table")

_ENCODINGS = {
    "raw": "plain pixels",
    "jpeg": "JPEG files",
    "png": "PNG files",
    "any": "files of several kinds",
}


@dataclass(frozen=True)
class Column:
    """A column in words.

    Attributes:
        kind: `image`, `label`, ….
        shape: `28 × 28 × 1`; empty where it has none, or it varies.
        dtype: of its values in NumPy; empty where they are none.
        about: what else there is to know.
        classes: the class names of a label.
        without: the splits that do not have it.
    """

    name: str
    kind: str
    shape: str
    dtype: str
    about: str
    classes: tuple[str, ...]
    without: tuple[str, ...]


def modality(manifest: Manifest) -> str:
    """What the data are made of: `image`, `audio`, `text` or `table`."""
    kinds = {type(_inner(item)) for item in manifest.features.values()}
    if ImageFeature in kinds:
        return "image"
    if AudioFeature in kinds:
        return "audio"
    is_table = manifest.task.startswith("tabular")
    return "text" if TextFeature in kinds and not is_table else "table"


def rows(manifest: Manifest) -> int:
    """Rows of all splits."""
    return sum(split.rows for split in manifest.splits.values())


def columns(manifest: Manifest) -> list[Column]:
    """The columns in order."""
    return [_column(name, feature, manifest) for name, feature in manifest.features.items()]


def _column(name: str, feature: Feature, manifest: Manifest) -> Column:
    inner = _inner(feature)
    kind = f"list of {_kind(inner)}" if isinstance(feature, ListFeature) else _kind(feature)
    shape = getattr(inner, "shape", ()) if not isinstance(inner, LabelFeature) else ()
    without = tuple(key for key, split in manifest.splits.items() if name in split.without)
    return Column(
        name,
        kind,
        " × ".join(map(str, shape)),
        _dtype(inner),
        ", ".join(_about(inner)),
        getattr(inner, "names", ()),
        without,
    )


def _inner(feature: Feature) -> Feature:
    return feature.of if isinstance(feature, ListFeature) else feature


def _kind(feature: Feature) -> str:
    return str(type(feature).__struct_config__.tag)


def _dtype(feature: Feature) -> str:
    match feature:
        case ImageFeature() | NumberFeature():
            return feature.dtype
        case AudioFeature():
            return "int16"
        case LabelFeature():
            return "int64"
        case TextFeature():
            return "str"
        case ListFeature():
            return _dtype(feature.of)
        case _:
            assert_never(feature)


def _about(feature: Feature) -> Iterator[str]:
    if isinstance(feature, ImageFeature):
        yield _ENCODINGS[feature.encoding]
        if not feature.shape:
            yield "sizes vary"
    if isinstance(feature, AudioFeature):
        yield f"{feature.rate:,} Hz"
        yield "mono" if feature.channels == 1 else f"{feature.channels} channels"
        yield feature.encoding.upper()
    if isinstance(feature, LabelFeature):
        yield f"{len(feature.names):,} classes"
    if isinstance(feature, NumberFeature) and feature.missing:
        yield "NaN where upstream has no value"


@dataclass(frozen=True)
class Bar:
    """One class of a histogram.

    Attributes:
        name: of the class.
        code: what upstream writes for it, where that is another text.
        counts: rows in each split that has them counted.
    """

    name: str
    code: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Rows in all of those splits."""
        return sum(self.counts)


@dataclass(frozen=True)
class Histogram:
    """How many rows each class of a column has.

    Attributes:
        column: its name.
        splits: those whose classes are counted, in order; empty where none are.
        bars: the classes in order.
    """

    column: str
    splits: tuple[str, ...]
    bars: tuple[Bar, ...]

    @property
    def largest(self) -> int:
        """Rows of the most frequent class; 1 where there are none."""
        return max((bar.total for bar in self.bars), default=0) or 1

    @property
    def words(self) -> str:
        """The histogram in a sentence."""
        totals = [bar.total for bar in self.bars]
        least, most = min(totals), max(totals)
        where = " and ".join(self.splits)
        if least == most:
            return f"{len(totals):,} classes with {most:,} rows each in {where}."
        fewest, first = self.bars[totals.index(least)], self.bars[totals.index(most)]
        return (
            f"{len(totals):,} classes in {where}: from {least:,} rows ({fewest.name}) "
            f"to {most:,} ({first.name})."
        )


def histogram(column: str, feature: LabelFeature, counts: dict[str, Sequence[int]]) -> Histogram:
    """The histogram of a column of classes, from the counts of each split that has them."""
    codes = feature.codes or ("",) * len(feature.names)
    per_class = zip(*counts.values(), strict=True) if counts else [()] * len(feature.names)
    bars = [
        Bar(name, code, tuple(map(int, numbers)))
        for name, code, numbers in zip(feature.names, codes, per_class, strict=True)
    ]
    return Histogram(column, tuple(counts), tuple(bars))
