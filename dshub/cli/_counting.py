"""What files that are here say of an imported manifest: checksums, sizes, numbers of rows."""

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
from dshub.publishing.pinning import file_name
from dshub.tables.building import rows_of


def completed(imported: Imported, paths: Sequence[Path]) -> Imported:
    """The same with what files say that are found by their names; told facts are not replaced.

    Raises:
        StoreError: a file cannot be read.
    """
    content = copy.deepcopy(imported.content)
    names = {key: file_name(item) for key, item in content["resources"].items()}
    files = _local.found(names, paths)
    wrong = list(_pin(content["resources"], names, paths))
    for note in wrong:
        files.pop(note.id)
    counted = _count(replace(imported, content=content), files)
    return Imported(content, (*imported.notes, *wrong, *counted))


def _pin(
    resources: dict[str, dict[str, Any]], names: dict[str, str], paths: Sequence[Path]
) -> Iterator[Note]:
    """Write checksums and sizes that are not told; yields what is another file than was told."""
    found = _local.found(names, paths)
    for key, facts in _local.measured(names, paths):
        resource = resources[key]
        told = resource.get("sha256", facts.sha256), resource.get("size", facts.size)
        right = told == (facts.sha256, facts.size)
        if right and "sha256" not in resource and "md5" in resource:
            with found[key].open("rb") as file:
                right = hashlib.file_digest(file, "md5").hexdigest() == resource["md5"]
        if not right:
            yield Note(key, f"{found[key]} is another file: its checksum or size is not that told")
            continue
        resource |= {"sha256": facts.sha256, "size": facts.size}
        if facts.chunks:
            resource["chunks"] = list(facts.chunks)


def _count(imported: Imported, files: dict[str, Path]) -> Iterator[Note]:
    """Write the number of rows of each split that lacks it and whose files are here."""
    splits = imported.content["splits"]
    missing = [key for key, split in splits.items() if "rows" not in split]
    if not missing:
        return
    try:
        manifest = _provisional(imported)
    except ManifestError as error:
        told = "; ".join(str(fault) for fault in error.faults)
        yield from (Note(key, f"its rows cannot be counted yet: {told}") for key in missing)
        return
    for key in missing:
        absent = [name for name in manifest.split_resources((key,)) if name not in files]
        if absent:
            names = ", ".join(manifest.resources[name].name for name in absent)
            yield Note(key, f"its rows were not counted, for a file is not here: {names}")
            continue
        try:
            splits[key] = {"rows": _rows(manifest, key, files), **splits[key]}
        except DshubError as error:
            yield Note(key, f"its rows could not be counted: {error}")


def _provisional(imported: Imported) -> Manifest:
    """A manifest that can be read with, whatever number of rows it says."""
    content = copy.deepcopy(imported.content)
    for split in content["splits"].values():
        split.setdefault("rows", 1)
    used = {reference.partition(":")[0] for reference in _references(content)}
    resources = content["resources"]
    nothing = {"sha256": "0" * 64}  # for the check; such a file is not here, and is not read
    content["resources"] = {key: nothing | resources[key] for key in resources if key in used}
    required = {"name": "x", "version": "0.0.0", "title": "", "summary": "", "homepage": ""}
    return parse(to_toml(replace(imported, content=required | content)), source="the manifest")


def _references(content: dict[str, Any]) -> Iterator[str]:
    for split in content["splits"].values():
        for item in split.get("files", {}).values():
            yield from [item] if isinstance(item, str) else item


def _rows(manifest: Manifest, split: str, files: dict[str, Path]) -> int:
    return sum(batch.num_rows for batch in rows_of(manifest, split, files))
