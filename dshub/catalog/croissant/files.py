"""The files of a manifest as Croissant's `distribution`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import msgspec

from dshub.catalog.croissant.extracts import content_types
from dshub.catalog.croissant.vocabulary import (
    BYTES,
    RESOURCE,
    encoding_formats,
    free,
    identifier,
    reference,
)
from dshub.catalog.manifest import Manifest, Resource, Split

Node = dict[str, Any]
Address = Callable[[Resource], str]

_SAID = ("sha256", "md5", "size")  # fields of a resource for which Croissant has a word


class Files:
    """The nodes of a manifest's files, each made once, and which of them a part means.

    Args:
        manifest: whose files.
        address: where else a file can be had, in place of upstream's first address.
        root: the first part of every `@id`.
    """

    def __init__(self, manifest: Manifest, *, address: Address | None, root: str) -> None:
        self._manifest, self._root = manifest, root
        contents = _contents(manifest)
        self._nodes: dict[str, Node] = {}
        self._keys: dict[str, Sequence[str]] = {}
        for name, resource in manifest.resources.items():
            node = _resource(name, resource, contents.get(name, ()), address)
            node["@id"] = identifier(root, name)
            self._nodes[node["@id"]] = node
        for name, split in manifest.splits.items():
            for part in split.files:
                self._parts(split, part)
            self.source(name, split)

    @property
    def nodes(self) -> list[Node]:
        """Every file, and every set of files, in an order in which a container comes first."""
        return list(self._nodes.values())

    def source(self, name: str, split: Split) -> dict[str, Any]:
        """The `source` of what a split's reader reads: a file, or a set of them.

        A record set has one source, unless a column joins them. Where a row is spread over
        several files (pictures in one, classes in another) that is the set of them.
        """
        nodes = [node for part in split.reader_parts for node in self._parts(split, part)]
        if len(nodes) == 1:
            kind = "fileSet" if nodes[0]["@type"] == "cr:FileSet" else "fileObject"
            return {kind: reference(nodes[0]["@id"])}
        together = identifier(name, free("files", self._manifest.features))
        self._nodes[together] = {
            "@type": "cr:FileSet",
            "@id": together,
            "name": f"files of {name}",
            "description": f"The files that the rows of {name} are in.",
            "containedIn": [reference(node["@id"]) for node in nodes],
            "encodingFormat": BYTES,
            "includes": "*",
        }
        return {"fileSet": reference(together)}

    def _parts(self, split: Split, part: str) -> list[Node]:
        """The nodes of a part's files: one for each container that they lie in."""
        by_container: dict[str, list[str]] = {}
        for item in split.references(part):
            by_container.setdefault(item.rpartition(":")[0] or item, []).append(item)
        return [self._member(split, part, found) for found in by_container.values()]

    def _member(self, split: Split, part: str, references: Sequence[str]) -> Node:
        """The node of some files that lie in one container."""
        container = self._nodes[identifier(self._root, references[0].partition(":")[0])]
        inner = references[0].split(":")[1:]
        for name in inner[:-1]:
            container = self._within(container, [name], ())
        if not inner:
            return container
        members = [item.rpartition(":")[2] for item in references]
        return self._within(container, members, content_types(self._manifest, split, part))

    def _within(self, container: Node, members: Sequence[str], content: Sequence[str]) -> Node:
        """Members of a container: one file, or a set."""
        found = identifier(container["@id"], members[0])
        while found in self._nodes and self._keys[found] != members:
            found += "+"
        if found in self._nodes:
            return self._nodes[found]
        patterns = len(members) > 1 or any(sign in members[0] for sign in "*?[")
        name = PurePosixPath(members[0]).name
        node: Node = {
            "@type": "cr:FileSet" if patterns else "cr:FileObject",
            "@id": found,
            "name": name,
            "containedIn": reference(container["@id"]),
            "encodingFormat": encoding_formats(name, content),
        }
        if patterns:
            node["includes"] = members[0] if len(members) == 1 else list(members)
        else:
            node["contentUrl"] = members[0]
        self._nodes[found], self._keys[found] = node, members
        return node


def _contents(manifest: Manifest) -> Mapping[str, Sequence[str]]:
    """Media types of what is in resources that readers read as they are."""
    return {
        item: content_types(manifest, split, part)
        for split in manifest.splits.values()
        for part in split.files
        for item in split.references(part)
        if ":" not in item
    }


def _resource(
    name: str, resource: Resource, content: Sequence[str], address: Address | None
) -> Node:
    """A file as upstream publishes it, without its `@id`."""
    urls = list(resource.urls)
    if address is not None:
        urls.insert(0, address(resource))
    node: Node = {
        "@type": "cr:FileObject",
        "@id": name,
        "name": resource.name or name,
        # A file that a person must obtain has no address: it is looked for beside the document.
        "contentUrl": urls[0] if urls else resource.name or name,
        "encodingFormat": encoding_formats(resource.name, content),
    }
    if resource.size is not None:
        node["contentSize"] = f"{resource.size} B"
    node |= {key: value for key in ("sha256", "md5") if (value := getattr(resource, key))}
    own = msgspec.to_builtins(resource)
    own = {key: value for key, value in own.items() if key not in _SAID}
    if list(resource.urls) == [node["contentUrl"]]:
        del own["urls"]
    return node | {RESOURCE: own} if own else node
