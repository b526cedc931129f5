"""`dshub croissant`: a dataset as Croissant, and a Croissant document as a manifest."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dshub.catalog.croissant.vocabulary import VERSIONS
from dshub.cli import _screen
from dshub.display import shown_url
from dshub.errors import ManifestError, StoreError

if TYPE_CHECKING:
    from dshub.catalog.croissant.importing import Imported
    from dshub.catalog.manifest import Resource


@click.command(short_help="Describe a dataset in Croissant, or import a document.")
@click.argument("arguments", nargs=-1, metavar="[NAME | PATH...]", type=_screen.DatasetName())
@click.option("--version", type=click.Choice(VERSIONS), default="1.1", help="Of Croissant.")
@click.option("--mirror", metavar="URL", help="Give files the addresses they have on a mirror.")
@click.option(
    "--import",
    "document",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Make a manifest of this document.",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file."
)
@_screen.json_option
def command(
    arguments: tuple[str, ...],
    version: Any,
    mirror: str | None,
    document: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Describe NAME in Croissant (JSON-LD), or make a manifest of a Croissant document.

    \b
      dshub croissant fashion-mnist -o croissant.json
      dshub croissant mnist --version 1.0 --mirror https://mirror.example
      dshub croissant --import croissant.json -o my-data/1.0.0.toml
      dshub croissant --import croissant.json ~/my-data

    With --import, checksums, sizes and numbers of rows that the document does not tell are taken
    from files among the PATHs, found by name; otherwise they stay out. What was not understood is
    told, each thing with its @id.
    """
    if document is not None:
        if mirror:
            raise click.UsageError("--mirror is for the other direction")
        _import(document, [Path(item) for item in arguments], output, as_json=as_json)
    elif len(arguments) == 1:
        _export(arguments[0], version, mirror, output, as_json=as_json)
    else:
        raise click.UsageError("name one dataset, or a document with --import")


def _export(
    name: str, version: Any, mirror: str | None, output: Path | None, *, as_json: bool
) -> None:
    from dshub.catalog.croissant.exporting import to_croissant
    from dshub.cli._readers import reader_faults
    from dshub.hub.hub import Hub

    if mirror and shown_url(mirror) != mirror:
        raise click.UsageError("--mirror: the document would publish the password or the query")
    manifest = Hub().registry.manifest(name)
    faults = list(reader_faults(manifest))
    if faults:
        raise ManifestError(source=name, faults=faults)
    document = to_croissant(manifest, version=version, address=_address(mirror))
    text = json.dumps(document, indent=1, ensure_ascii=False)
    _answer(text, output, {"croissant": document}, as_json=as_json)


def _address(mirror: str | None) -> "Callable[[Resource], str] | None":
    """Where a mirror has a file."""
    from dshub.cache.paths import blob_path

    if not mirror:
        return None
    return lambda resource: f"{mirror.rstrip('/')}/{blob_path(resource.digest)}"


def _import(document: Path, paths: list[Path], output: Path | None, *, as_json: bool) -> None:
    from dshub.catalog.croissant.importing import read_croissant
    from dshub.catalog.croissant.writing import to_toml

    for path in paths:
        if not path.exists():
            raise click.UsageError(f"there is no {path}")
    if output is not None and output.exists():
        hint = "a manifest is not written over: remove it, or give another name"
        raise StoreError(path=str(output), action="write", reason="it exists", hint=hint)
    imported = read_croissant(document)
    if paths:
        from dshub.cli._counting import completed

        imported = completed(imported, paths)
    text = to_toml(imported)
    told = {"notes": imported.notes, "missing": imported.missing}
    listed = {
        key: [{"id": note.id, "message": note.message} for note in found]
        for key, found in told.items()
    }
    _answer(text, output, {"manifest": text, **listed}, as_json=as_json)
    if not as_json:
        _tell(imported, output)


def _answer(text: str, output: Path | None, data: dict[str, Any], *, as_json: bool) -> None:
    """Write a text to a file, or show it."""
    if output is not None:
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(path=str(output), action="write", reason=reason) from error
        data = {"path": str(output), **data}
    if as_json or output is None:
        _screen.answer(as_json, data, lambda: text.rstrip("\n"))


def _tell(imported: "Imported", output: Path | None) -> None:
    for note in imported.notes:
        _screen.note(f"note: {note}")
    for note in imported.missing:
        _screen.note(f"missing: {note}")
    shown = output or "FILE"
    _screen.note(f"look it through, then `dshub check {shown}` tells what it still lacks")
