"""Build the rows of a manifest from its raw files with loops and the standard library."""

import bz2
import fnmatch
import gzip
import importlib
import io
import lzma
import math
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from dshub.catalog.features import Feature, LabelFeature, ListFeature, NumberFeature
from dshub.catalog.manifest import (
    Attach,
    Drop,
    Join,
    Keep,
    Manifest,
    Map,
    Match,
    Number,
    Rename,
    Split,
    Stack,
    Step,
)
from tests.independent import zstd

Member = tuple[str, bytes]
Row = dict[str, Any]

_STREAMS: list[tuple[bytes, Callable[[bytes], bytes]]] = [
    (b"\x1f\x8b", gzip.decompress),
    (b"BZh", bz2.decompress),
    (b"\xfd7zXZ", lzma.decompress),
    (b"\x28\xb5\x2f\xfd", zstd.decompress),
]


def split_rows(manifest: Manifest, split: str, raw: Mapping[str, bytes]) -> list[Row]:
    """Return the rows of a split.

    Args:
        manifest: manifest of the dataset.
        split: name of the split.
        raw: bytes of each resource.
    """
    facts = manifest.splits[split]
    files = {part: _files(facts, part, raw) for part in facts.files}
    rows = _read(facts.reader, {part: files[part] for part in facts.reader_parts})
    for step in facts.steps:
        rows = list(_stepped(rows, step, files))
    features = manifest.split_features(split)
    return [{name: _value(row[name], item) for name, item in features.items()} for row in rows]


def _files(split: Split, part: str, raw: Mapping[str, bytes]) -> list[Member]:
    files: list[Member] = []
    for reference in split.references(part):
        resource, *members = reference.split(":")
        files += _members(plain(raw[resource]), members)
    return files


def _members(data: bytes, patterns: list[str]) -> list[Member]:
    if not patterns:
        return [("", data)]
    pattern, *inner_patterns = patterns
    members: list[Member] = []
    for name, content in archive(data):
        if name == pattern or fnmatch.fnmatchcase(name, pattern):
            inner = _members(plain(content), inner_patterns)
            members += [(f"{name}:{below}" if below else name, bytes_) for below, bytes_ in inner]
    return members


def plain(data: bytes) -> bytes:
    """Decompress bytes if they start with the signature of a compressed stream."""
    for magic, decompress in _STREAMS:
        if data.startswith(magic):
            return decompress(data)
    return data


def archive(data: bytes) -> Iterator[Member]:
    """Yield the files of an archive, sorted by name for a zip and in stored order for a tar."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as zipped:
            for name in sorted(zipped.namelist()):
                if not name.endswith("/"):
                    yield name, zipped.read(name)
        return
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for entry in tar:
            stream = tar.extractfile(entry) if entry.isfile() else None
            if stream is not None:
                yield entry.name.removeprefix("./"), stream.read()


def _read(reader: Mapping[str, Any], files: dict[str, list[Member]]) -> list[Row]:
    options = {name: value for name, value in reader.items() if name != "format"}
    module = importlib.import_module(f"tests.independent.{reader['format']}")
    columns: dict[str, list[Any]] = module.read(files, options)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _stepped(  # noqa: C901, PLR0912  # one case per step
    rows: list[Row], step: Step, files: Mapping[str, list[Member]]
) -> Iterator[Row]:
    match step:
        case Rename():
            for row in rows:
                yield {step.columns.get(name, name): value for name, value in row.items()}
        case Map():
            for row in rows:
                old = _text(row[step.column])
                yield row | {step.column: step.values.get(old, old)}
        case Keep():
            yield from (row for row in rows if _text(row[step.column]) in step.values)
        case Drop():
            yield from (row for row in rows if _text(row[step.column]) not in step.values)
        case Number():
            yield from ({**row, step.column: i} for i, row in enumerate(rows, step.first))
        case Match():
            listed = [
                _key(row, step.on) for row in _read(step.reader, {step.part: files[step.part]})
            ]
            yield from (row for row in rows if (_key(row, step.on) in listed) == step.keep)
        case Join():
            joined = _read(step.reader, {step.part: files[step.part]})
            if step.number:
                joined = [row | {step.number: i} for i, row in enumerate(joined, 1)]
            partners = {_key(row, step.on): row for row in joined}
            for row in rows:
                partner = partners[_key(row, step.on)]
                yield row | {name: partner[name] for name in step.columns}
        case Stack():
            for row in rows:
                values = [np.dtype(step.dtype).type(row.pop(name)) for name in step.columns]
                yield row | {step.column: np.array(values).reshape(step.shape or -1)}
        case Attach():
            contents = dict(files[step.part])
            for row in rows:
                yield row | {step.column: contents[step.path.format(**row)]}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key(row: Row, on: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_text(row[name]) for name in on)


def _value(value: Any, feature: Feature) -> Any:
    match feature:
        case LabelFeature() if isinstance(value, str):
            return _class(value, feature)
        case LabelFeature():
            return int(value) - (0 if isinstance(value, bool) else feature.first)
        case NumberFeature() if isinstance(value, str):
            if value in feature.missing:
                return math.nan
            return float(value) if feature.dtype.startswith("float") else int(value)
        case ListFeature():
            return [_value(item, feature.of) for item in value]
        case _:
            return value


def _class(text: str, feature: LabelFeature) -> int:
    if text in (feature.codes or feature.names):
        return (feature.codes or feature.names).index(text)
    return int(text) - feature.first
