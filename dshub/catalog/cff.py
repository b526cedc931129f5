"""Citations in the Citation File Format, version 1.2.0, a YAML document.

Format: "Guide to the Citation File Format schema", version 1.2.0.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from dshub.catalog.manifest import Citation, Manifest
from dshub.errors import DshubError

_TYPES = {
    "article": "article",
    "incollection": "generic",
    "inproceedings": "conference-paper",
    "misc": "generic",
    "online": "website",
    "techreport": "report",
}
_SUFFIXES = {"Jr.", "Sr.", "II", "III", "IV"}


def cff(manifest: Manifest) -> str:
    """A dataset as a `CITATION.cff`: what it is, and the paper to cite.

    Raises:
        DshubError: its manifest names no authors, without which the format has no citation.
    """
    first, *others = _citations(manifest)
    document: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": "If you use this dataset, please cite it as below.",
        "type": "dataset",
        "title": manifest.title,
        "version": manifest.version,
        "abstract": manifest.summary,
        "url": manifest.homepage,
        "authors": list(map(_person, first.author)),
    }
    if manifest.tags:
        document["keywords"] = list(dict.fromkeys(manifest.tags))
    if re.fullmatch(r"(?!LicenseRef)[A-Za-z0-9.+-]+", manifest.license.spdx or ""):
        document["license"] = manifest.license.spdx
    document["preferred-citation"] = _reference(first)
    if others:
        document["references"] = list(map(_reference, others))
    return _yaml(document)


def references(manifests: Sequence[Manifest]) -> str:
    """What several datasets want cited, as the key `references` of a project's `CITATION.cff`.

    Raises:
        DshubError: the manifest of one names no authors.
    """
    found: dict[str, dict[str, Any]] = {}
    for manifest in manifests:
        for citation in _citations(manifest):
            reference = _reference(citation)
            found.setdefault(json.dumps(reference), reference)
    return _yaml({"references": list(found.values())})


def _citations(manifest: Manifest) -> list[Citation]:
    """Those that have authors, without whom the format has no reference."""
    found = [citation for citation in manifest.citations if citation.author]
    if not found:
        hint = "BibTeX can do without: --format bibtex"
        raise DshubError(f"the manifest of {manifest.identifier} names no authors", hint=hint)
    return found


def _reference(citation: Citation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": _TYPES[citation.type],
        "title": citation.title,
        "authors": list(map(_person, citation.author)),
    }
    if citation.year:
        found["year"] = citation.year
    if citation.venue:
        found |= _venue(citation.type, citation.venue)
    if citation.doi:
        found["doi"] = citation.doi
    if citation.arxiv:
        found["identifiers"] = [{"type": "other", "value": f"arXiv:{citation.arxiv}"}]
    if citation.url:
        found["url"] = citation.url
    return found


def _venue(kind: str, venue: str) -> dict[str, Any]:
    """Where it was published, under the key for its type."""
    if kind == "article":
        return {"journal": venue}
    if kind == "techreport":
        return {"institution": {"name": venue}}
    return {"collection-title" if kind in {"incollection", "inproceedings"} else "notes": venue}


def _person(name: str) -> dict[str, str]:
    """A name as BibTeX writes one, `Family, Given` or `Given Family`, in its parts."""
    family, comma, given = (part.strip() for part in name.partition(","))
    if comma:
        return {"family-names": family, "given-names": given}
    words = name.split()
    suffix = words.pop() if len(words) > 2 and words[-1] in _SUFFIXES else ""
    if len(words) < 2:
        return {"name": name}
    at = len(words) - 1
    while at > 1 and words[at - 1].islower():  # von, van der
        at -= 1
    found = {"family-names": " ".join(words[at:]), "given-names": " ".join(words[:at])}
    return found | ({"name-suffix": suffix} if suffix else {})


def _yaml(document: dict[str, Any]) -> str:
    return "\n".join(_lines(document)) + "\n"


def _lines(table: dict[str, Any]) -> Iterator[str]:
    """A mapping as block YAML; its texts as JSON, which YAML contains."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield f"{key}:"
            yield from (f"  {line}" for line in _lines(value))
        elif isinstance(value, list):
            yield f"{key}:"
            yield from (f"  {line}" for item in value for line in _item(item))
        else:
            yield f"{key}: {json.dumps(value, ensure_ascii=False)}"


def _item(value: Any) -> Iterator[str]:
    """An item of a list."""
    lines = _lines(value) if isinstance(value, dict) else [json.dumps(value, ensure_ascii=False)]
    for i, line in enumerate(lines):
        yield f"{'  ' if i else '- '}{line}"
