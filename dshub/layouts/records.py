"""Where the files of an imported layout are: a small record in the cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from dshub.errors import StoreError
from dshub.layouts.holding import Holding, LocalFiles
from dshub.layouts.places import open_place
from dshub.layouts.recognition import hold
from dshub.manifest import Layout, Manifest, Resource, laid_out
from dshub.progress import size
from dshub.store import Store, import_path, remove
from dshub.untrusted import Count, Key, Name, PathText, decode, matching

_AGAIN = "`dshub import` it again, so that it is looked at anew"


class ImportRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A split of a dataset that was imported in a layout.

    Attributes:
        name: of the dataset.
        layout: one of its manifest's.
        split: whose rows they are.
        path: the folder or archive; empty where every file has a checksum and is kept like any
            other.
        prefix: what names in it begin with before those of the layout.
        identity: SHA-256 over names and sizes of the files.
        files: how many.
        size: bytes of them.
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
        """Whether it speaks of a layout of a dataset, as its manifest has it now."""
        same = (self.name, self.layout, self.split) == (name, title, layout.split)
        return same and bool(self.path) == bool(self.identity) == bool(layout.local_members)

    def manifest(self, manifest: Manifest) -> Manifest:
        """The dataset's manifest as this split of it is read here."""
        local = None
        if self.path:
            title = manifest.layouts[self.layout].title
            local = Resource(filename=title, sha256=self.identity, size=self.size)
        return laid_out(manifest, self.layout, local)


def keep(store: Store, manifest: Manifest, layout: str, holding: Holding | None) -> ImportRecord:
    """Note in the cache that a layout is here; the newest import of a layout counts.

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
    return record


def imports(store: Store, manifest: Manifest, split: str | None = None) -> list[ImportRecord]:
    """What was imported of a dataset, or of one split, in the order of the manifest's layouts.

    A record that cannot be read, or speaks of another layout by now, is passed over.
    """
    found = []
    for name, layout in manifest.layouts.items():
        path = store.find(import_path(manifest.name, name))
        if path is None or split not in {None, layout.split}:
            continue
        try:
            record = decode(path.read_bytes(), ImportRecord)
        except (OSError, ValueError):
            continue
        if record.fits(manifest.name, name, layout):
            found.append(record)
    return found


def forget(store: Store, record: ImportRecord) -> None:
    """Remove the note; what it speaks of stays."""
    path = store.root / import_path(record.name, record.layout)
    if path.is_file():
        remove(store.root, path)


@contextmanager
def opened(record: ImportRecord, manifest: Manifest) -> Iterator[LocalFiles]:
    """The files that a record speaks of, for as long as the context is entered.

    Raises:
        StoreError: they are gone, or are not those that were imported.
        ReadError, UnsafeArchiveError: an archive cannot be read any more.
    """
    with open_place(Path(record.path)) as place:
        holding = hold(record.layout, manifest.layouts[record.layout], place, record.prefix)
        if holding.identity != record.identity:
            told = f"{len(holding.files):,} files, {size(holding.size)}"
            before = f"{record.files:,} files, {size(record.size)}"
            reason = f"it has changed since it was imported: {told}, where there were {before}"
            if told == before:
                reason = "it has changed since it was imported: other names or sizes of files"
            raise StoreError(path=record.path, action="use", reason=reason, hint=_AGAIN)
        yield LocalFiles(holding, place)


def check(record: ImportRecord, manifest: Manifest) -> None:
    """Whether the files are still there, by names and sizes; raises as `opened`."""
    with opened(record, manifest):
        pass
