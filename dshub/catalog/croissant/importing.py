"""From a Croissant document to what a manifest says, and what is missing in it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dshub._validate import NAME
from dshub.catalog.bibtex import citations
from dshub.catalog.croissant.imported_files import ImportedFiles
from dshub.catalog.croissant.imported_rows import ImportedRows
from dshub.catalog.croissant.reading import Node, Note, key_of, normalised, text, texts
from dshub.catalog.croissant.vocabulary import DATASET
from dshub.catalog.faults import Fault
from dshub.errors import ManifestError

_LARGEST = 64_000_000  # bytes of a document, whose enumerations may be long
_SPDX = re.compile(r"https?://(?:www\.)?spdx\.org/licenses/([A-Za-z0-9.+-]+?)(?:\.html|\.json)?/?")
_ONE = r"(?:\(*(?=[A-Za-z.+]*+[0-9-])[A-Za-z0-9.+-]++\)*+|MIT|ISC|Zlib)"
_EXPRESSION = re.compile(rf"{_ONE}(?: (?:AND|OR|WITH) {_ONE})*+")
_COMMONS = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/(?:licenses/([a-z-]+)|publicdomain/(zero))/([0-9.]+)"
    r"(?:/.*)?"
)


@dataclass(frozen=True)
class Imported:
    """What a Croissant document says in terms of a manifest.

    Attributes:
        content: as a manifest has it; what the document does not say is not there.
        notes: what was not understood.
    """

    content: dict[str, Any]
    notes: tuple[Note, ...]

    @property
    def missing(self) -> tuple[Note, ...]:
        """What a manifest must say and the content does not."""
        return tuple(_missing(self.content))


def read_croissant(path: Path) -> Imported:
    """The document in a file; see `from_croissant`.

    Raises:
        ManifestError: it cannot be read, or is no Croissant.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise _no_croissant(str(path), "it is too large")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise _no_croissant(str(path), error.strerror or str(error)) from None
    except (ValueError, RecursionError) as error:
        raise _no_croissant(str(path), f"it is no JSON: {error}") from None
    return from_croissant(document, source=str(path))


def from_croissant(document: Any, *, source: str) -> Imported:
    """What a manifest can take over of a document of version 0.8, 1.0 or 1.1.

    Files without a checksum, and splits whose number of rows is not known, are there without:
    nothing is made up. Where the document is one of ours, everything is as it was.

    Args:
        document: as `json.load` gives it.
        source: names it in errors.

    Raises:
        ManifestError: it describes no dataset.
    """
    try:
        node = normalised(document)
    except RecursionError:
        raise _no_croissant(source, "it is nested too deeply") from None
    if not isinstance(node, dict) or "Dataset" not in texts(node, "@type"):
        raise _no_croissant(source, "its @type is not that of a dataset, sc:Dataset")
    notes: list[Note] = []
    try:
        files = ImportedFiles(node, notes)
        rows = ImportedRows(node, files, notes)
    except OverflowError as error:
        raise _no_croissant(source, str(error)) from None
    content: dict[str, Any] = {"schema": 1, **_dataset(node, notes)}
    content["resources"] = files.resources
    content["features"], content["splits"] = rows.features, rows.splits
    told = "no split reads this file: take it out, or say what it is for"
    used = rows.used()
    notes += [Note(key, told) for key in files.resources if key not in used]
    return Imported(content | _own(node), tuple(notes))


def _dataset(node: Node, notes: list[Note]) -> dict[str, Any]:
    title = text(node, "name")
    summary = " ".join(text(node, "description").split())
    found: dict[str, Any] = {
        "name": _name(title),
        "version": _version(text(node, "version")),
        "title": text(node, "alternateName") or title,
        "summary": summary,
        "task": "unknown",
        "homepage": text(node, "url"),
        "tags": texts(node, "keywords"),
    }
    found = {key: value for key, value in found.items() if value}
    license_url = text(node, "license")
    if license_url:
        found["license"] = _license(license_url)
    if cited := text(node, "citeAs") or text(node, "citation"):
        entries = list(citations(cited))
        found |= {"citations": entries} if entries else {}
        if not entries:
            notes.append(Note("", f"its citation is no BibTeX: {cited[:200]!r}"))
    return found


def _own(node: Node) -> dict[str, Any]:
    """What a document of ours says of the dataset besides."""
    own = node.get(DATASET)
    kept = ("title", "task", "supervised", "license", "citations", "layouts")
    return {key: own[key] for key in kept if key in own} if isinstance(own, dict) else {}


def _name(title: str) -> str:
    """`family/member`, or one name."""
    if NAME.fullmatch(title):
        return title
    family, slash, member = title.rpartition("/")
    if slash and family and member:
        return f"{key_of(family)}/{key_of(member)}"
    return key_of(title) if title else ""


def _version(told: str) -> str:
    """MAJOR.MINOR.PATCH, with noughts for what is not told, as Croissant reads it; or empty."""
    match = re.fullmatch(r"v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(\+[0-9a-z.-]+)?", told)
    if match is None:
        return ""
    numbers = ".".join(str(int(number or 0)) for number in match.groups()[:3])
    return numbers + (match[4] or "")


def _license(url: str) -> dict[str, Any]:
    if match := _SPDX.fullmatch(url):
        return {"spdx": match[1]}
    if match := _COMMONS.fullmatch(url):
        kind = "CC0" if match[2] else f"CC-{match[1].upper()}"
        return {"spdx": f"{kind}-{match[3]}", "source": url}
    if _EXPRESSION.fullmatch(url):
        return {"spdx": url}
    return {"note": f"The Croissant document names the licence {url}"}


def _missing(content: dict[str, Any]) -> Iterator[Note]:
    for key in ("name", "version", "title", "summary", "homepage"):
        if key not in content:
            yield Note("", f"the document does not say it: {key}")
    for key, resource in content["resources"].items():
        if not resource.get("sha256") and not resource.get("md5"):
            yield Note(key, "no checksum; `dshub pin` writes that of a file you have")
    for key, split in content["splits"].items():
        if "rows" not in split:
            yield Note(key, "its number of rows is not told, and must be counted in the files")


def _no_croissant(source: str, problem: str) -> ManifestError:
    return ManifestError(source=source, faults=[Fault("", problem)])
