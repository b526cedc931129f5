"""Command `dshub croissant`: export and import Croissant documents."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from dshub.cache.paths import blob_path
from dshub.catalog.croissant.exporting import to_croissant
from dshub.catalog.croissant.importing import Imported, read_croissant
from dshub.catalog.croissant.vocabulary import VERSIONS
from dshub.catalog.croissant.writing import to_toml
from dshub.catalog.manifest import Resource
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.cli._readers import reader_faults
from dshub.display import shown_url
from dshub.errors import ManifestError, StoreError
from dshub.hub.hub import Hub


@click.command()
@click.argument("arguments", nargs=-1, metavar="[NAME | PATH...]", type=_screen.DatasetName())
@click.option(
    "--version",
    type=click.Choice(VERSIONS),
    default="1.1",
    show_default=True,
    help="Croissant version.",
)
@click.option("--mirror", metavar="URL", help="Use the URLs of files on this mirror.")
@click.option(
    "--import",
    "document",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Convert this document to a manifest.",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file."
)
@answering
def command(
    arguments: tuple[str, ...],
    version: Any,
    mirror: str | None,
    document: Path | None,
    output: Path | None,
) -> Answer:
    """Convert datasets to or from Croissant.

    \b
      dshub croissant fashion-mnist -o croissant.json
      dshub croissant mnist --version 1.0 --mirror https://mirror.example
      dshub croissant --import croissant.json -o my-data/1.0.0.toml
      dshub croissant --import croissant.json ~/my-data

    --import computes missing checksums, sizes and row counts from files in PATHs, matched by name.
    It prints a note for each part of the document that a manifest cannot represent, and requires
    `pip install 'dshub[croissant]'`.
    """
    if document is not None:
        if mirror:
            raise click.UsageError("--mirror cannot be combined with --import")
        return _import(document, [Path(item) for item in arguments], output)
    if len(arguments) != 1:
        raise click.UsageError("name one dataset, or use --import with a document")
    return _export(arguments[0], version, mirror, output)


def _export(name: str, version: Any, mirror: str | None, output: Path | None) -> Answer:
    if mirror and shown_url(mirror) != mirror:
        raise click.UsageError(
            "--mirror must not contain a password or query, which would be public"
        )
    manifest = Hub().registry.manifest(name)
    faults = list(reader_faults(manifest))
    if faults:
        raise ManifestError(source=name, faults=faults)

    def address(resource: Resource) -> str:
        return f"{(mirror or '').rstrip('/')}/{blob_path(resource.digest)}"

    document = to_croissant(manifest, version=version, address=address if mirror else None)
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return _answer(text, output, {"croissant": document})


def _import(document: Path, paths: list[Path], output: Path | None) -> Answer:
    for path in paths:
        if not path.exists():
            raise click.UsageError(f"{path} does not exist")
    if output is not None and output.exists():
        hint = "remove the file, or choose another name with -o"
        raise StoreError(path=str(output), action="write", reason="the file exists", hint=hint)
    imported = read_croissant(document)
    if paths:
        from dshub.cli._counting import completed

        imported = completed(imported, paths)
    text = to_toml(imported)
    data = {
        "manifest": text,
        "notes": [note._asdict() for note in imported.notes],
        "missing": [note._asdict() for note in imported.missing],
    }
    return _answer(text, output, data, *_notes(imported, output))


def _answer(text: str, output: Path | None, data: dict[str, Any], *notes: str) -> Answer:
    """Return the answer, after writing the text to the output file if there is one."""
    if output is not None:
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
        except OSError as error:
            reason, hint = error.strerror or str(error), "choose another file with -o"
            raise StoreError(path=str(output), action="write", reason=reason, hint=hint) from error
        return Answer({"path": str(output), **data}, notes=notes)
    return Answer(data, text.rstrip("\n"), notes)


def _notes(imported: Imported, output: Path | None) -> Iterator[str]:
    """Yield the notes of the import and the next step."""
    yield from (f"note: {note}" for note in imported.notes)
    yield from (f"missing: {note}" for note in imported.missing)
    yield f"review the manifest, then run `dshub check {output or 'FILE'}` to list its faults"
