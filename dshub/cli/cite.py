"""`dshub cite`: what to cite for datasets."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from dshub.catalog.manifest import Citation, Manifest
from dshub.cli import _screen


@click.command(short_help="What to cite for datasets: BibTeX or CFF.")
@click.argument("names", nargs=-1, required=True, type=_screen.DatasetName())
@click.option(
    "--format",
    "wanted",
    type=click.Choice(["bibtex", "cff", "json"]),
    default="bibtex",
    help="bibtex (default), cff, or json, which is the same as --json.",
)
@_screen.json_option
def command(names: tuple[str, ...], wanted: str, as_json: bool) -> None:
    """Print what the makers of NAMES want cited.

    \b
      dshub cite fashion-mnist >> paper.bib
      dshub cite glue squad
      dshub cite mnist --format cff > CITATION.cff

    Entries have keys of their own. A dataset whose manifest knows no paper is cited by its page.
    Of one dataset, CFF is a whole file; of several, the key `references` for your own.
    """
    from dshub.hub.hub import Hub

    hub = Hub()
    found = hub.resolve(names).manifests
    manifests = list({item.identifier: item for item in found}.values())  # mnist, and mnist@1.0.0
    as_json = as_json or wanted == "json"
    if wanted == "cff" and not as_json:
        _screen.answer(False, {}, lambda: _cff(manifests))  # noqa: FBT003  # this is text
        return
    entries = list(_entries(manifests))
    data = {"citations": [_plain(*entry) for entry in entries]}
    _screen.answer(as_json, data, lambda: "\n\n".join(_text(*entry) for entry in entries))


def _cff(manifests: Sequence[Manifest]) -> str:
    from dshub.catalog.cff import cff, references

    found = cff(manifests[0]) if len(manifests) == 1 else references(manifests)
    return found.rstrip("\n")


Entry = tuple[Citation, list[Manifest]]


def _entries(manifests: Sequence[Manifest]) -> Iterator[Entry]:
    """Each citation once, with a key that no other one has, and the datasets that want it."""
    import msgspec

    wanted: dict[Citation, list[Manifest]] = {}
    for manifest in manifests:
        for citation in manifest.citations or (_page(manifest),):
            wanted.setdefault(citation, []).append(manifest)
    taken: set[str] = set()
    for citation, of in wanted.items():
        key = _free(citation.key, taken)
        taken.add(key.casefold())  # BibTeX takes keys that differ in case for one
        yield msgspec.structs.replace(citation, key=key), of


def _page(manifest: Manifest) -> Citation:
    """The dataset itself, where its manifest knows no paper."""
    return Citation(
        type="misc", key=manifest.name, title=manifest.title, author=(), url=manifest.homepage
    )


def _free(key: str, taken: set[str]) -> str:
    """A key without the signs that BibTeX reserves, with a letter behind it if it is taken."""
    import re

    plain = re.sub(r"[^\w:.+/-]", "-", key)
    for letter in ("", *"bcdefghijklmnopqrstuvwxyz"):
        if f"{plain}{letter}".casefold() not in taken:
            return f"{plain}{letter}"
    return _free(f"{plain}-", taken)


def _plain(citation: Citation, of: Sequence[Manifest]) -> dict[str, Any]:
    import msgspec

    from dshub.catalog.bibtex import bibtex

    fields: dict[str, Any] = msgspec.to_builtins(citation)
    return {"datasets": [item.identifier for item in of], **fields, "bibtex": bibtex(citation)}


def _text(citation: Citation, of: Sequence[Manifest]) -> str:
    """An entry, under a line that says whose it is: BibTeX passes by what is in no entry."""
    from dshub.catalog.bibtex import bibtex

    names = ", ".join(f"{item.name} {item.version}" for item in of)
    return f"% {names}\n{bibtex(citation)}"
