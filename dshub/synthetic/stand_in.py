"""From a manifest to raw files of a stand-in, kept in the store, and the manifest of those."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from dshub.cache.files import read_file
from dshub.cache.paths import synthetic_path
from dshub.cache.store import Store
from dshub.catalog.manifest import License, Manifest, Resource, Split
from dshub.catalog.parsing import from_json, to_json
from dshub.errors import ManifestError

REVISION = 2  # raised when the same manifest and seed would give other rows


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
        with suppress(ManifestError, OSError):  # damaged: it is made again
            made = from_json(read_file(known))
            if all(store.blob(item.digest, item.size) for item in made.resources.values()):
                return made
    made = _describe(manifest, rows, seed, _make_files(manifest, store, rows, seed))
    store.write_text(synthetic_path(manifest.name, key), to_json(made))
    return made


def _make_files(manifest: Manifest, store: Store, rows: int, seed: int) -> dict[str, Resource]:
    """Write every resource of the stand-in and move it into the store."""
    made = {}
    with store.scratch() as folder:
        from dshub.synthetic.pieces import write  # needs Pillow: not to find what is there

        for name, path in write(manifest, folder, rows=rows, seed=seed).items():
            size, digest = path.stat().st_size, store.adopt(path)
            filename = manifest.resources[name].name
            made[name] = Resource(filename=filename, sha256=digest.hex, size=size)
    return made


def _describe(manifest: Manifest, rows: int, seed: int, resources: dict[str, Resource]) -> Manifest:
    """The stand-in's own manifest, which says everywhere what it is."""
    return msgspec.structs.replace(
        manifest,
        version=f"{manifest.version}+synthetic.{rows}.{seed}",
        title=f"Synthetic stand-in for {manifest.title}",
        summary=f"Made up from the manifest of {manifest.identifier}; no real data in it.",
        resources=resources,
        layouts={},  # those are ways to the real rows
        splits=dict(_splits(manifest, rows)),
        license=License(note="synthetic: made by dshub, no rights attached"),
    )


def _splits(manifest: Manifest, rows: int) -> Iterator[tuple[str, Split]]:
    for name, split in manifest.splits.items():
        yield name, msgspec.structs.replace(split, rows=min(rows, split.rows), figures={})
