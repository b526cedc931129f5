"""Record the locations of imported layouts in the cache."""

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from dshub._validate import Count, Key, Name, PathText, decode, matching
from dshub.cache.files import read_file
from dshub.cache.paths import import_path
from dshub.cache.store import Store
from dshub.catalog.manifest import Layout, Manifest, Resource, laid_out

if TYPE_CHECKING:
    from dshub.importing.holding import Holding


class ImportRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a split that was imported in a layout.

    Attributes:
        name: name of the dataset.
        layout: name of the layout in the manifest.
        split: name of the split.
        path: folder or archive with the files; empty if all files have checksums, because the
            cache then keeps them.
        prefix: prefix of the file names in `path`, before the names in the layout.
        identity: SHA-256 of the file names and sizes.
        files: number of files.
        size: total size of the files in bytes.
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
        """Return True if the record matches a layout in the current manifest of the dataset."""
        same = (self.name, self.layout, self.split) == (name, title, layout.split)
        return same and bool(self.path) == bool(self.identity) == bool(layout.local_members)

    def manifest(self, manifest: Manifest) -> Manifest:
        """Return the manifest with the split as it is read from the imported layout."""
        local = None
        if self.path:
            title = manifest.layouts[self.layout].title
            local = Resource(filename=title, sha256=self.identity, size=self.size)
        return laid_out(manifest, self.layout, local)


def note_import(
    store: Store, manifest: Manifest, layout: str, holding: "Holding | None" = None
) -> None:
    """Record an imported layout in the cache, replacing an older record of the layout.

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
    """Return the imports of a dataset or one of its splits, in the order of its layouts.

    Unreadable records and records that do not match the current manifest are ignored.
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
