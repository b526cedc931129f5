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
    identifier,
    reference,
    types,
    unused_key,
)
from dshub.catalog.features import AudioFeature, Feature, LabelFeature, ListFeature
from dshub.catalog.manifest import Manifest, Resource, Split

Node = dict[str, Any]
Address = Callable[[Resource], str]


def to_croissant(
    manifest: Manifest, *, version: Version = "1.1", address: Address | None = None
) -> dict[str, Any]:
    """Describe a dataset as a Croissant document for `json.dump`.

    The document lacks some recommended properties, because manifests do not have them: `creator`,
    `datePublished`, and a license that no source states.

    Args:
        manifest: manifest of the dataset.
        version: Croissant version.
        address: function that returns a replacement for the upstream URL of a file, such as its
            URL on a mirror.
    """
    files = _Files(manifest, address=address, root=unused_key("files", manifest.splits))
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
        "distribution": list(files.nodes.values()),
        "recordSet": list(_RecordSets(manifest, files, version).nodes()),
        MANIFEST: msgspec.to_builtins(manifest),
    }
    return {key: value for key, value in document.items() if value}


def _license(spdx: str) -> str:
    """Return the URL of an SPDX license; return expressions and unlisted licenses unchanged."""
    listed = re.fullmatch(r"(?!LicenseRef-)[A-Za-z0-9.+-]+", spdx)
    return f"https://spdx.org/licenses/{spdx}.html" if listed else spdx


class _Files:
    """Croissant nodes of a manifest's files, and sources of its splits.

    Args:
        manifest: manifest of the files.
        address: function that returns the URL of a file, as in `to_croissant`.
        root: first part of every `@id`.

    Attributes:
        nodes: files and file sets by `@id`, with every archive before its members.
    """

    def __init__(self, manifest: Manifest, *, address: Address | None, root: str) -> None:
        self._manifest, self._root = manifest, root
        self.nodes: dict[str, Node] = {}
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
            self.nodes[node["@id"]] = node
        for name, split in manifest.splits.items():
            for part in split.files:
                self._parts(split, part)
            self.source(name, split)

    def source(self, name: str, split: Split) -> dict[str, Any]:
        """Return the `source` of a split, which is a file or a set of files.

        A record set has one source. For rows spread over several files, such as images in one file
        and classes in another, the source is a set of these files.
        """
        nodes = [node for part in split.reader_parts for node in self._parts(split, part)]
        if len(nodes) == 1:
            kind = "fileSet" if nodes[0]["@type"] == "cr:FileSet" else "fileObject"
            return {kind: reference(nodes[0]["@id"])}
        file_set = identifier(name, unused_key("files", self._manifest.features))
        self.nodes[file_set] = {
            "@type": "cr:FileSet",
            "@id": file_set,
            "name": f"files of {name}",
            "description": f"The files with the rows of {name}.",
            "containedIn": [reference(node["@id"]) for node in nodes],
            "encodingFormat": BYTES,
            "includes": "*",
        }
        return {"fileSet": reference(file_set)}

    def _parts(self, split: Split, part: str) -> list[Node]:
        """Return the nodes of a part's files, one per archive."""
        by_container: dict[str, list[str]] = {}
        for item in split.references(part):
            by_container.setdefault(item.rpartition(":")[0] or item, []).append(item)
        return [self._member(split, part, items) for items in by_container.values()]

    def _member(self, split: Split, part: str, references: Sequence[str]) -> Node:
        """Return the node of files in one archive."""
        container = self.nodes[identifier(self._root, references[0].partition(":")[0])]
        inner = references[0].split(":")[1:]
        for name in inner[:-1]:
            container = self._within(container, [name], ())
        if not inner:
            return container
        members = [item.rpartition(":")[2] for item in references]
        return self._within(container, members, content_types(self._manifest, split, part))

    def _within(self, container: Node, members: Sequence[str], content: Sequence[str]) -> Node:
        """Return the file or file set node of members of an archive."""
        place = identifier(container["@id"], members[0])
        while place in self.nodes and self._members[place] != members:
            place += "+"
        if place in self.nodes:
            return self.nodes[place]
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
        self.nodes[place], self._members[place] = node, members
        return node


def _resource(
    name: str, resource: Resource, content: Sequence[str], address: Address | None
) -> Node:
    """Return the properties of an upstream file."""
    url = address(resource) if address else next(iter(resource.urls), "")
    node = {
        "name": resource.name or name,
        # a file without a URL is expected next to the document
        "contentUrl": url or resource.name or name,
        "encodingFormat": encoding_formats(resource.name, content),
        "contentSize": None if resource.size is None else f"{resource.size} B",
        "sha256": resource.sha256,
        "md5": resource.md5,
    }
    return {key: value for key, value in node.items() if value}


class _RecordSets:
    """Record sets of a manifest, with its splits, its classes and the rows of each split."""

    def __init__(self, manifest: Manifest, files: _Files, version: Version) -> None:
        self._manifest, self._files, self._version = manifest, files, version
        self._splits = unused_key("splits", manifest.splits)
        self._classes = unused_key("classes", manifest.splits)

    def nodes(self) -> Iterator[Node]:
        """Yield the record sets, each after the ones it refers to."""
        yield self._named_splits()
        for name, feature in self._manifest.features.items():
            label = _label(feature)
            if label is not None:
                yield _enumeration(identifier(self._classes, name), name, label)
        for name, split in self._manifest.splits.items():
            yield self._rows(name, split)

    def _named_splits(self) -> Node:
        """Return the record set of split names, with URLs for common names such as `train`."""
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
        if self._version == "1.1":  # version 1.0 has no constant fields
            column = unused_key("split", self._manifest.features)
            split_name = {"field": reference(f"{self._splits}/name")}
            place = identifier(name, column)
            fields.append(_field(place, column, "sc:Text", value=name, references=split_name))
        return _record_set(name, name, f"{split.rows:,} rows.", fields)

    def _column(self, name: str, split: Split, column: str, source: Node) -> Node:
        feature = self._manifest.features[column]
        label = _label(feature)
        key = "" if label is None else class_form(split, column, label)
        more = types(feature, self._version, numbers=key == "number")
        more["source"] = source | dict(extract(split, column) or {})
        if isinstance(feature, AudioFeature) and feature.rate:
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
    """Return the label feature of a label or of a list of labels; None for other features."""
    if isinstance(feature, ListFeature):
        return _label(feature.of)
    return feature if isinstance(feature, LabelFeature) else None


def _enumeration(place: str, name: str, label: LabelFeature) -> Node:
    """Return the record set of classes, with the upstream number, name and code of each class."""
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
