"""Write manifests as Croissant documents."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import msgspec

from dshub.catalog.citations import bibtex
from dshub.catalog.croissant.extracts import class_form, content_types, extract
from dshub.catalog.croissant.vocabulary import (
    BYTES,
    CONFORMS,
    MANIFEST,
    SPLIT_KINDS,
    Version,
    context,
    encoding_formats,
    free,
    identifier,
    reference,
    types,
)
from dshub.catalog.features import AudioFeature, Feature, LabelFeature, ListFeature
from dshub.catalog.manifest import Manifest, Resource, Split

Node = dict[str, Any]
Address = Callable[[Resource], str]


def to_croissant(
    manifest: Manifest, *, version: Version = "1.1", address: Address | None = None
) -> dict[str, Any]:
    """Describe a dataset as a Croissant document, for `json.dump`.

    Facts that the manifest lacks stay out, though Croissant recommends them: `creator`,
    `datePublished`, and a license that no source states.

    Args:
        manifest: of the dataset.
        version: of Croissant.
        address: returns the URL of a file, such as on a mirror, to use instead of upstream's.
    """
    files = _Files(manifest, address=address, root=free("files", manifest.splits))
    document = {
        "@context": context(version),
        "@type": "sc:Dataset",
        "name": manifest.name,
        "alternateName": manifest.title,
        "description": manifest.summary,
        "conformsTo": f"{CONFORMS}{version}",
        "url": manifest.homepage,
        "version": manifest.version,
        "license": _license(manifest.license.spdx or ""),
        "keywords": list(manifest.tags),
        "citeAs": "\n\n".join(map(bibtex, manifest.citations)),
        "distribution": files.nodes,
        "recordSet": list(_RecordSets(manifest, files, version).nodes()),
        MANIFEST: msgspec.to_builtins(manifest),
    }
    return {key: value for key, value in document.items() if value}


def _license(spdx: str) -> str:
    """The page of a license; an expression, or one that SPDX does not list, unchanged."""
    listed = re.fullmatch(r"(?!LicenseRef-)[A-Za-z0-9.+-]+", spdx)
    return f"https://spdx.org/licenses/{spdx}.html" if listed else spdx


class _Files:
    """The nodes of a manifest's files, and the sources of its splits.

    Args:
        manifest: of the files.
        address: as in `to_croissant`.
        root: the first part of every `@id`.
    """

    def __init__(self, manifest: Manifest, *, address: Address | None, root: str) -> None:
        self._manifest, self._root = manifest, root
        self._nodes: dict[str, Node] = {}
        self._members: dict[str, Sequence[str]] = {}
        contents = {
            reference: content_types(manifest, split, part)
            for split in manifest.splits.values()
            for part in split.files
            for reference in split.references(part)
        }
        for name, resource in manifest.resources.items():
            node = {"@type": "cr:FileObject", "@id": identifier(root, name)}
            node |= _resource(name, resource, contents.get(name, ()), address)
            self._nodes[node["@id"]] = node
        for name, split in manifest.splits.items():
            for part in split.files:
                self._parts(split, part)
            self.source(name, split)

    @property
    def nodes(self) -> list[Node]:
        """Every file and set of files; containers come first."""
        return list(self._nodes.values())

    def source(self, name: str, split: Split) -> dict[str, Any]:
        """The `source` of a split: its file, or the set of its files.

        A record set has one source, unless a column joins several. Rows that are spread over
        several files (images in one, classes in another) come from the set of them.
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
        """The nodes of a part's files, one per container."""
        by_container: dict[str, list[str]] = {}
        for item in split.references(part):
            by_container.setdefault(item.rpartition(":")[0] or item, []).append(item)
        return [self._member(split, part, items) for items in by_container.values()]

    def _member(self, split: Split, part: str, references: Sequence[str]) -> Node:
        """The node of files in one container."""
        container = self._nodes[identifier(self._root, references[0].partition(":")[0])]
        inner = references[0].split(":")[1:]
        for name in inner[:-1]:
            container = self._within(container, [name], ())
        if not inner:
            return container
        members = [item.rpartition(":")[2] for item in references]
        return self._within(container, members, content_types(self._manifest, split, part))

    def _within(self, container: Node, members: Sequence[str], content: Sequence[str]) -> Node:
        """The node of members of a container: a file or a set."""
        place = identifier(container["@id"], members[0])
        while place in self._nodes and self._members[place] != members:
            place += "+"
        if place in self._nodes:
            return self._nodes[place]
        patterns = len(members) > 1 or any(sign in members[0] for sign in "*?[")
        name = PurePosixPath(members[0]).name
        node: Node = {
            "@type": "cr:FileSet" if patterns else "cr:FileObject",
            "@id": place,
            "name": name,
            "containedIn": reference(container["@id"]),
            "encodingFormat": encoding_formats(name, content),
        }
        if patterns:
            node["includes"] = members[0] if len(members) == 1 else list(members)
        else:
            node["contentUrl"] = members[0]
        self._nodes[place], self._members[place] = node, members
        return node


def _resource(
    name: str, resource: Resource, content: Sequence[str], address: Address | None
) -> Node:
    """The properties of a file as upstream publishes it."""
    url = address(resource) if address else next(iter(resource.urls), "")
    node = {
        "name": resource.name or name,
        # A file without an address is expected beside the document.
        "contentUrl": url or resource.name or name,
        "encodingFormat": encoding_formats(resource.name, content),
        "contentSize": None if resource.size is None else f"{resource.size} B",
        "sha256": resource.sha256,
        "md5": resource.md5,
    }
    return {key: value for key, value in node.items() if value}


class _RecordSets:
    """The record sets of a manifest: its splits, its classes, and the rows of each split."""

    def __init__(self, manifest: Manifest, files: _Files, version: Version) -> None:
        self._manifest, self._files, self._version = manifest, files, version
        self._splits = free("splits", manifest.splits)
        self._classes = free("classes", manifest.splits)

    def nodes(self) -> Iterator[Node]:
        """Each record set, after those that it refers to."""
        yield self._named_splits()
        for name, feature in self._manifest.features.items():
            label = _label(feature)
            if label is not None:
                yield _enumeration(identifier(self._classes, name), name, label)
        for name, split in self._manifest.splits.items():
            yield self._rows(name, split)

    def _named_splits(self) -> Node:
        """The splits, and the purpose of each if its name indicates one."""
        name, url = f"{self._splits}/name", f"{self._splits}/url"
        fields = [_field(name, "name", "sc:Text"), _field(url, "url", "sc:URL")]
        return _record_set(
            self._splits,
            "splits",
            "The splits of the dataset.",
            fields,
            dataType="cr:Split",
            key=reference(name),
            data=[
                {name: split, url: SPLIT_KINDS.get(split, "")} for split in self._manifest.splits
            ],
        )

    def _rows(self, name: str, split: Split) -> Node:
        source = self._files.source(name, split)
        features = self._manifest.split_features(name)
        fields = [self._column(name, split, column, source) for column in features]
        if self._version == "1.1":  # a constant field with the split of the rows
            own = free("split", self._manifest.features)
            named = {"field": reference(f"{self._splits}/name")}
            place = identifier(name, own)
            fields.append(_field(place, own, "sc:Text", value=name, references=named))
        return _record_set(name, name, f"{split.rows:,} rows.", fields)

    def _column(self, name: str, split: Split, column: str, source: Node) -> Node:
        feature = self._manifest.features[column]
        label = _label(feature)
        key = "" if label is None else class_form(split, column, label)
        more = types(feature, self._version, numbers=key == "number")
        more["source"] = source | dict(extract(split, column) or {})
        if isinstance(feature, AudioFeature):
            more["source"]["samplingRate"] = feature.rate
        if key:
            more["references"] = {"field": reference(identifier(self._classes, column, key))}
        return _field(identifier(name, column), column, more.pop("dataType"), **more)


def _field(place: str, name: str, kind: str | list[str], **more: Any) -> Node:
    return {"@type": "cr:Field", "@id": place, "name": name, "dataType": kind, **more}


def _record_set(place: str, name: str, description: str, fields: list[Node], **more: Any) -> Node:
    head = {"@type": "cr:RecordSet", "@id": place, "name": name, "description": description}
    return {**head, "field": fields, **more}


def _label(feature: Feature) -> LabelFeature | None:
    """The classes of a feature, or of the values of a list."""
    if isinstance(feature, ListFeature):
        return _label(feature.of)
    return feature if isinstance(feature, LabelFeature) else None


def _enumeration(place: str, name: str, label: LabelFeature) -> Node:
    """The classes of a feature: upstream's number, the name and the code of each."""
    kinds = {"number": ("sc:Integer", "sc:position"), "name": ("sc:Text", "sc:name")}
    kinds |= {"code": ("sc:Text", "sc:identifier")} if label.codes else {}
    places = {key: identifier(place, key) for key in kinds}
    numbers = range(label.first, label.first + len(label.names))
    rows = zip(numbers, label.names, *([label.codes] if label.codes else []), strict=True)
    fields = [
        _field(places[key], key, kind, equivalentProperty=meaning)
        for key, (kind, meaning) in kinds.items()
    ]
    return _record_set(
        place,
        f"classes of {name}",
        f"The meaning of each {name}.",
        fields,
        dataType="sc:Enumeration",
        key=reference(places["number"]),
        data=[dict(zip(places.values(), row, strict=True)) for row in rows],
    )
