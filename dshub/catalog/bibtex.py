"""Citations as BibTeX, and back. Format: the manual "BibTeXing" of BibTeX 0.99."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import msgspec

from dshub.catalog.manifest import Citation
from dshub.display import one_line

_TYPES = get_args(msgspec.structs.fields(Citation)[0].type)
_VENUES = {"article": "journal", "inproceedings": "booktitle", "incollection": "booktitle"}
_VENUE_FIELDS = ("journal", "booktitle", "howpublished", "institution", "publisher")
_FIELDS = ("title", "author", "year", "doi", "eprint", "url", *_VENUE_FIELDS)
_ENTRY = re.compile(r"@\s*(\w+)\s*\{\s*([^\s,{}]+)\s*,")
_FIELD = re.compile(r"\s*+,?\s*+(\w++)\s*+=\s*+")
_BARE = re.compile(r"[^\s,{}]+")


_SIGNS = {sign: f"\\{sign}" for sign in "&%$#_"} | {
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "\\": "\\textbackslash{}",
}
_CAPITALS = re.compile(r"(?<=\w)[A-Z]")  # behind a word's first letter


def bibtex(citation: Citation) -> str:
    """A citation as one entry, in UTF-8.

    Signs that TeX reads as commands are escaped, but in addresses, which are taken as they are.
    Words such as MNIST are in braces, so that no style writes them small.
    """
    venue = _VENUES.get(citation.type, "howpublished")
    fields = {
        "title": _title(citation.title),
        "author": " and ".join(_author(_escaped(name)) for name in citation.author),
        "year": str(citation.year) if citation.year else None,
        venue: _escaped(citation.venue or ""),
        "doi": citation.doi,
        "eprint": citation.arxiv,
        "eprinttype": "arxiv" if citation.arxiv else None,
        "url": citation.url,
    }
    lines = [f"  {name} = {{{one_line(_balanced(text))}}}" for name, text in fields.items() if text]
    return f"@{citation.type}{{{citation.key},\n" + ",\n".join(lines) + "\n}"


def _escaped(text: str) -> str:
    return "".join(_SIGNS.get(sign, sign) for sign in _balanced(text))


def _title(text: str) -> str:
    if "{" in _balanced(text):
        return _escaped(text)
    words = re.split(r"(\s+)", _balanced(text))
    return "".join(_word(word) for word in words)


def _word(word: str) -> str:
    return f"{{{_escaped(word)}}}" if _CAPITALS.search(word) else _escaped(word)


def citations(text: str) -> Iterator[dict[str, Any]]:
    """The entries in a text, each as the fields of a `Citation`.

    What cannot be read is passed over. Braces that only keep capitals are taken out. An entry of
    another type becomes `misc`.
    """
    entries = list(_ENTRY.finditer(text))
    ends = [*(entry.start() for entry in entries[1:]), len(text)]
    for match, end in zip(entries, ends, strict=False):
        fields = dict(_fields(text[match.end() : end]))
        if "title" in fields and "author" in fields:
            yield _citation(match[1].lower(), match[2], fields)


def _citation(kind: str, key: str, fields: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": kind if kind in _TYPES else "misc",
        "key": key,
        "title": _plain(fields["title"]),
        "author": [_plain(name) for name in _names(fields["author"])],
    }
    if re.fullmatch(r"[0-9]{4}", fields.get("year", "")):
        found["year"] = int(fields["year"])
    venue = next((fields[name] for name in _VENUE_FIELDS if name in fields), None)
    other = {"venue": venue, "doi": fields.get("doi"), "url": fields.get("url")}
    if "arxiv" in (fields.get("eprinttype", "") + fields.get("archiveprefix", "")).lower():
        other["arxiv"] = fields.get("eprint")
    return found | {name: _plain(value) for name, value in other.items() if value}


def _names(authors: str) -> list[str]:
    """Names that stand between "and"; one in braces is one name."""
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
    names = {command.strip("\\{}"): sign for sign, command in _SIGNS.items()}
    text = re.sub(
        r"\\(text[a-z]+|[&%$#_])(\{\})?", lambda found: names.get(found[1], found[0]), text
    )
    return " ".join(text.replace("{", "").replace("}", "").split())


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """The fields of an entry: what stands in braces, in quotes, or bare."""
    at = 0
    while match := _FIELD.match(text, at):
        value, at = _value(text, match.end())
        if value:
            yield match[1].lower(), value


def _value(text: str, at: int) -> tuple[str, int]:
    """A value and where it ends."""
    opening = text[at : at + 1]
    if opening not in {"{", '"'}:
        bare = _BARE.match(text, at)
        return (bare[0], bare.end()) if bare else ("", at)
    depth = 0
    for i in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        closed = depth == 0 and (opening == "{" or (text[i] == '"' and i > at))
        if closed:
            return text[at + 1 : i], i + 1
    return "", len(text)


def _author(name: str) -> str:
    """One name; in braces where BibTeX would take it for two."""
    return f"{{{_balanced(name)}}}" if re.search(r"\sand\s", name) else name


def _balanced(text: str) -> str:
    """A text without the braces that would end the entry early."""
    depth = 0
    for sign in text:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            break
    return text if depth == 0 else text.replace("{", "").replace("}", "")
