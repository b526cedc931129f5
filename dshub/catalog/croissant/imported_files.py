"""Import Croissant's distribution as resources, and `@id`s as references to them."""

import base64
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from dshub.catalog.checks import LONGEST_URL
from dshub.catalog.croissant.reading import Note, key_of, plain, term
from dshub.catalog.croissant.vocabulary import TAR, ZIP
from dshub.checksums import is_hex

if TYPE_CHECKING:
    from mlcroissant import FileObject, FileSet, Metadata

_SIZE = re.compile(r"([0-9]{1,15})\s*(?:B|bytes?)?", re.IGNORECASE)
_ARCHIVES = {TAR, ZIP, "application/x-gziptar", "application/x-gtar", "application/x-tgz"}
_ARCHIVE_NAME = re.compile(r"\.(?:zip|tar|tgz|tar\.[a-z0-9]+)$", re.IGNORECASE)
_LARGEST = 8_000_000  # characters of the references to one file or set of files


class ImportedFiles:
    """The resources of a document, and references to them and into them.

    Attributes:
        resources: by their key, as in a manifest.
    """

    def __init__(self, metadata: "Metadata", notes: list[Note]) -> None:
        self._notes = notes
        self._nodes = {node.uuid: node for node in metadata.distribution}
        self._references: dict[str, list[str]] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        for node in self._nodes.values():
            if not node.contained_in:
                self._add(node)

    def _add(self, node: "FileObject | FileSet") -> None:
        self._references[node.uuid] = []
        if not hasattr(node, "content_url"):
            self._note(node, "a set of files in no archive: list each of them as a file")
        elif any(item.startswith("git") for item in self.encodings(node.uuid)):
            self._note(node, "a repository has no checksum: list the files in it that are needed")
        else:
            key = key_of(term(node.uuid), self.resources)
            self._references[node.uuid] = [key]
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
        url, name = node.content_url, plain(node.name)
        usable = name if re.fullmatch(r"[^/\\\x00-\x1f\x7f]+", name) and name.strip(".") else ""
        if _scheme(url) in {"http", "https"}:
            published = unquote(urlsplit(url).path.rpartition("/")[2])
            is_renamed = "." in usable and usable != published
            return {"urls": [url], "filename": usable if is_renamed or not published else ""}
        self._note(node, f"it has no http address: {url[:200]!r}")
        return {
            "filename": term(url) or usable or key_of(node.uuid),
            "access": "manual",
            "instructions": f"the Croissant document names it {url!r}",
        }

    def _note(self, node: "FileObject | FileSet", message: str) -> None:
        self._notes.append(Note(node.uuid, message))

    def encodings(self, identifier: str) -> list[str]:
        """The media types of a file or set of files."""
        node = self._nodes.get(identifier)
        return list(node.encoding_formats or ()) if node is not None else []

    def references(self, identifier: str) -> list[str]:
        """The references of a manifest to a file or set of files; empty if it has none.

        Raises:
            OverflowError: there are more than a manifest can hold.
        """
        if identifier not in self._references:
            self._references[identifier] = []  # meanwhile, so that cycles end
            node = self._nodes.get(identifier)
            self._references[identifier] = self._members(node) if node is not None else []
        return self._references[identifier]

    def _members(self, node: "FileObject | FileSet") -> list[str]:
        """The references of files in containers."""
        members = getattr(node, "includes", None) or [getattr(node, "content_url", None) or ""]
        problem = ""
        if getattr(node, "excludes", None):
            problem = "a manifest cannot leave out the files of `excludes`"
        elif not all(isinstance(item, str) for item in node.contained_in):
            problem = "its files come out of another by a transformation"
        elif any(":" in item for item in members):
            problem = "a manifest cannot name a member with a colon in its name"
        if problem:
            self._note(node, problem)
        return [] if problem or not all(members) else self._joined(node.contained_in, members)

    def _joined(self, containers: list[str], members: list[str]) -> list[str]:
        """References to members of each container."""
        names = [re.sub(r"^(?:\./|/)+", "", member) for member in members]
        joined: list[str] = []
        characters = 0
        for container in dict.fromkeys(containers):
            outer = self.references(container)
            characters += len(members) * sum(map(len, outer)) + len(outer) * sum(map(len, members))
            if characters > _LARGEST:
                raise OverflowError("it has more members of archives than a manifest can hold")
            is_set = members == ["*"] and not self._is_archive(container)
            joined += outer if is_set else [f"{item}:{name}" for item in outer for name in names]
        return joined

    def _is_archive(self, identifier: str) -> bool:
        name = getattr(self._nodes.get(identifier), "content_url", None) or ""
        formats = set(self.encodings(identifier))
        return bool(formats & _ARCHIVES) or _ARCHIVE_NAME.search(name) is not None


def _scheme(url: str) -> str:
    """The scheme of a URL; empty if it is malformed."""
    try:
        return urlsplit(url).scheme if len(url) <= LONGEST_URL else ""
    except ValueError:  # brackets that do not enclose an IP address
        return ""


def _hexadecimal(algorithm: str, value: str) -> str:
    """A checksum in hexadecimal digits, from those or from Base64; empty if it is neither."""
    if is_hex(algorithm, value.lower()):
        return value.lower()
    try:
        decoded = base64.b64decode(value, validate=True).hex()
    except ValueError:
        return ""
    return decoded if is_hex(algorithm, decoded) else ""
