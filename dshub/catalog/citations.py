"""Write citations as BibTeX and CFF.

The formats are documented in "BibTeXing", the manual of BibTeX 0.99, and in "Guide to the Citation
File Format schema", version 1.2.0.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dshub.catalog.manifest import Citation, Manifest
from dshub.display import one_line
from dshub.errors import DshubError


class _Kind(NamedTuple):
    """Field names and type names for a type of citation."""

    venue: str  # BibTeX field for the venue
    cff: str  # CFF type
    cff_venue: str  # CFF field for the venue


_KINDS = {
    "article": _Kind("journal", "article", "journal"),
    "incollection": _Kind("booktitle", "generic", "collection-title"),
    "inproceedings": _Kind("booktitle", "conference-paper", "collection-title"),
    "misc": _Kind("howpublished", "generic", "notes"),
    "online": _Kind("howpublished", "website", "notes"),
    "techreport": _Kind("howpublished", "report", "institution"),
}
_ESCAPES = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_"}
    | {"~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "\\": "\\textbackslash{}"}
)


def bibtex(citation: Citation) -> str:
    """Format a citation as a BibTeX entry.

    Special characters of TeX are escaped, except in URLs. Words such as MNIST are in braces, so
    that bibliography styles keep their case.
    """
    fields = {
        "title": _title(citation.title),
        "author": " and ".join(map(_author, citation.author)),
        "year": str(citation.year or ""),
        _KINDS[citation.type].venue: _escaped(citation.venue or ""),
        "doi": citation.doi,
        "eprint": citation.arxiv,
        "eprinttype": "arxiv" if citation.arxiv else None,
        "url": citation.url,
    }
    lines = [f"  {name} = {{{one_line(_balanced(text))}}}" for name, text in fields.items() if text]
    return f"@{citation.type}{{{citation.key},\n" + ",\n".join(lines) + "\n}"


def _escaped(text: str) -> str:
    return _balanced(text).translate(_ESCAPES)


def _title(text: str) -> str:
    """Escape a title, with braces around words that have capitals after the first letter."""
    if "{" in _balanced(text):
        return _escaped(text)
    return re.sub(r"\S+", lambda match: _word(match[0]), _balanced(text))


def _word(word: str) -> str:
    return f"{{{_escaped(word)}}}" if re.search(r"\w[A-Z]", word) else _escaped(word)


def _author(name: str) -> str:
    """Escape a name, with braces if it contains "and", which BibTeX would split."""
    return f"{{{_escaped(name)}}}" if re.search(r"\sand\s", name) else _escaped(name)


def _balanced(text: str) -> str:
    """Remove all braces from text if they are not balanced."""
    depth = 0
    for sign in text:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            break
    return text if depth == 0 else text.replace("{", "").replace("}", "")


_SUFFIXES = {"Jr.", "Sr.", "II", "III", "IV"}


def cff(manifest: Manifest) -> str:
    """Format a dataset and its papers as a `CITATION.cff`.

    Raises:
        DshubError: no citation in the manifest has authors, which CFF requires.
    """
    first, *others = map(_reference, _with_authors(manifest))
    spdx = manifest.license.spdx or ""
    is_listed = re.fullmatch(r"(?!LicenseRef)[A-Za-z0-9.+-]+", spdx)
    document = {
        "cff-version": "1.2.0",
        "message": "If you use this dataset, please cite it as below.",
        "type": "dataset",
        "title": manifest.title,
        "version": manifest.version,
        "abstract": manifest.summary,
        "url": manifest.homepage,
        "authors": first["authors"],
        "keywords": list(dict.fromkeys(manifest.tags)),
        "license": spdx if is_listed else None,
        "preferred-citation": first,
        "references": others,
    }
    return _yaml({key: value for key, value in document.items() if value})


def references(manifests: Sequence[Manifest]) -> str:
    """Format the citations of datasets as the key `references` of a project's `CITATION.cff`.

    Raises:
        DshubError: no citation of one of the datasets has authors.
    """
    citations = [_reference(item) for manifest in manifests for item in _with_authors(manifest)]
    unique = {json.dumps(citation): citation for citation in citations}
    return _yaml({"references": list(unique.values())})


def _with_authors(manifest: Manifest) -> list[Citation]:
    """Return the citations of a manifest that have authors, which CFF requires."""
    citations = [citation for citation in manifest.citations if citation.author]
    if not citations:
        hint = "use --format bibtex, which does not need authors"
        raise DshubError(f"no citation of {manifest.identifier} has authors", hint=hint)
    return citations


def _reference(citation: Citation) -> dict[str, Any]:
    kind = _KINDS[citation.type]
    is_name = kind.cff_venue != "institution" or not citation.venue
    arxiv = {"type": "other", "value": f"arXiv:{citation.arxiv}"}
    fields = {
        "type": kind.cff,
        "title": citation.title,
        "authors": list(map(_person, citation.author)),
        "year": citation.year,
        kind.cff_venue: citation.venue if is_name else {"name": citation.venue},
        "doi": citation.doi,
        "identifiers": [arxiv] if citation.arxiv else None,
        "url": citation.url,
    }
    return {key: value for key, value in fields.items() if value}


def _person(name: str) -> dict[str, str]:
    """Split a name of the form `Family, Given` or `Given Family` into CFF fields."""
    family, comma, given = (part.strip() for part in name.partition(","))
    if comma:
        return {"family-names": family, "given-names": given}
    words = name.split()
    suffix = words.pop() if len(words) > 2 and words[-1] in _SUFFIXES else ""
    if len(words) < 2:
        return {"name": name}
    at = len(words) - 1
    while at > 1 and words[at - 1].islower():  # prefixes such as "van der"
        at -= 1
    parts = {"family-names": " ".join(words[at:]), "given-names": " ".join(words[:at])}
    return parts | ({"name-suffix": suffix} if suffix else {})


def _yaml(document: dict[str, Any]) -> str:
    return "\n".join(_lines(document)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    """Yield the lines of a value in block YAML, with strings in JSON, a subset of YAML."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, dict | list):
                yield f"{key}:"
                yield from (f"  {line}" for line in _lines(item))
            else:
                yield f"{key}: {json.dumps(item, ensure_ascii=False)}"
    elif isinstance(value, list):
        for item in value:
            first, *further = _lines(item)
            yield f"- {first}"
            yield from (f"  {line}" for line in further)
    else:
        yield json.dumps(value, ensure_ascii=False)
