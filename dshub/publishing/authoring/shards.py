"""Outline WebDataset shards, whose columns are the endings of files and the keys of JSON."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from dshub.datasets.media import AUDIO, IMAGES
from dshub.errors import ReadError
from dshub.formats import File
from dshub.formats._texts import inferred
from dshub.formats.webdataset.samples import Sample, samples, split_name, type_of
from dshub.formats.webdataset.samples import decode as decode_file
from dshub.publishing.authoring.outline import Outline, SplitOutline
from dshub.publishing.authoring.survey import Entry, Survey, key, some

_UNSAFE = {"pyd", "pkl", "pickle", "pth", "pt"}
_NAMES = {"cls": "label", "txt": "text"}
_CHUNK = 4096  # samples whose JSON values are compared at once
_MAX_KEYS = 200  # keys of JSON objects that become columns


def find_webdataset(survey: Survey) -> list[Path]:
    """Return the archives that are WebDataset shards; empty unless all archives are.

    The files of a sample are beside each other, and most samples have several files. Class folders
    and folders of splits are not shards.
    """
    shards = [path for path, members in survey.members.items() if _is_shard(members)]
    return shards if len(shards) == len(survey.members) else []


def _is_shard(members: Sequence[str]) -> bool:
    parts = [pair for pair in map(split_name, members) if pair is not None]
    changes = [name for i, (name, _) in enumerate(parts) if not i or parts[i - 1][0] != name]
    if not parts or len(set(changes)) < len(changes):
        return False
    endings = {ending for _, ending in parts}
    folders = {name.rpartition("/")[0] for name in changes}
    has_classes = len(folders) > 1 and "cls" not in endings
    are_numbers = all(name.rpartition("/")[2].isdigit() for name in changes)
    has_values = are_numbers and any(type_of(ending) != "bytes" for ending in endings)
    several = 2 * len(changes) <= len(parts) or (len(endings) > 1 and has_values)
    return not has_classes and (several or (has_values and endings == {"json"}))


@dataclass
class _Seen:
    """Facts about the samples of a split.

    Attributes:
        endings: endings of files, in order.
        together: pairs of endings that a sample has both.
        texts: endings of integers that are text.
        shapes: shapes of the arrays of each ending.
        keys: Arrow type of each key of JSON objects by ending; None if its values differ.
        whole: endings of JSON files that are not objects.
        has_names: whether a key is not a number.
    """

    endings: dict[str, None] = field(default_factory=dict)
    together: set[tuple[str, str]] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    shapes: dict[str, set[tuple[int, ...]]] = field(default_factory=lambda: defaultdict(set))
    keys: dict[str, dict[str, pa.DataType | None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    whole: set[str] = field(default_factory=set)
    has_names: bool = False

    def add(self, chunk: Sequence[Sample]) -> None:
        """Add samples."""
        documents: dict[str, list[Any]] = defaultdict(list)
        for sample in chunk:
            self.has_names |= not sample.key.rpartition("/")[2].isdigit()
            self.endings |= dict.fromkeys(sample.files)
            files = sorted(sample.files)
            self.together.update((a, b) for a in files for b in files if a != b)
            for ending, file in sample.files.items():
                self._add_file(ending, file, documents)
        for ending, values in documents.items():
            self._add_documents(ending, values)

    def _add_file(self, ending: str, file: File, documents: dict[str, list[Any]]) -> None:
        kind = type_of(ending)
        if kind == "array":
            self.shapes[ending].add(decode_file(file, kind).shape)
        elif kind == "json":
            documents[ending].append(decode_file(file, kind))
        elif kind == "integer" and ending not in self.texts:
            try:
                decode_file(file, kind)
            except ReadError:
                self.texts.add(ending)

    def _add_documents(self, ending: str, values: Sequence[Any]) -> None:
        if not all(isinstance(value, dict) for value in values):
            self.whole.add(ending)
            return
        types = self.keys[ending]
        for name in dict.fromkeys(name for value in values for name in value):
            kind = _type_of([value.get(name) for value in values])
            types[name] = _unified(types.get(name, pa.null()), kind)


def _type_of(values: Sequence[Any]) -> pa.DataType | None:
    try:
        return inferred(values, "").type
    except ReadError:
        return None


def _unified(kind: pa.DataType | None, other: pa.DataType | None) -> pa.DataType | None:
    """Return a type that holds the values of both, or None."""
    if kind is None or other is None:
        return None
    schemas = [pa.schema([("", one)]) for one in (kind, other)]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return None


def _chunks(of: Iterable[Sample]) -> Iterator[list[Sample]]:
    chunk: list[Sample] = []
    for sample in of:
        chunk.append(sample)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    yield chunk


def outline_webdataset(splits: Mapping[str, Sequence[Entry]], survey: Survey) -> Outline:
    """Outline WebDataset shards.

    Args:
        splits: an entry for each shard of each split.
        survey: all files.

    Raises:
        ReadError: a sample has two files with one ending, or a file is malformed.
    """
    result, seen = Outline("WebDataset shards"), _Seen()
    members: dict[Path, list[Entry]] = defaultdict(list)
    for entry in survey.entries:
        members[entry.path].append(entry)
    for name, shards in splits.items():
        split = result.splits[name] = SplitOutline({})
        entries = [entry for shard in shards for entry in members[shard.path]]
        split.parts["samples"] = entries
        split.references["samples"] = [(shard.path, "*") for shard in shards]
        for chunk in _chunks(samples(entry.file for entry in entries)):
            seen.add(chunk)
    reader = _webdataset_reader(seen, result.doubts)
    for split in result.splits.values():
        split.reader = reader
    return result


def _webdataset_reader(seen: _Seen, doubts: list[str]) -> dict[str, Any]:
    columns: dict[str, str | list[str]] = {"key": "__key__"} if seen.has_names else {}
    types: dict[str, str] = {}
    shapes: dict[str, list[int]] = {}
    for endings, name in _media(seen):
        columns[key(name, columns)] = endings if len(endings) > 1 else endings[0]
    media = {ending for endings, _ in _media(seen) for ending in endings}
    for ending in (ending for ending in seen.endings if ending not in media):
        if ending.rpartition(".")[2] in _UNSAFE:
            doubts.append(f"files .{ending} are left out: a pickle can run code")
            continue
        if ending in seen.keys and ending not in seen.whole:
            columns |= _of_objects(ending, seen.keys[ending], columns, doubts)
            continue
        column = key(_column_name(ending), columns)
        shape = seen.shapes.get(ending, set())
        if len({len(one) for one in shape}) > 1:
            doubts.append(f"files .{ending} are left out: their arrays differ in number of axes")
            continue
        columns[column] = ending
        if ending in seen.texts:
            types[column] = "text"
        if len(shape) == 1 and (only := next(iter(shape))):
            shapes[column] = list(only)
    given = {"types": types, "shape": shapes}
    options = {name: value for name, value in given.items() if value}
    return {"format": "webdataset", "columns": columns, **options}


def _column_name(ending: str) -> str:
    """Return the column of an ending: `label` for `cls`, and `box` for `box.npy`."""
    stem, _, last = ending.removesuffix(".gz").rpartition(".")
    return stem or _NAMES.get(last, last)


def _media(seen: _Seen) -> list[tuple[list[str], str]]:
    """Return the alternative endings of each column of images or audio."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for ending in seen.endings:
        stem, _, last = ending.rpartition(".")
        for kind, suffixes in (("image", IMAGES), ("audio", AUDIO)):
            if f".{last}" in suffixes:
                groups[kind, stem].append(ending)
    result: list[tuple[list[str], str]] = []
    for (kind, stem), endings in groups.items():
        apart = any((a, b) in seen.together for a in endings for b in endings)
        if apart:
            result += [([ending], ending.replace(".", "_")) for ending in endings]
        else:
            result.append((endings, stem or kind))
    return result


def _of_objects(
    ending: str,
    types: Mapping[str, pa.DataType | None],
    columns: Mapping[str, Any],
    doubts: list[str],
) -> dict[str, str]:
    """Return a column for each key of JSON objects."""
    if len(types) > _MAX_KEYS:
        doubts.append(f"files .{ending} have {len(types):,} keys, and are one column")
        return {key(_column_name(ending), columns): ending}
    found: dict[str, str] = {}
    mixed = [name for name, kind in types.items() if kind is None]
    if mixed:
        doubts.append(
            f"keys of .{ending} are left out, because their values differ in type: {some(mixed)}"
        )
    for name in types:
        if name and name not in mixed:
            found[key(name, {**columns, **found})] = f"{ending}:{name}"
    return found
