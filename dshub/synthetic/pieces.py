"""Writing the raw files of a stand-in, in upstream's layout.

The rows of a split are made, its steps undone, and what is left is written by its reader. Splits
whose readers share files (one list for all, told apart by a step) are written together.
"""

import fnmatch
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa

from dshub import archives, formats
from dshub.catalog.manifest import Manifest
from dshub.errors import DshubError
from dshub.synthetic.rows import make
from dshub.synthetic.steps import Aside, Attached, Undone
from dshub.synthetic.steps import undo as undo_steps


def write(manifest: Manifest, folder: Path, *, rows: int, seed: int) -> dict[str, Path]:
    """Write every resource; the file of each, in `folder`.

    Args:
        manifest: of the dataset to stand in for.
        folder: empty.
        rows: in each split; a split that has fewer keeps its number.
        seed: another seed, other rows.
    """
    files = _Files(manifest, folder)
    asides = _Shared(files)
    first = 1
    for group in _groups(manifest, rows, seed):
        first = _write_group(group, files, asides, first)
    asides.write(first)
    return {name: files.resource(name) for name in manifest.split_resources()}


@dataclass
class _Group:
    """Splits whose readers share their files."""

    reader: dict[str, Any]
    parts: dict[str, tuple[str, ...]]
    splits: list[tuple[str, Undone]] = field(default_factory=list)


def _groups(manifest: Manifest, rows: int, seed: int) -> list[_Group]:
    groups: dict[bytes, _Group] = {}
    for name, split in manifest.splits.items():
        reader = formats.create(split.reader, place=f"splits.{name}.reader")
        made = make(
            manifest.split_features(name),
            manifest.features,
            min(rows, split.rows),
            zlib.crc32(name.encode()) + (seed << 32),
            text_labels=reader.text_labels,
        )
        parts = {part: split.references(part) for part in split.reader_parts}
        key = msgspec.json.encode([split.reader, parts], order="sorted")
        group = groups.setdefault(key, _Group(split.reader, parts))
        group.splits.append((name, undo_steps(made, split.steps)))
    return list(groups.values())


def _write_group(group: _Group, files: "_Files", asides: "_Shared", first: int) -> int:
    """Write the files of some splits; the first number that is still free."""
    reader = formats.create(group.reader)
    whole = reader.complete(_together([undone.rows for _, undone in group.splits]), first)
    reader.write(whole, files.outputs(group.parts))
    offset = 0
    for name, undone in group.splits:
        own = whole.slice(offset, undone.rows.num_rows)
        for found in undone.around(own, offset=offset, first=first + offset):
            references = files.manifest.splits[name].references(found.part)
            if isinstance(found, Attached):
                files.attach(references[0], found.member, found.data)
            else:
                asides.add(found, references)
        offset += own.num_rows
    return first + offset


class _Shared:
    """The lists that steps read; several splits may have rows in one."""

    def __init__(self, files: "_Files") -> None:
        self._files = files
        self._found: dict[bytes, list[Aside]] = {}
        self._references: dict[bytes, tuple[str, ...]] = {}

    def add(self, aside: Aside, references: tuple[str, ...]) -> None:
        """Rows of a list."""
        key = msgspec.json.encode([aside.reader, references, aside.number], order="sorted")
        self._found.setdefault(key, []).append(aside)
        self._references[key] = references

    def write(self, first: int) -> None:
        """Write all of them."""
        for key, found in self._found.items():
            reader = formats.create(found[0].reader)
            listed = _together([aside.rows for aside in found])
            rows = reader.complete(_placed(listed, found[0].number), first)
            parts = {found[0].part: self._references[key]}
            reader.write(rows, self._files.outputs(parts))


@dataclass(frozen=True)
class _Output:
    """One part: see `dshub.formats.Output`."""

    files: "_Files"
    references: tuple[str, ...]

    @property
    def members(self) -> Sequence[str]:
        return [reference.partition(":")[2] for reference in self.references]

    @contextmanager
    def create(self, member: str) -> Iterator[BinaryIO]:
        with self.files.create(self._resource(member), member) as sink:
            yield sink

    def _resource(self, member: str) -> str:
        """The first resource that takes such a member and has none of that name yet."""
        fitting = [
            resource
            for resource, _, pattern in (reference.partition(":") for reference in self.references)
            if member == pattern or fnmatch.fnmatchcase(member, pattern)
        ]
        free = (resource for resource in fitting if not self.files.has(resource, member))
        return next(free, fitting[0] if fitting else self.references[0].partition(":")[0])


class _Files:
    """Every file that is written, until all of a resource are there."""

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        self.manifest, self._folder = manifest, folder
        self._pieces: dict[tuple[str, str], Path] = {}

    def outputs(self, parts: Mapping[str, tuple[str, ...]]) -> dict[str, _Output]:
        return {part: _Output(self, references) for part, references in parts.items()}

    def has(self, resource: str, member: str) -> bool:
        """Whether a file was written."""
        return (resource, member) in self._pieces

    def attach(self, reference: str, member: str, data: bytes) -> None:
        with self.create(reference.partition(":")[0], member) as sink:
            sink.write(data)

    @contextmanager
    def create(self, resource: str, member: str) -> Iterator[BinaryIO]:
        """A new file, compressed as its name tells."""
        if (resource, member) in self._pieces:
            raise self._impossible(f"two of its splits write {member or resource!r}")
        path = self._folder / f"piece-{len(self._pieces)}"
        self._pieces[resource, member] = path
        name = member or self.manifest.resources[resource].name
        compression = archives.stream_for(name)
        with path.open("xb") as file:
            if compression is None:
                yield file
                return
            with compression.write(file) as inside:
                yield inside

    def resource(self, name: str) -> Path:
        """The file of a resource: what was written for it, or an archive of that."""
        members = {member: path for (owner, member), path in self._pieces.items() if owner == name}
        if "" in members:
            return members[""]
        return self._packed(members, self.manifest.resources[name].name)

    def _packed(self, members: Mapping[str, Path], name: str) -> Path:
        """An archive; a member `inner:rest` belongs to an archive in it."""
        inner: dict[str, dict[str, Path]] = {}
        packed: dict[str, Path] = {}
        for member, path in members.items():
            archive, colon, rest = member.partition(":")
            if colon:
                inner.setdefault(archive, {})[rest] = path
            else:
                packed[member] = path
        for archive, rests in inner.items():
            packed[archive] = self._packed(rests, archive)
        packing = archives.container_for(name)
        if packing is None:
            raise self._impossible(f"the name {name!r} does not tell which kind of archive it is")
        target = self._folder / f"archive-{len(list(self._folder.glob('archive-*')))}"
        packing.write_members(target, packed.items())
        return target

    def _impossible(self, reason: str) -> DshubError:
        return DshubError(
            f"no stand-in can be made for {self.manifest.name}: {reason}",
            hint="if it is a manifest of yours, give the resource a filename with a known ending, "
            "such as .zip, and each split files of its own",
        )


def _together(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Batches one behind the other; a column that one lacks is empty there."""
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    table = pa.concat_tables(tables, promote_options="default").combine_chunks()
    return table.to_batches()[0] if table.num_rows else batches[0]


def _placed(rows: pa.RecordBatch, number: str) -> pa.RecordBatch:
    """Rows at the places of which one of their columns speaks, from 1; any row fills a gap."""
    if not number:
        return rows
    places = rows.column(number).cast(pa.int64()).to_numpy() - 1
    order = np.zeros(max(places, default=-1) + 1, np.int64)
    order[places] = np.arange(len(places))
    kept = [name for name in rows.schema.names if name != number]
    return rows.select(kept).take(pa.array(order))
