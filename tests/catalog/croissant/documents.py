"""Build Croissant documents as other programs write them."""

from typing import Any

from dshub.catalog.croissant.importing import Imported, from_croissant
from dshub.catalog.croissant.vocabulary import CONFORMS, context

SHA = "ab" * 32


def document(**facts: Any) -> dict[str, Any]:
    """Build a Croissant 1.1 document from properties of a dataset."""
    head = {"@context": context("1.1"), "@type": "sc:Dataset", "conformsTo": f"{CONFORMS}1.1"}
    return head | facts


def file(name: str, kind: str, **more: Any) -> dict[str, Any]:
    """Build a file node with a URL and a checksum."""
    url = f"https://data.example/{name}"
    node = {"@type": "cr:FileObject", "@id": name, "contentUrl": url, "encodingFormat": kind}
    return node | {"sha256": SHA} | more


def field(name: str, kind: Any, source: str, *, of: str = "fileObject", **extract: str) -> Any:
    """Build a field that is extracted from a file."""
    place = {of: {"@id": source}, "extract": extract}
    return {"@type": "cr:Field", "@id": f"rows/{name}", "dataType": kind, "source": place}


TABLE = [file("rows.csv", "text/csv", contentSize="1234 B")]


def read(files: list[Any], *fields: Any, **more: Any) -> Imported:
    """Import a document with the given files and one record set."""
    rows = {"@type": "cr:RecordSet", "@id": "rows", "field": list(fields)}
    extra = more.pop("recordSet", [])
    facts = {"name": "Own Set", "distribution": files, "recordSet": [*extra, rows]}
    return from_croissant(document(**facts, **more), source="test")


def notes_of(imported: Imported) -> dict[str, str]:
    """Return the notes on each `@id`, one per line."""
    notes: dict[str, str] = {}
    for note in imported.notes + imported.missing:
        notes[note.id] = f"{notes.get(note.id, '')}\n{note.message}"
    return notes
