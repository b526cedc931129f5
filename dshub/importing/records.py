"""Records in the cache of where the files of an imported layout are."""

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from dshub._validate import Count, Key, Name, PathText, decode, matching
from dshub.cache.files import read_file
from dshub.cache.paths import import_path
from dshub.cache.store import Store
from dshub.catalog.layouts import laid_out
from dshub.catalog.manifest import Layout, Manifest, Resource

if TYPE_CHECKING:
    from dshub.importing.holding import Holding


class ImportRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A split of a dataset that was imported in a layout.

    Attributes:
        name: the dataset's name.
        layout: one of its manifest's.
        split: the split whose rows they are.
        path: the folder or archive; empty if every file has a checksum and is kept like any other.
        prefix: what names in it begin with before those of the layout.
        identity: SHA-256 over names and sizes of the files.
        files: how many.
        size: their bytes.
    """

    schema: Literal[1] = 1
    name: Name
    layout: Key
    split: Key
    path: PathText = ""
    prefix: PathText = ""
    identity: Annotated[str, matching("(?:[0-9a-f]{64})?")] = ""
    files: Count = 0
    size: Count = 0

    def fits(self, name: str, title: str, layout: Layout) -> bool:
        """Tell whether it is about a layout of a dataset, as the manifest defines it now."""
        same = (self.name, self.layout, self.split) == (name, title, layout.split)
        return same and bool(self.path) == bool(self.identity) == bool(layout.local_members)

    def manifest(self, manifest: Manifest) -> Manifest:
        """Return the dataset's manifest as this split of it is read here."""
        local = None
        if self.path:
            title = manifest.layouts[self.layout].title
            local = Resource(filename=title, sha256=self.identity, size=self.size)
        return laid_out(manifest, self.layout, local)


def note_import(
    store: Store, manifest: Manifest, layout: str, holding: "Holding | None" = None
) -> None:
    """Record in the cache that a layout is here; the newest import of a layout counts.

    Raises:
        StoreError: the cache cannot be written.
    """
    split = manifest.layouts[layout].split
    record = ImportRecord(name=manifest.name, layout=layout, split=split)
    if holding is not None:
        record = msgspec.structs.replace(
            record,
            path=str(holding.path),
            prefix=holding.prefix,
            identity=holding.identity,
            files=len(holding.files),
            size=holding.size,
        )
    data = msgspec.json.format(msgspec.json.encode(record), indent=1)
    store.write_text(import_path(manifest.name, layout), data)


def imports(store: Store, manifest: Manifest, split: str | None = None) -> list[ImportRecord]:
    """List the imports of a dataset, or of one split, in the order of the manifest's layouts.

    Records that cannot be read, or are about another layout by now, are ignored.
    """
    records = []
    for name, layout in manifest.layouts.items():
        path = store.find(import_path(manifest.name, name))
        if path is None or split not in {None, layout.split}:
            continue
        try:
            record = decode(read_file(path), ImportRecord)
        except (OSError, ValueError):
            continue
        if record.fits(manifest.name, name, layout):
            records.append(record)
    return records
