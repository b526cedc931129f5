"""Add checksums, sizes and row counts from local files to an imported manifest."""

import copy
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dshub.catalog.croissant.importing import Imported
from dshub.catalog.croissant.reading import Note
from dshub.catalog.croissant.writing import to_toml
from dshub.catalog.manifest import Manifest
from dshub.catalog.parsing import parse
from dshub.cli import _local
from dshub.errors import DshubError, ManifestError
from dshub.publishing.measuring import file_name
from dshub.tables.building import rows_of


def completed(imported: Imported, paths: Sequence[Path]) -> Imported:
    """Add missing checksums, sizes and row counts from local files, matched by name.

    Raises:
        StoreError: a file cannot be read.
    """
    content = copy.deepcopy(imported.content)
    names = {key: file_name(item) for key, item in content["resources"].items()}
    files = _local.find(names, paths)
    wrong = list(_add_checksums(content["resources"], files))
    for note in wrong:
        files.pop(note.id)
    counted = _count(replace(imported, content=content), files)
    return Imported(content, (*imported.notes, *wrong, *counted))


def _add_checksums(resources: dict[str, dict[str, Any]], files: dict[str, Path]) -> Iterator[Note]:
    """Add checksums and sizes, and yield a note for each file that differs from the manifest."""
    for key, path in files.items():
        resource, facts = resources[key], _local.measure(path)
        added = {"sha256": facts.sha256, "size": facts.size}
        stated = {name: resource[name] for name in added if name in resource}
        if "sha256" not in stated and "md5" in resource:
            stated["md5"] = resource["md5"]
            with path.open("rb") as file:
                added["md5"] = hashlib.file_digest(file, "md5").hexdigest()
        if added | stated != added:
            yield Note(key, f"the checksum or size of {path} differs from the document")
            continue
        resource |= added | ({"chunks": list(facts.chunks)} if facts.chunks else {})


def _count(imported: Imported, files: dict[str, Path]) -> Iterator[Note]:
    """Add missing row counts of splits, and yield a note for each split that cannot be read."""
    splits = imported.content["splits"]
    missing = [key for key, split in splits.items() if "rows" not in split]
    if not missing:
        return
    try:
        manifest = _provisional(imported)
    except ManifestError as error:
        faults = "; ".join(str(fault) for fault in error.faults)
        yield from (Note(key, f"rows cannot be counted: {faults}") for key in missing)
        return
    for key in missing:
        absent = [name for name in manifest.split_resources((key,)) if name not in files]
        if absent:
            names = ", ".join(manifest.resources[name].name for name in absent)
            yield Note(key, f"rows were not counted, because files are missing: {names}")
            continue
        try:
            rows = sum(batch.num_rows for batch in rows_of(manifest, key, files))
        except DshubError as error:
            yield Note(key, f"rows could not be counted: {error}")
        else:
            splits[key] = {"rows": rows, **splits[key]}


def _provisional(imported: Imported) -> Manifest:
    """Return the manifest with placeholders for missing fields, so that splits can be read."""
    content = copy.deepcopy(imported.content)
    for split in content["splits"].values():
        split.setdefault("rows", 1)
    used = {reference.partition(":")[0] for reference in _references(content)}
    resources = content["resources"]
    placeholder = {"sha256": "0" * 64}  # files without a checksum are not read
    content["resources"] = {key: placeholder | resources[key] for key in resources if key in used}
    required = {"name": "x", "version": "0.0.0", "title": "", "summary": "", "homepage": ""}
    return parse(to_toml(replace(imported, content=required | content)), source="the manifest")


def _references(content: dict[str, Any]) -> Iterator[str]:
    for split in content["splits"].values():
        for item in split.get("files", {}).values():
            yield from [item] if isinstance(item, str) else item
