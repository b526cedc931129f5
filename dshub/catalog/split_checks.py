"""Check the rules for splits and layouts that types cannot express."""

import re
from collections import ChainMap, Counter
from collections.abc import Iterator, Mapping
from math import prod
from string import Formatter
from typing import Any, cast

import msgspec

from dshub import plugins
from dshub.catalog.faults import BROKEN, Fault
from dshub.catalog.features import Feature, LabelFeature, row_bytes
from dshub.catalog.manifest import (
    LOCAL,
    Attach,
    Join,
    Layout,
    Manifest,
    Match,
    Resource,
    Split,
    Stack,
    Step,
)
from dshub.display import short

_MOST_STEPS = 64
_SHOWN = 5  # maximum files per message
_FIELD = re.compile(r"(?:0[1-9])?d?")


def check_split(place: str, split: Split, manifest: Manifest) -> Iterator[Fault]:
    """Yield the faults of a split."""
    if manifest.features is not BROKEN:
        yield from check_without(f"{place}.without", split, manifest.features)
    yield from check_reading(place, split, manifest)
    if split.layout:
        yield Fault(f"{place}.layout", "is not allowed in a manifest file")
    for figure, value in split.figures.items():
        yield from _check_figure(f"{place}.figures.{figure}", figure, value, split, manifest)


def check_without(place: str, split: Split, features: Mapping[str, Feature]) -> Iterator[Fault]:
    """Yield the faults of `without`, the columns that a split does not have."""
    for column in split.without:
        if column not in features:
            yield Fault(place, f"{column!r} is not among the features")
    if features and not features.keys() - set(split.without):
        yield Fault(place, "removes all columns")


def check_reading(place: str, split: Split, manifest: Manifest) -> Iterator[Fault]:
    """Yield the faults of the reader, files and steps of a split."""
    yield from _check_reader(f"{place}.reader", split.reader)
    yield from _check_files(f"{place}.files", split, manifest)
    if len(split.steps) > _MOST_STEPS:
        yield Fault(f"{place}.steps", f"has {len(split.steps)} steps, more than {_MOST_STEPS}")
        return
    for i, step in enumerate(split.steps):
        yield from _check_step(f"{place}.steps[{i}]", step, split)


def check_layout(place: str, layout: Layout, manifest: Manifest) -> Iterator[Fault]:
    """Yield the faults of a layout, except faults inside its resources."""
    if BROKEN in (manifest.splits, manifest.resources):
        return
    split = manifest.splits.get(layout.split)
    if split is None:
        yield Fault(f"{place}.split", f"{layout.split!r} is not among the splits")
    elif split is not BROKEN:
        yield from _check_layout_files(place, layout, layout.applied(split), manifest)


def _check_layout_files(
    place: str, layout: Layout, split: Split, manifest: Manifest
) -> Iterator[Fault]:
    for name in layout.resources:
        if name == LOCAL or name in manifest.resources:
            yield Fault(f"{place}.resources.{name}", "is already the name of another resource")
    resources = cast("Any", ChainMap({LOCAL: Resource()}, layout.resources, manifest.resources))
    yield from check_reading(place, split, msgspec.structs.replace(manifest, resources=resources))
    if any(LOCAL in split.references(part) for part in split.files):
        yield Fault(f"{place}.files", f"{LOCAL!r} needs a member after a colon")
    if not layout.local_members and not layout.resources:
        yield Fault(f"{place}.files", "must include a file that is not in the manifest's resources")


def _check_files(place: str, split: Split, manifest: Manifest) -> Iterator[Fault]:
    if not split.reader_parts:
        yield Fault(place, "must include a file for the reader, which no step uses")
    for part in split.files:
        for reference, count in Counter(split.references(part)).items():
            yield from _check_reference(f"{place}.{part}", reference, manifest)
            if count > 1:
                yield Fault(f"{place}.{part}", f"{reference!r} is listed {count} times")


def _check_reader(place: str, reader: Mapping[str, Any]) -> Iterator[Fault]:
    form = reader.get("format")
    if form not in plugins.built_in("formats") and form not in plugins.names("formats"):
        formats = ", ".join(plugins.names("formats"))
        problem = "is missing" if form is None else f"{short(form)} is not a reader"
        yield Fault(f"{place}.format", f"{problem}; known: {formats}")


def _check_step(place: str, step: Step, split: Split) -> Iterator[Fault]:
    if isinstance(step, Match | Join | Attach) and step.part not in split.files:
        yield Fault(f"{place}.part", f"{step.part!r} is not among the split's files")
    if isinstance(step, Match | Join):
        yield from _check_reader(f"{place}.reader", step.reader)
    if isinstance(step, Stack) and step.shape and prod(step.shape) != len(step.columns):
        shape = " x ".join(map(str, step.shape))
        yield Fault(f"{place}.shape", f"{shape} does not fit {len(step.columns):,} columns")
    if isinstance(step, Join) and step.number and step.number not in step.on:
        yield Fault(f"{place}.number", f"{step.number!r} is not among `on`")
    if isinstance(step, Attach):
        yield from _check_path(f"{place}.path", step.path)
        references = split.references(step.part) if step.part in split.files else ()
        members = [reference.partition(":")[2] for reference in references]
        if members and not any(member and _can_match(step.path, member) for member in members):
            more = ["…"] if len(references) > _SHOWN else []
            files = ", ".join([*references[:_SHOWN], *more])
            yield Fault(f"{place}.path", f"{step.path!r} matches no file of {step.part!r}: {files}")


def _check_path(place: str, path: str) -> Iterator[Fault]:
    try:
        fields = [field for field in Formatter().parse(path) if field[1] is not None]
    except ValueError as error:
        yield Fault(place, f"{path!r}: {error}")
        return
    is_plain = all(
        re.fullmatch(r"[\w-]+", name or "") and _FIELD.fullmatch(form or "") and not conversion
        for _, name, form, conversion in fields
    )
    if not fields or not is_plain:
        yield Fault(place, f"{path!r} must contain columns in braces, as in {{file}} or {{id:05d}}")


def _can_match(path: str, pattern: str) -> bool:
    """Return False if a path with columns in braces can never match a pattern.

    Only the text before the first column and after the last column is compared.
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
    elif ":" in reference and any(map(_is_empty, member.split(":"))):
        yield Fault(place, f"{reference!r} has an empty member after a colon")


def _is_empty(member: str) -> bool:
    """Return whether a name is empty without the `./` and repeated slashes that archives drop."""
    return all(part in {"", "."} for part in member.split("/"))


def _check_figure(
    place: str, figure: str, value: int | tuple[int, ...], split: Split, manifest: Manifest
) -> Iterator[Fault]:
    column, _, kind = figure.rpartition("-")
    if manifest.features is BROKEN or manifest.features.get(column) is BROKEN:
        return
    feature = manifest.features.get(column)
    if feature is None or column in split.without or kind not in {"counts", "sum"}:
        yield Fault(place, "must be <column>-counts or <column>-sum of a column of the split")
    elif kind == "counts":
        yield from _check_counts(place, feature, value, split)
    elif not row_bytes(feature) or not isinstance(value, int):
        yield Fault(place, "must be an integer, the sum of a column of numbers")


def _check_counts(
    place: str, feature: Feature, value: int | tuple[int, ...], split: Split
) -> Iterator[Fault]:
    if not isinstance(feature, LabelFeature) or not isinstance(value, tuple):
        yield Fault(place, "must be a list of counts, one for each class of a label")
    elif len(value) != len(feature.names):
        yield Fault(place, f"has {len(value)} counts for {len(feature.names)} classes")
    elif min(value) < 0:
        yield Fault(place, "must not contain negative counts")
    elif sum(value) > split.rows or (sum(value) < split.rows and not feature.optional):
        yield Fault(place, f"adds up to {short(sum(value))} instead of {split.rows:,} rows")
