"""Import Croissant documents as manifests, and list the missing fields."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dshub._validate import NAME, convert
from dshub.catalog.croissant.imported_files import ImportedFiles
from dshub.catalog.croissant.imported_rows import ImportedRows
from dshub.catalog.croissant.reading import (
    Note,
    croissant_error,
    custom_term,
    key_of,
    load,
    text_of,
)
from dshub.catalog.croissant.vocabulary import MANIFEST
from dshub.catalog.manifest import Manifest

if TYPE_CHECKING:
    from mlcroissant import Metadata

_LARGEST = 16_000_000  # maximum bytes of a document; 20,000 classes take 4 million
_LONGEST_CITATION = 2_000  # maximum characters of a citation in a note
_SPDX = re.compile(r"https?://(?:www\.)?spdx\.org/licenses/([A-Za-z0-9.+-]+?)(?:\.html|\.json)?/?")
_ONE = r"(?:\(*(?=[A-Za-z.+]*+[0-9-])[A-Za-z0-9.+-]++\)*+|MIT|ISC|Zlib)"
_EXPRESSION = re.compile(rf"{_ONE}(?: (?:AND|OR|WITH) {_ONE})*+")
_COMMONS = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/(?:licenses/([a-z-]+)|publicdomain/(zero))/([0-9.]+)"
    r"(?:/.*)?"
)


@dataclass(frozen=True)
class Imported:
    """Content of a Croissant document as a manifest.

    Attributes:
        content: fields of a manifest, without fields that the document lacks.
        notes: problems and parts that were not imported.
    """

    content: dict[str, Any]
    notes: tuple[Note, ...] = ()

    @property
    def missing(self) -> tuple[Note, ...]:
        """Required fields of a manifest that the content lacks."""
        return tuple(_missing(self.content))


def read_croissant(path: Path) -> Imported:
    """Import a document from a file; see `from_croissant`.

    Raises:
        ManifestError: the file is unreadable or not a valid Croissant document.
        MissingExtraError: mlcroissant is not installed.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise croissant_error(str(path), f"it is larger than {_LARGEST // 1_000_000} MB")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise croissant_error(str(path), error.strerror or str(error)) from None
    except (ValueError, RecursionError) as error:
        raise croissant_error(str(path), f"it is not JSON: {error}") from None
    return from_croissant(document, source=str(path))


def from_croissant(document: Any, *, source: str) -> Imported:
    """Import the parts of a document that a manifest can contain.

    A document from `to_croissant` contains the whole manifest. Other documents lack the number of
    rows, and often checksums.

    Args:
        document: parsed JSON.
        source: file name or description of the document for errors.

    Raises:
        ManifestError: the document is not valid Croissant.
        MissingExtraError: mlcroissant is not installed.
    """
    metadata = load(document, source)
    with suppress(ValueError):
        manifest = convert(custom_term(metadata, MANIFEST), Manifest)
        return Imported(msgspec.to_builtins(manifest))
    notes: list[Note] = []
    try:
        files = ImportedFiles(metadata, notes)
        rows = ImportedRows(metadata, files, notes)
    except OverflowError as error:
        raise croissant_error(source, str(error)) from None
    content = {
        "schema": 1,
        **_dataset(metadata, notes),
        "resources": files.resources,
        "features": rows.features,
        "splits": rows.splits,
    }
    message = "no split uses this file: remove it, or add it to a split"
    notes += [Note(key, message) for key in files.resources if key not in rows.used]
    return Imported(content, tuple(notes))


def _dataset(metadata: "Metadata", notes: list[Note]) -> dict[str, Any]:
    title, cited = text_of(metadata.name), metadata.cite_as
    facts = {
        "name": _name(title),
        "version": _version(metadata.version or ""),
        "title": text_of(metadata.extra_properties.get("alternateName")) or title,
        "summary": " ".join(text_of(metadata.description).split()),
        "task": "unknown",
        "homepage": metadata.url or "",
        "tags": [item for item in metadata.keywords or () if isinstance(item, str)],
        "license": next(map(_license, metadata.license or ()), None),
    }
    if cited:
        text = cited[:_LONGEST_CITATION]
        notes.append(Note("", f"convert this citation to an entry of [[citations]]: {text}"))
    return {key: value for key, value in facts.items() if value}


def _name(title: str) -> str:
    """Return a valid `family/member` or `name` for a title."""
    if NAME.fullmatch(title):
        return title
    return "/".join(key_of(part) for part in title.rsplit("/", 1) if part)


def _version(version: str) -> str:
    """Return MAJOR.MINOR.PATCH, with zeros for missing numbers; empty for an invalid version."""
    match = re.fullmatch(r"v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(\+[0-9a-z.-]+)?", version)
    if match is None:
        return ""
    numbers = ".".join(str(int(number or 0)) for number in match.groups()[:3])
    return numbers + (match[4] or "")


def _license(license_: Any) -> dict[str, Any]:
    """Import a license, which is a URL, an SPDX expression, or an object with URL and name."""
    url = license_ if isinstance(license_, str) else license_.url or text_of(license_.name)
    if match := _SPDX.fullmatch(url):
        return {"spdx": match[1]}
    if match := _COMMONS.fullmatch(url):
        kind = "CC0" if match[2] else f"CC-{match[1].upper()}"
        return {"spdx": f"{kind}-{match[3]}", "source": url}
    if _EXPRESSION.fullmatch(url):
        return {"spdx": url}
    return {"note": f"License in the Croissant document: {url}"}


def _missing(content: dict[str, Any]) -> Iterator[Note]:
    for key in ("name", "version", "title", "summary", "homepage"):
        if key not in content:
            yield Note("", f"the document has no {key}")
    for key, resource in content["resources"].items():
        if not resource.get("sha256") and not resource.get("md5"):
            yield Note(key, "no checksum; run `dshub checksum` to compute it")
    for key, split in content["splits"].items():
        if "rows" not in split:
            yield Note(key, "no number of rows; count the rows in the files")
