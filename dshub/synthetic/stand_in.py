"""From a manifest to raw files of a stand-in, kept in the store, and the manifest of those."""

import hashlib
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from dshub import archives, readers
from dshub.errors import DshubError, ManifestError
from dshub.manifest import License, Manifest, Resource, Split, from_json, to_json
from dshub.store import Store, synthetic_path

REVISION = 1  # raised when the same manifest and seed would give other rows


def stand_in(manifest: Manifest, store: Store, *, rows: int, seed: int = 0) -> Manifest:
    """The manifest of a synthetic stand-in, whose files are in the store when this returns.

    Args:
        manifest: of the dataset to stand in for.
        store: where the files go.
        rows: in each split; a split that has fewer keeps its number.
        seed: another seed, other rows.

    Raises:
        StoreError: the cache cannot be written.
    """
    words = f"{manifest.digest} {rows} {seed} {REVISION}"
    key = hashlib.sha256(words.encode()).hexdigest()[:16]
    known = store.find(synthetic_path(manifest.name, key))
    if known is not None:
        with suppress(ManifestError):  # damaged: it is made again
            made = from_json(known.read_bytes())
            if all(store.blob(item.digest, item.size) for item in made.resources.values()):
                return made
    made = _describe(manifest, rows, seed, _make_files(manifest, store, rows, seed))
    store.write_text(synthetic_path(manifest.name, key), to_json(made))
    return made


def _make_files(manifest: Manifest, store: Store, rows: int, seed: int) -> dict[str, Resource]:
    """Write every resource of the stand-in and move it into the store."""
    made = {}
    with store.scratch() as folder:
        pieces = _write_pieces(manifest, folder, rows, seed)
        for name, resource in manifest.split_resources().items():
            path = folder / f"resource-{name}"
            members = [(member, piece) for owner, member, piece in pieces if owner == name]
            if members[0][0]:
                _container(manifest, resource).write_members(path, members)
            else:
                members[0][1].rename(path)
            size, digest = path.stat().st_size, store.adopt(path)
            made[name] = Resource(filename=resource.name, sha256=digest.hex, size=size)
    return made


def _container(manifest: Manifest, resource: Resource) -> archives.Packing:
    found = archives.container_for(resource.name)
    if found is None:
        raise DshubError(
            f"no stand-in can be made for {manifest.name}: the name {resource.name!r} does not "
            "tell which kind of archive it is",
            hint="give the resource a filename with a known ending, such as .zip",
        )
    return found


def _write_pieces(
    manifest: Manifest, folder: Path, rows: int, seed: int
) -> list[tuple[str, str, Path]]:
    """Resource, member and file of every part of every split."""
    from dshub.synthetic.rows import make  # needs Pillow: not to find a stand-in that is there

    pieces: list[tuple[str, str, Path]] = []
    for split, facts in manifest.splits.items():
        reader = readers.create(facts.reader, place=f"splits.{split}.reader")
        own_seed = zlib.crc32(split.encode()) + (seed << 32)
        count = min(rows, facts.rows)
        batch = make(manifest.split_features(split), manifest.features, count, own_seed)
        with ExitStack() as stack:
            sinks = {}
            for part, reference in facts.files.items():
                resource, _, member = reference.partition(":")
                path = folder / f"piece-{len(pieces)}"
                name = member or manifest.resources[resource].name
                sinks[part] = stack.enter_context(_sink(path, name))
                pieces.append((resource, member, path))
            reader.write(batch, sinks)
    return pieces


@contextmanager
def _sink(path: Path, name: str) -> Iterator[BinaryIO]:
    """A file to write to, compressed as its name tells."""
    compression = archives.stream_for(name)
    with path.open("wb") as file:
        if compression is None:
            yield file
            return
        with compression.write(file) as inside:
            yield inside


def _describe(manifest: Manifest, rows: int, seed: int, resources: dict[str, Resource]) -> Manifest:
    """The stand-in's own manifest, which says everywhere what it is."""
    return msgspec.structs.replace(
        manifest,
        version=f"{manifest.version}+synthetic.{rows}.{seed}",
        title=f"Synthetic stand-in for {manifest.title}",
        summary=f"Made up from the manifest of {manifest.identifier}; no real data in it.",
        resources=resources,
        splits=dict(_splits(manifest, rows)),
        license=License(note="synthetic: made by dshub, no rights attached"),
    )


def _splits(manifest: Manifest, rows: int) -> Iterator[tuple[str, Split]]:
    for name, split in manifest.splits.items():
        yield name, msgspec.structs.replace(split, rows=min(rows, split.rows), figures={})
