"""Layouts: read a split of a manifest from another form of its files."""

from collections import ChainMap
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from dshub.catalog.faults import BROKEN, Fault
from dshub.catalog.manifest import LOCAL, Layout, Manifest, Resource, Split
from dshub.catalog.split_checks import check_reading


def laid_out(manifest: Manifest, layout: str, local: Resource | None = None) -> Manifest:
    """The manifest with one split only, read in a layout.

    Args:
        manifest: one that has the layout.
        layout: its name.
        local: the resource for files without checksums, if the layout needs some.
    """
    chosen = manifest.layouts[layout]
    split = _changed(manifest.splits[chosen.split], chosen, layout)
    whole = msgspec.structs.replace(
        manifest,
        splits={chosen.split: split},
        resources=manifest.resources | chosen.resources | ({LOCAL: local} if local else {}),
        layouts={layout: chosen},
    )
    return msgspec.structs.replace(whole, resources=whole.split_resources())


def _changed(split: Split, layout: Layout, name: str = "") -> Split:
    """A split with the reader, files and steps of a layout."""
    return msgspec.structs.replace(
        split, reader=layout.reader, files=layout.files, steps=layout.steps, layout=name
    )


def check_layout(place: str, layout: Layout, manifest: Manifest) -> Iterator[Fault]:
    """Every fault of a layout, without those of single resources."""
    if BROKEN in (manifest.splits, manifest.resources):
        return
    split = manifest.splits.get(layout.split)
    if split is None:
        yield Fault(f"{place}.split", f"{layout.split!r} is not among the splits")
    elif split is not BROKEN:
        yield from _check_files(place, layout, _changed(split, layout), manifest)


def _check_files(place: str, layout: Layout, split: Split, manifest: Manifest) -> Iterator[Fault]:
    for name in layout.resources:
        if name == LOCAL or name in manifest.resources:
            yield Fault(f"{place}.resources.{name}", "is the name of another file")
    known = cast("Any", ChainMap({LOCAL: Resource()}, layout.resources, manifest.resources))
    yield from check_reading(place, split, msgspec.structs.replace(manifest, resources=known))
    if any(LOCAL in split.references(part) for part in split.files):
        yield Fault(f"{place}.files", f"{LOCAL!r} is not a file: name members after a colon")
    if not layout.local_members and not layout.resources:
        yield Fault(f"{place}.files", "are those of the manifest: nothing distinguishes the layout")
