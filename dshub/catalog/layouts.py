"""A manifest whose splits are read in another layout, and what must hold of layouts."""

from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from dshub.catalog.faults import BROKEN, Fault
from dshub.catalog.manifest import LOCAL, Layout, Manifest, Resource, Split
from dshub.catalog.split_checks import check_reading


def laid_out(manifest: Manifest, layout: str, local: Resource | None = None) -> Manifest:
    """The manifest with one split only, as it is read in a layout.

    Args:
        manifest: one that has the layout.
        layout: its name.
        local: what stands for the files without a checksum of their own, where it wants some.
    """
    chosen = manifest.layouts[layout]
    split = msgspec.structs.replace(
        manifest.splits[chosen.split],
        reader=chosen.reader,
        files=chosen.files,
        steps=chosen.steps,
        layout=layout,
    )
    resources = {**manifest.resources, **chosen.resources}
    if local is not None:
        resources[LOCAL] = local
    return msgspec.structs.replace(
        manifest,
        splits={chosen.split: split},
        resources=_used(split.files, resources),
        layouts={layout: chosen},
    )


def _used(
    files: Mapping[str, str | tuple[str, ...]], resources: Mapping[str, Resource]
) -> dict[str, Resource]:
    references = [
        reference
        for given in files.values()
        for reference in ((given,) if isinstance(given, str) else given)
    ]
    names = {reference.partition(":")[0] for reference in references}
    return {name: item for name, item in resources.items() if name in names}


def check_layout(place: str, layout: Layout, manifest: Manifest) -> Iterator[Fault]:
    """Every fault of a layout, but for those of its resources by themselves."""
    if BROKEN in (manifest.splits, manifest.resources, layout.resources):
        return
    split = manifest.splits.get(layout.split)
    if split is None:
        yield Fault(f"{place}.split", f"{layout.split!r} is not among the splits")
    elif split is not BROKEN:
        yield from _check_files(place, layout, split, manifest)


def _check_files(place: str, layout: Layout, split: Split, manifest: Manifest) -> Iterator[Fault]:
    for name in layout.resources:
        if name == LOCAL or name in manifest.resources:
            yield Fault(f"{place}.resources.{name}", "is the name of another file")
    read = msgspec.structs.replace(
        split, reader=layout.reader, files=layout.files, steps=layout.steps
    )
    known = cast("Any", ChainMap({LOCAL: Resource()}, layout.resources, manifest.resources))
    whole = msgspec.structs.replace(manifest, resources=known)
    yield from check_reading(place, read, whole)
    for reference in (item for part in layout.files for item in read.references(part)):
        if reference == LOCAL:
            yield Fault(f"{place}.files", f"{LOCAL!r} is no file: name members behind a colon")
    if not layout.local_members and not layout.resources:
        yield Fault(f"{place}.files", "are those of the manifest: nothing tells the layout")
