"""Citations as BibTeX and CFF, and citations from BibTeX.

Formats: the manual "BibTeXing" of BibTeX 0.99, and "Guide to the Citation File Format schema",
version 1.2.0.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dshub.catalog.manifest import Citation, Manifest
from dshub.display import one_line
from dshub.errors import DshubError


class _Kind(NamedTuple):
    """The words of both formats for a type of citation."""

    venue: str  # field of BibTeX
    cff: str
    cff_venue: str


_KINDS = {
    "article": _Kind("journal", "article", "journal"),
    "incollection": _Kind("booktitle", "generic", "collection-title"),
    "inproceedings": _Kind("booktitle", "conference-paper", "collection-title"),
    "misc": _Kind("howpublished", "generic", "notes"),
    "online": _Kind("howpublished", "website", "notes"),
    "techreport": _Kind("howpublished", "report", "institution"),
}
_VENUE_FIELDS = ("journal", "booktitle", "howpublished", "institution", "publisher")

_COMMANDS = {sign: f"\\{sign}" for sign in "&%$#_"} | {
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "\\": "\\textbackslash{}",
}
_SIGNS = {command.strip("\\{}"): sign for sign, command in _COMMANDS.items()}
_ESCAPES = str.maketrans(_COMMANDS)


def bibtex(citation: Citation) -> str:
    """A citation as a BibTeX entry in UTF-8.

    Characters that TeX reads as commands are escaped, except in URLs. Words such as MNIST are in
    braces, so that no style changes their case.
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
    """A title with braces around words that have capitals after the first letter."""
    if "{" in _balanced(text):
        return _escaped(text)
    return re.sub(r"\S+", lambda match: _word(match[0]), _balanced(text))


def _word(word: str) -> str:
    return f"{{{_escaped(word)}}}" if re.search(r"\w[A-Z]", word) else _escaped(word)


def _author(name: str) -> str:
    """A name, in braces if BibTeX would read it as two."""
    return f"{{{_escaped(name)}}}" if re.search(r"\sand\s", name) else _escaped(name)


def _balanced(text: str) -> str:
    """A text without braces that would end the entry early."""
    depth = 0
    for sign in text:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            break
    return text if depth == 0 else text.replace("{", "").replace("}", "")


_ENTRY = re.compile(r"@\s*(\w+)\s*\{\s*([^\s,{}]+)\s*,")
_FIELD = re.compile(  # a value in braces, which can hold two more levels, in quotes, or bare
    r"\b(\w++)\s*+=\s*+(?:"
    r"\{((?:[^{}]++|\{(?:[^{}]++|\{[^{}]*+\})*+\})*+)\}"
    r'|"([^"]*+)"'
    r'|([^\s,{}"]++))'
)


def citations(text: str) -> Iterator[dict[str, Any]]:
    """The BibTeX entries in a text, each as the fields of a `Citation`.

    Unreadable entries are skipped, braces are removed, and entries of other types become `misc`.
    """
    parts = _ENTRY.split(text)
    for kind, key, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        fields = {match[1].lower(): match[match.lastindex or 0] for match in _FIELD.finditer(body)}
        if {"title", "author"} <= fields.keys():
            yield _citation(kind.lower(), key, fields)


def _citation(kind: str, key: str, fields: Mapping[str, str]) -> dict[str, Any]:
    year = fields.get("year", "")
    is_arxiv = "arxiv" in (fields.get("eprinttype", "") + fields.get("archiveprefix", "")).lower()
    venue = next((fields[name] for name in _VENUE_FIELDS if name in fields), "")
    texts = {
        "venue": venue,
        "doi": fields.get("doi"),
        "url": fields.get("url"),
        "arxiv": fields.get("eprint") if is_arxiv else None,
    }
    return {
        "type": kind if kind in _KINDS else "misc",
        "key": key,
        "title": _plain(fields["title"]),
        "author": [_plain(name) for name in _names(fields["author"])],
        **({"year": int(year)} if re.fullmatch(r"[0-9]{4}", year) else {}),
        **{name: _plain(value) for name, value in texts.items() if value},
    }


def _names(authors: str) -> list[str]:
    """Names separated by "and"; text in braces is one name."""
    names: list[list[str]] = [[]]
    depth = 0
    for word in authors.split():
        if word == "and" and depth == 0:
            names.append([])
        else:
            names[-1].append(word)
        depth += word.count("{") - word.count("}")
    return [" ".join(words) for words in names if words]


def _plain(text: str) -> str:
    """A text without braces and escapes, on one line."""
    text = re.sub(
        r"\\(text[a-z]+|[&%$#_])(\{\})?", lambda match: _SIGNS.get(match[1], match[0]), text
    )
    return " ".join(text.replace("{", "").replace("}", "").split())


_SUFFIXES = {"Jr.", "Sr.", "II", "III", "IV"}


def cff(manifest: Manifest) -> str:
    """A dataset and its papers as a `CITATION.cff`.

    Raises:
        DshubError: the manifest names no authors, which CFF requires.
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
    """Citations of several datasets, as the key `references` of a project's `CITATION.cff`.

    Raises:
        DshubError: a manifest names no authors.
    """
    several = [_reference(item) for manifest in manifests for item in _with_authors(manifest)]
    unique = {json.dumps(reference): reference for reference in several}
    return _yaml({"references": list(unique.values())})


def _with_authors(manifest: Manifest) -> list[Citation]:
    """The citations of a manifest that have authors."""
    citations = [citation for citation in manifest.citations if citation.author]
    if not citations:
        hint = "BibTeX does not need authors: use --format bibtex"
        raise DshubError(f"the manifest of {manifest.identifier} names no authors", hint=hint)
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
    """The parts of a name that is written as `Family, Given` or `Given Family`."""
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
    parts = {"family-names": " ".join(words[at:]), "given-names": " ".join(words[:at])}
    return parts | ({"name-suffix": suffix} if suffix else {})


def _yaml(document: dict[str, Any]) -> str:
    return "\n".join(_lines(document)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    """A value as block YAML, with texts as JSON, which YAML contains."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, dict | list):
                yield f"{key}:"
                yield from (f"  {line}" for line in _lines(item))
            else:
                yield f"{key}: {json.dumps(item, ensure_ascii=False)}"
    elif isinstance(value, list):
        for item in value:
            first, *rest = _lines(item)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield json.dumps(value, ensure_ascii=False)
