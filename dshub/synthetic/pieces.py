"""Write synthetic files in the layout of the original files.

For each split, generate rows, undo the steps of the split, and write files with its reader. Splits
that read the same files are written together.
"""

import fnmatch
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import pyarrow as pa

from dshub import archives, formats
from dshub.catalog.manifest import Manifest
from dshub.errors import DshubError
from dshub.synthetic.rows import make
from dshub.synthetic.steps import Listed, Undone, undo


def write(manifest: Manifest, folder: Path, *, rows: int) -> dict[str, Path]:
    """Write every resource to a file in `folder`, and return the path of each.

    Args:
        manifest: manifest of the original dataset.
        folder: empty folder.
        rows: maximum number of rows per split.
    """
    files = _Files(manifest, folder)
    groups: dict[bytes, list[tuple[str, Undone]]] = defaultdict(list)
    for name, split in manifest.splits.items():
        reader = formats.create(split.reader, place=f"splits.{name}.reader")
        batch = make(
            manifest.split_features(name),
            manifest.features,
            min(rows, split.rows),
            zlib.crc32(name.encode()),
            text_labels=reader.text_labels,
        )
        key = [split.reader, [(part, split.references(part)) for part in split.reader_parts]]
        groups[msgspec.json.encode(key, order="sorted")].append((name, undo(batch, split.steps)))
    lists: dict[bytes, list[tuple[Listed, _Output]]] = defaultdict(list)
    first = 1
    for group in groups.values():
        for listed, output in _write_group(group, files, first):
            key = [listed.reader, output.references, listed.number]
            lists[msgspec.json.encode(key, order="sorted")].append((listed, output))
        first += sum(undone.rows.num_rows for _, undone in group)
    for shared in lists.values():
        listed, output = shared[0]
        reader = formats.create(listed.reader)
        combined = _placed(_together([each.rows for each, _ in shared]), listed.number)
        reader.write(reader.complete(combined, first), {listed.part: output})
    return {name: files.resource(name) for name in manifest.split_resources()}


def _write_group(
    group: Sequence[tuple[str, Undone]], files: "_Files", first: int
) -> Iterator[tuple[Listed, "_Output"]]:
    """Write splits that share files, and yield the rows of the lists that their steps read.

    Args:
        group: name and rows of each split.
        files: files to write to.
        first: number of the first row.
    """
    splits = files.manifest.splits
    split = splits[group[0][0]]
    reader = formats.create(split.reader)
    combined = reader.complete(_together([undone.rows for _, undone in group]), first)
    outputs = {part: _Output(files, split.references(part)) for part in split.reader_parts}
    reader.write(combined, outputs)
    offset = 0
    for name, undone in group:
        own = combined.slice(offset, undone.rows.num_rows)
        for extra in undone.around(own, offset=offset, first=first + offset):
            output = _Output(files, splits[name].references(extra.part))
            if isinstance(extra, Listed):
                yield extra, output
                continue
            with files.create(output.references[0].partition(":")[0], extra.member) as sink:
                sink.write(extra.data)
        offset += own.num_rows


@dataclass(frozen=True)
class _Output:
    """The output files of one part, an implementation of `dshub.formats.Output`."""

    files: "_Files"
    references: tuple[str, ...]

    @property
    def members(self) -> Sequence[str]:
        return [reference.partition(":")[2] for reference in self.references]

    def create(self, member: str) -> AbstractContextManager[BinaryIO]:
        """Create a file in the first resource that allows the member but lacks it."""
        parts = [reference.partition(":") for reference in self.references]
        fitting = [
            resource
            for resource, _, pattern in parts
            if member == pattern or fnmatch.fnmatchcase(member, pattern)
        ] or [parts[0][0]]
        free = (resource for resource in fitting if (resource, member) not in self.files.pieces)
        return self.files.create(next(free, fitting[0]), member)


class _Files:
    """Files written so far, before they are packed into archives.

    Attributes:
        pieces: file path of each resource and member.
    """

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        self.manifest, self._folder = manifest, folder
        self.pieces: dict[tuple[str, str], Path] = {}

    @contextmanager
    def create(self, resource: str, member: str) -> Iterator[BinaryIO]:
        """Create a file, compressed according to its name."""
        if (resource, member) in self.pieces:
            raise self._impossible(f"two splits write {member or resource!r}")
        path = self._folder / f"piece-{len(self.pieces)}"
        self.pieces[resource, member] = path
        compression = archives.stream_for(member or self.manifest.resources[resource].name)
        with path.open("xb") as file:
            if compression is None:
                yield file
                return
            with compression.write(file) as inside:
                yield inside

    def resource(self, name: str) -> Path:
        """Return the path of a resource, after packing its members if it is an archive."""
        members = {member: path for (owner, member), path in self.pieces.items() if owner == name}
        return members.get("") or self._packed(members, self.manifest.resources[name].name)

    def _packed(self, members: Mapping[str, Path], name: str) -> Path:
        """Pack members into an archive; `inner:name` is a member of an inner archive."""
        inner: dict[str, dict[str, Path]] = defaultdict(dict)
        packed: dict[str, Path] = {}
        for member, path in members.items():
            archive, colon, inner_member = member.partition(":")
            (inner[archive] if colon else packed)[inner_member or archive] = path
        for archive, inner_members in inner.items():
            packed[archive] = self._packed(inner_members, archive)
        packing = archives.container_for(name)
        if packing is None:
            raise self._impossible(f"the name {name!r} has no known archive suffix")
        target = self._folder / f"archive-{len(list(self._folder.glob('archive-*')))}"
        packing.write_members(target, packed.items())
        return target

    def _impossible(self, reason: str) -> DshubError:
        return DshubError(
            f"{self.manifest.name}: cannot create synthetic data: {reason}",
            hint="if you wrote the manifest, give the resource a filename with a known suffix, "
            "such as .zip, and give each split its own files",
        )


def _together(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Concatenate batches, filling missing columns with nulls."""
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    table = pa.concat_tables(tables, promote_options="default").combine_chunks()
    return table.to_batches()[0] if table.num_rows else batches[0]


def _placed(rows: pa.RecordBatch, number: str) -> pa.RecordBatch:
    """Move rows to the 1-based positions in the column `number`; fill gaps with the first row."""
    if not number:
        return rows
    places = rows.column(number).cast(pa.int64()).to_numpy() - 1
    order = np.zeros(max(places, default=-1) + 1, np.int64)
    order[places] = np.arange(len(places))
    return rows.drop_columns([number]).take(pa.array(order))
