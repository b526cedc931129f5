"""Croissant's `distribution` as resources, and what each `@id` means in terms of them."""

import base64
import binascii
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from dshub.catalog.checks import LONGEST_URL
from dshub.catalog.croissant.reading import (
    Node,
    Note,
    key_of,
    last,
    many,
    nodes,
    place,
    references,
    text,
    texts,
)
from dshub.catalog.croissant.vocabulary import RESOURCE, TAR, ZIP
from dshub.checksums import is_hex

_SIZE = re.compile(r"([0-9]{1,15})\s*(?:B|bytes?)?", re.IGNORECASE)
_ARCHIVES = {TAR, ZIP, "application/x-gziptar", "application/x-gtar", "application/x-tgz"}
_ARCHIVE_NAME = re.compile(r"\.(?:zip|tar|tgz|tar\.[a-z0-9]+)$", re.IGNORECASE)
_LARGEST = 8_000_000  # characters of the references to one file or set of files
_DEEPEST = 8  # containers within one another


class ImportedFiles:
    """The resources of a document, and references to them and into them.

    Attributes:
        resources: by their key, as a manifest has them.
    """

    def __init__(self, document: Node, notes: list[Note]) -> None:
        self._notes = notes
        self._nodes = {place(node): node for node in nodes(document, "distribution")}
        self._keys: dict[str, str] = {}
        self._references: dict[tuple[str, int], list[str]] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        for identifier, node in self._nodes.items():
            if not many(node, "containedIn"):
                self._add(identifier, node)

    def _add(self, identifier: str, node: Node) -> None:
        formats = self.encodings(identifier)
        if node.get("@type") != "FileObject":
            self._note(node, "a set of files that lie in no archive; name each of them as a file")
            return
        if any(item.startswith("git") for item in formats):
            told = "a repository has no checksum of its own; name the files in it that are needed"
            self._note(node, told)
            return
        key = key_of(last(identifier), self.resources)
        self._keys[identifier] = key
        self.resources[key] = self._resource(node)

    def _resource(self, node: Node) -> dict[str, Any]:
        own = node.get(RESOURCE)
        found = dict(own) if isinstance(own, dict) else {}
        for algorithm in ("sha256", "md5"):
            value = text(node, algorithm)
            if value:
                digest = _hexadecimal(algorithm, value)
                found |= {algorithm: digest} if digest else {}
                if not digest:
                    self._note(node, f"its {algorithm} is no checksum: {value[:60]!r}")
        size = text(node, "contentSize")
        if match := _SIZE.fullmatch(size.strip()):
            found["size"] = int(match[1])
        elif size:
            self._note(node, f"its size is not told in bytes: {size[:60]!r}")
        return found if "urls" in found or "access" in found else found | self._address(node)

    def _address(self, node: Node) -> dict[str, Any]:
        url, name = text(node, "contentUrl"), text(node, "name")
        plain = name if re.fullmatch(r"[^/\\\x00-\x1f\x7f]+", name) and name.strip(".") else ""
        if urlsplit_scheme(url) in {"http", "https"}:
            published = unquote(urlsplit(url).path.rpartition("/")[2])
            renamed = plain and "." in plain and plain != published
            return {"urls": [url]} | ({"filename": plain} if renamed or not published else {})
        self._note(node, f"it has no http address: {url[:200]!r}")
        return {
            "filename": last(url) or plain or key_of(place(node)),
            "access": "manual",
            "instructions": f"the Croissant document names it {url!r}",
        }

    def _note(self, node: Node, message: str) -> None:
        self._notes.append(Note(place(node), message))

    def node(self, identifier: str) -> Node:
        """A file or set of files; empty where there is none of that `@id`."""
        return self._nodes.get(identifier, {})

    def encodings(self, identifier: str) -> list[str]:
        """The media types of a file or set of files."""
        return texts(self.node(identifier), "encodingFormat")

    def references(self, identifier: str, depth: int = 0) -> list[str]:
        """What a manifest writes for a file or set of files; empty where it cannot.

        Raises:
            OverflowError: it is more than a manifest can hold.
        """
        if identifier in self._keys:
            return [self._keys[identifier]]
        if (identifier, depth) not in self._references:
            self._references[identifier, depth] = self._within(identifier, depth)
        return self._references[identifier, depth]

    def _within(self, identifier: str, depth: int) -> list[str]:
        """The references of what lies in containers, at some depth of those."""
        node = self.node(identifier)
        if not many(node, "containedIn"):
            return []
        members = texts(node, "includes") or texts(node, "contentUrl")
        if depth > _DEEPEST or not members or not self._understood(node):
            return []
        found: list[str] = []
        characters = 0
        for container in dict.fromkeys(references(node, "containedIn")):
            outer = self.references(container, depth + 1)
            characters += len(members) * sum(map(len, outer)) + len(outer) * sum(map(len, members))
            if characters > _LARGEST:
                raise OverflowError("it has more members of archives than a manifest can hold")
            if members == ["*"] and not self._is_archive(container):
                found += outer  # a set of plain files
                continue
            found += [f"{item}:{_plain(member)}" for item in outer for member in members]
        return found

    def _understood(self, node: Node) -> bool:
        if texts(node, "excludes"):
            self._note(node, "files that are excluded cannot be told from the others: `excludes`")
            return False
        if any("transform" in item for item in nodes(node, "containedIn")):
            self._note(node, "its files come out of another by a transformation")
            return False
        if any(":" in item for item in texts(node, "includes") + texts(node, "contentUrl")):
            self._note(node, "a member with a colon in its name cannot be named in a manifest")
            return False
        return True

    def _is_archive(self, identifier: str) -> bool:
        name = text(self.node(identifier), "contentUrl")
        formats = set(self.encodings(identifier))
        return bool(formats & _ARCHIVES) or _ARCHIVE_NAME.search(name) is not None


def urlsplit_scheme(url: str) -> str:
    """The scheme of an address; empty where it is none."""
    try:
        return urlsplit(url).scheme if len(url) <= LONGEST_URL else ""
    except ValueError:  # brackets that are none of an address
        return ""


def _plain(member: str) -> str:
    """A member's name from the archive's top on."""
    return re.sub(r"^(?:\./|/)+", "", member)


def _hexadecimal(algorithm: str, value: str) -> str:
    """A checksum in hexadecimal digits, of those or of Base64; empty where it is neither."""
    value = value.strip()
    if is_hex(algorithm, value.lower()):
        return value.lower()
    try:
        decoded = base64.b64decode(value, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""
    return decoded if is_hex(algorithm, decoded) else ""
