"""What must hold within a split, and between it and the rest of the manifest."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from dshub import plugins
from dshub.catalog.faults import BROKEN, Fault
from dshub.catalog.features import Feature, LabelFeature, row_bytes
from dshub.catalog.manifest import Attach, Cut, Join, Manifest, Match, Split, Step
from dshub.display import short

_MOST_STEPS = 64
_SHOWN = 5  # files of a part in a message
_FIELD = re.compile(r"(?:0[1-9])?d?")


def check_split(place: str, split: Split, manifest: Manifest) -> Iterator[Fault]:
    """Every fault of a split."""
    yield from check_rows(place, split, manifest.features)
    yield from check_reading(place, split, manifest)
    if split.layout:
        yield Fault(f"{place}.layout", "is for dshub to fill in")
    for figure, value in split.figures.items():
        yield from _check_figure(f"{place}.figures.{figure}", figure, value, split, manifest)


def check_rows(place: str, split: Split, features: Mapping[str, Feature]) -> Iterator[Fault]:
    """Every fault of what a split says of its rows and columns."""
    if not 1 <= split.rows < 2**53:
        yield Fault(f"{place}.rows", "must be at least 1 and below 2**53")
    if features is not BROKEN:
        yield from _check_without(f"{place}.without", split, features)


def check_reading(place: str, split: Split, manifest: Manifest) -> Iterator[Fault]:
    """Every fault of the reader, files and steps of a split, or of a layout of it."""
    yield from _check_reader(f"{place}.reader", split.reader)
    yield from _check_files(f"{place}.files", split, manifest)
    if len(split.steps) > _MOST_STEPS:
        yield Fault(f"{place}.steps", f"are more than {_MOST_STEPS}")
        return
    for i, step in enumerate(split.steps):
        yield from _check_step(f"{place}.steps[{i}]", step, split)


def _check_files(place: str, split: Split, manifest: Manifest) -> Iterator[Fault]:
    if not split.files:
        yield Fault(place, "must not be empty")
    elif not split.reader_parts:
        yield Fault(place, "leaves no file to the reader")
    for part in split.files:
        references = split.references(part)
        for reference in references or [""]:
            yield from _check_reference(f"{place}.{part}", reference, manifest)
        for reference, count in Counter(references).items():
            if count > 1:
                yield Fault(f"{place}.{part}", f"{reference!r} is listed {count} times")


def _check_without(place: str, split: Split, features: Mapping[str, Feature]) -> Iterator[Fault]:
    for column in split.without:
        if column not in features:
            yield Fault(place, f"{column!r} is not among the features")
    if features and not features.keys() - set(split.without):
        yield Fault(place, "leaves no column")


def _check_reader(place: str, reader: Mapping[str, Any]) -> Iterator[Fault]:
    form = reader.get("format")
    if form not in plugins.built_in("formats") and form not in plugins.names("formats"):
        known = ", ".join(plugins.names("formats"))
        problem = "is missing" if form is None else f"{short(form)} is not a reader"
        yield Fault(f"{place}.format", f"{problem}; known: {known}")


def _check_step(place: str, step: Step, split: Split) -> Iterator[Fault]:
    if isinstance(step, Match | Join | Attach) and step.part not in split.files:
        yield Fault(f"{place}.part", f"{step.part!r} is not among the split's files")
    if isinstance(step, Match | Join):
        yield from _check_reader(f"{place}.reader", step.reader)
        if not step.on:
            yield Fault(f"{place}.on", "must not be empty")
    if isinstance(step, Cut) and not step.before:
        yield Fault(f"{place}.before", "must not be empty")
    if isinstance(step, Join) and step.number and step.number not in step.on:
        yield Fault(f"{place}.number", f"{step.number!r} is not among `on`")
    if isinstance(step, Attach):
        yield from _check_path(f"{place}.path", step.path)
        known = split.references(step.part) if step.part in split.files else ()
        members = [reference.partition(":")[2] for reference in known]
        if members and not any(member and _may_fit(step.path, member) for member in members):
            some = ", ".join([*known[:_SHOWN], "…"] if len(known) > _SHOWN else known)
            told = f"{step.path!r} names no file of {step.part!r}: {some}"
            yield Fault(f"{place}.path", told)


def _check_path(place: str, path: str) -> Iterator[Fault]:
    try:
        fields = [field for field in Formatter().parse(path) if field[1] is not None]
    except ValueError as error:
        yield Fault(place, f"{path!r}: {error}")
        return
    plain = all(
        re.fullmatch(r"[\w-]+", name or "") and _FIELD.fullmatch(form or "") and not conversion
        for _, name, form, conversion in fields
    )
    if not fields or not plain:
        yield Fault(place, f"{path!r} must hold columns in braces: {{file}}, {{id:05d}}")


def _may_fit(path: str, pattern: str) -> bool:
    """Whether a path with columns in braces can be a name that a pattern fits.

    Only what stands before the first column and behind the last is looked at.
    """
    begin, end = path.partition("{")[0], path.rpartition("}")[2]
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0], re.split(r"[*?\]]", pattern)[-1]
    begins = begin.startswith(fixed[0]) or fixed[0].startswith(begin)
    return begins and (end.endswith(fixed[1]) or fixed[1].endswith(end))


def _check_reference(place: str, reference: str, manifest: Manifest) -> Iterator[Fault]:
    resource, _, member = reference.partition(":")
    if manifest.resources is not BROKEN and resource not in manifest.resources:
        yield Fault(place, f"{resource!r} is not among the resources")
    if member.startswith("/") or "\\" in member or ".." in member.split("/"):
        yield Fault(place, f"member {member!r} leads out of the archive")
    elif ":" in reference and any(_names_nothing(name) for name in member.split(":")):
        yield Fault(place, f"{reference!r} names no member behind a colon")


def _names_nothing(member: str) -> bool:
    """Whether a name is empty, as archives have it: `./` and slashes that are too many go."""
    return all(part in {"", "."} for part in member.split("/"))


def _check_figure(
    place: str, figure: str, value: int | tuple[int, ...], split: Split, manifest: Manifest
) -> Iterator[Fault]:
    column, _, what = figure.rpartition("-")
    if manifest.features is BROKEN or manifest.features.get(column) is BROKEN:
        return
    feature = manifest.features.get(column)
    absent = column in split.without
    if feature is None or absent or what not in {"counts", "sum"}:
        yield Fault(place, "must be <column>-counts or <column>-sum of a column of the split")
    elif what == "counts":
        yield from _check_counts(place, feature, value, split)
    elif not row_bytes(feature) or not isinstance(value, int):
        yield Fault(place, "a sum is one whole number, of a column of numbers")


def _check_counts(
    place: str, feature: Feature, value: int | tuple[int, ...], split: Split
) -> Iterator[Fault]:
    if not isinstance(feature, LabelFeature) or not isinstance(value, tuple):
        yield Fault(place, "counts are a list, one for each class of a label")
    elif len(value) != len(feature.names):
        yield Fault(place, f"has {len(value)} counts for {len(feature.names)} classes")
    elif min(value, default=0) < 0:
        yield Fault(place, "holds a number below 0")
    elif sum(value) != split.rows:
        yield Fault(place, f"adds up to {short(sum(value))}, not to {split.rows:,} rows")
