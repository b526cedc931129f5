"""Import the `distribution` of a Croissant document as resources of a manifest."""

import base64
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from dshub.catalog.checks import LONGEST_URL
from dshub.catalog.croissant.reading import Note, key_of, term, text_of
from dshub.checksums import is_hex

if TYPE_CHECKING:
    from mlcroissant import FileObject, FileSet, Metadata

_SIZE = re.compile(r"([0-9]{1,15})\s*(?:B|bytes?)?", re.IGNORECASE)
_LARGEST = 8_000_000  # maximum characters of all references to a file or file set


class ImportedFiles:
    """Resources of a document, and references to the resources and their members.

    Attributes:
        resources: resources of the manifest by key.
    """

    def __init__(self, metadata: "Metadata", notes: list[Note]) -> None:
        self._notes = notes
        self._nodes = {node.uuid: node for node in metadata.distribution}
        self._keys: dict[str, str] = {}  # resource keys by `@id`
        self._references: dict[str, list[str]] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        for node in self._nodes.values():
            if not node.contained_in:
                self._add(node)

    def _add(self, node: "FileObject | FileSet") -> None:
        self._references[node.uuid] = []
        if not hasattr(node, "content_url"):
            self._note(node, "it is a set of files outside an archive: list each file")
        elif any(item.startswith("git") for item in self.encodings(node.uuid)):
            self._note(node, "it is a repository, which has no checksum: list the files you need")
        else:
            key = key_of(term(node.uuid), self.resources)
            self._keys[node.uuid], self._references[node.uuid] = key, [key]
            self.resources[key] = self._resource(node)

    def _resource(self, node: "FileObject") -> dict[str, Any]:
        facts: dict[str, Any] = {}
        for algorithm in ("sha256", "md5"):
            value = getattr(node, algorithm) or ""
            facts[algorithm] = _hexadecimal(algorithm, value.strip())
            if value and not facts[algorithm]:
                self._note(node, f"its {algorithm} is not a checksum: {value[:60]!r}")
        size = node.content_size or ""
        if match := _SIZE.fullmatch(size.strip()):
            facts["size"] = int(match[1])
        elif size:
            self._note(node, f"its size is not in bytes: {size[:60]!r}")
        facts |= self._address(node)
        return {key: value for key, value in facts.items() if value}

    def _address(self, node: "FileObject") -> dict[str, Any]:
        url, name = node.content_url, text_of(node.name)
        usable = name if re.fullmatch(r"[^/\\\x00-\x1f\x7f]+", name) and name.strip(".") else ""
        if _scheme(url) in {"http", "https"}:
            published = unquote(urlsplit(url).path.rpartition("/")[2])
            is_renamed = "." in usable and usable != published
            return {"urls": [url], "filename": usable if is_renamed or not published else ""}
        self._note(node, f"it has no http address: {url[:200]!r}")
        return {
            "filename": term(url) or usable or key_of(node.uuid),
            "access": "manual",
            "instructions": f"the Croissant document refers to it as {url!r}",
        }

    def _note(self, node: "FileObject | FileSet", message: str) -> None:
        self._notes.append(Note(node.uuid, message))

    def encodings(self, identifier: str) -> list[str]:
        """Return the media types of a file or file set."""
        node = self._nodes.get(identifier)
        return list(node.encoding_formats or ()) if node is not None else []

    def references(self, identifier: str) -> list[str]:
        """Return references to a file or file set, or an empty list if none are possible.

        Raises:
            OverflowError: a manifest cannot contain that much text.
        """
        if identifier not in self._references:
            node = self._nodes.get(identifier)
            self._references[identifier] = self._members(node) if node is not None else []
        return self._references[identifier]

    def _members(self, node: "FileObject | FileSet") -> list[str]:
        """Return references to files in archives."""
        members = getattr(node, "includes", None) or [getattr(node, "content_url", None) or ""]
        archives = [self._keys.get(str(item)) for item in dict.fromkeys(node.contained_in)]
        problem = ""
        if getattr(node, "excludes", None):
            problem = "`excludes` is not supported"
        elif not all(archives):
            problem = "its archive is not a file of the distribution"
        elif any(":" in item for item in members):
            problem = "member names with a colon are not supported"
        if problem:
            self._note(node, problem)
        return [] if problem or not all(members) else _joined(list(filter(None, archives)), members)


def _joined(archives: Sequence[str], members: Sequence[str]) -> list[str]:
    """Return references to all members in all archives."""
    names = [re.sub(r"^(?:\./|/)+", "", member) for member in members]
    if len(names) * len("".join(archives)) + len(archives) * len("".join(names)) > _LARGEST:
        raise OverflowError("it has more archive members than a manifest can contain")
    return [f"{archive}:{name}" for archive in archives for name in names]


def _scheme(url: str) -> str:
    """Return the scheme of a URL; empty for a malformed URL."""
    try:
        return urlsplit(url).scheme if len(url) <= LONGEST_URL else ""
    except ValueError:  # brackets that do not enclose an IP address
        return ""


def _hexadecimal(algorithm: str, value: str) -> str:
    """Return a hexadecimal or Base64 checksum in hexadecimal digits; empty if it is invalid."""
    if is_hex(algorithm, value.lower()):
        return value.lower()
    try:
        decoded = base64.b64decode(value, validate=True).hex()
    except ValueError:
        return ""
    return decoded if is_hex(algorithm, decoded) else ""
