"""Write synthetic raw files in the layout of the original ones.

Make the rows of a split, undo its steps, and have its reader write the rest. Splits that steps
select from the same files are written together.
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
    """Write every resource; returns the file of each, in `folder`.

    Args:
        manifest: of the original dataset.
        folder: empty.
        rows: of each split; smaller splits keep their size.
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
        whole = _placed(_together([each.rows for each, _ in shared]), listed.number)
        reader.write(reader.complete(whole, first), {listed.part: output})
    return {name: files.resource(name) for name in manifest.split_resources()}


def _write_group(
    group: Sequence[tuple[str, Undone]], files: "_Files", first: int
) -> Iterator[tuple[Listed, "_Output"]]:
    """Write splits that share files; yields the rows of the lists that steps read.

    Args:
        first: the number of the first row; later rows count on.
    """
    splits = files.manifest.splits
    split = splits[group[0][0]]
    reader = formats.create(split.reader)
    whole = reader.complete(_together([undone.rows for _, undone in group]), first)
    outputs = {part: _Output(files, split.references(part)) for part in split.reader_parts}
    reader.write(whole, outputs)
    offset = 0
    for name, undone in group:
        own = whole.slice(offset, undone.rows.num_rows)
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
    """The files of a part; see `dshub.formats.Output`."""

    files: "_Files"
    references: tuple[str, ...]

    @property
    def members(self) -> Sequence[str]:
        return [reference.partition(":")[2] for reference in self.references]

    def create(self, member: str) -> AbstractContextManager[BinaryIO]:
        """Create a file in the first resource that takes the member and does not have it yet."""
        parts = [reference.partition(":") for reference in self.references]
        fitting = [
            resource
            for resource, _, pattern in parts
            if member == pattern or fnmatch.fnmatchcase(member, pattern)
        ] or [parts[0][0]]
        free = (resource for resource in fitting if (resource, member) not in self.files.pieces)
        return self.files.create(next(free, fitting[0]), member)


class _Files:
    """The files written so far, until all of a resource exist.

    Attributes:
        pieces: the file of each resource and member.
    """

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        self.manifest, self._folder = manifest, folder
        self.pieces: dict[tuple[str, str], Path] = {}

    @contextmanager
    def create(self, resource: str, member: str) -> Iterator[BinaryIO]:
        """Create a file, compressed according to its name."""
        if (resource, member) in self.pieces:
            raise self._impossible(f"two of its splits write {member or resource!r}")
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
        """Return the file of a resource, or an archive of its members."""
        members = {member: path for (owner, member), path in self.pieces.items() if owner == name}
        return members.get("") or self._packed(members, self.manifest.resources[name].name)

    def _packed(self, members: Mapping[str, Path], name: str) -> Path:
        """Pack an archive; a member `inner:rest` belongs to an archive inside it."""
        inner: dict[str, dict[str, Path]] = defaultdict(dict)
        packed: dict[str, Path] = {}
        for member, path in members.items():
            archive, colon, rest = member.partition(":")
            (inner[archive] if colon else packed)[rest or archive] = path
        for archive, rests in inner.items():
            packed[archive] = self._packed(rests, archive)
        packing = archives.container_for(name)
        if packing is None:
            raise self._impossible(f"the name {name!r} does not tell the kind of the archive")
        target = self._folder / f"archive-{len(list(self._folder.glob('archive-*')))}"
        packing.write_members(target, packed.items())
        return target

    def _impossible(self, reason: str) -> DshubError:
        return DshubError(
            f"{self.manifest.name}: synthetic data are not possible: {reason}",
            hint="if you wrote the manifest, give the resource a filename with a known suffix, "
            "such as .zip, and each split its own files",
        )


def _together(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Concatenate batches; missing columns are filled with nulls."""
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    table = pa.concat_tables(tables, promote_options="default").combine_chunks()
    return table.to_batches()[0] if table.num_rows else batches[0]


def _placed(rows: pa.RecordBatch, number: str) -> pa.RecordBatch:
    """Move rows to the places, from 1, that a column gives; any row fills a gap."""
    if not number:
        return rows
    places = rows.column(number).cast(pa.int64()).to_numpy() - 1
    order = np.zeros(max(places, default=-1) + 1, np.int64)
    order[places] = np.arange(len(places))
    return rows.drop_columns([number]).take(pa.array(order))
