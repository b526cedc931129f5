"""Command `dshub cite`: print citations as BibTeX or CFF."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import click
import msgspec

from dshub.catalog.citations import bibtex, cff, references
from dshub.catalog.manifest import Citation, Manifest
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.hub.hub import Hub


@click.command()
@click.argument("names", nargs=-1, required=True, type=_screen.DatasetName())
@click.option(
    "--format",
    "style",
    type=click.Choice(["bibtex", "cff"]),
    default="bibtex",
    show_default=True,
    help="Format of the citations.",
)
@answering
def command(names: tuple[str, ...], style: str) -> Answer:
    """Print citations as BibTeX or CFF.

    \b
      dshub cite fashion-mnist >> paper.bib
      dshub cite glue squad
      dshub cite mnist --format cff > CITATION.cff

    Citation keys are unique. A dataset whose manifest has no citation is cited by its homepage. CFF
    output is a complete file for one dataset, and a `references` section for several.
    """
    resolved = Hub().resolve(names).manifests
    manifests = list({item.identifier: item for item in resolved}.values())
    entries = list(_entries(manifests))
    bibliography = "\n\n".join(_text(*entry) for entry in entries)
    text = _cff(manifests) if style == "cff" else bibliography
    return Answer({"citations": [_plain(*entry) for entry in entries]}, text)


def _cff(manifests: Sequence[Manifest]) -> str:
    text = cff(manifests[0]) if len(manifests) == 1 else references(manifests)
    return text.rstrip("\n")


Entry = tuple[Citation, list[Manifest]]


def _entries(manifests: Sequence[Manifest]) -> Iterator[Entry]:
    """Yield each citation once, with a unique key, and the datasets that it belongs to."""
    cited_by: dict[Citation, list[Manifest]] = {}
    for manifest in manifests:
        for citation in manifest.citations or (_page(manifest),):
            cited_by.setdefault(citation, []).append(manifest)
    taken: set[str] = set()
    for citation, of in cited_by.items():
        key = _free(citation.key, taken)
        taken.add(key.casefold())  # BibTeX keys are case-insensitive
        yield msgspec.structs.replace(citation, key=key), of


def _page(manifest: Manifest) -> Citation:
    """Return a citation of a dataset's homepage."""
    return Citation(
        type="misc", key=manifest.name, title=manifest.title, author=(), url=manifest.homepage
    )


def _free(key: str, taken: set[str]) -> str:
    """Return a valid BibTeX key that is not taken, with a suffix if necessary."""
    plain = re.sub(r"[^\w:.+/-]", "-", key)
    for letter in ("", *"bcdefghijklmnopqrstuvwxyz"):
        if f"{plain}{letter}".casefold() not in taken:
            return f"{plain}{letter}"
    return _free(f"{plain}-", taken)


def _plain(citation: Citation, of: Sequence[Manifest]) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(citation)
    return {"datasets": [item.identifier for item in of], **fields, "bibtex": bibtex(citation)}


def _text(citation: Citation, of: Sequence[Manifest]) -> str:
    """Format a BibTeX entry below a comment with its datasets."""
    names = ", ".join(f"{item.name} {item.version}" for item in of)
    return f"% {names}\n{bibtex(citation)}"
