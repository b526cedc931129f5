"""From a manifest to a Croissant document."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import msgspec

from dshub.catalog.citations import bibtex
from dshub.catalog.croissant.extracts import content_types, extract, written
from dshub.catalog.croissant.vocabulary import (
    BYTES,
    CONFORMS,
    DATASET,
    FEATURE,
    RESOURCE,
    SPLIT,
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

_STATED = ("schema", "name", "version", "summary", "homepage", "tags")
_ELSEWHERE = ("resources", "features", "splits")
_STATED_OF_RESOURCE = ("sha256", "md5", "size")  # Croissant has a term for each


def to_croissant(
    manifest: Manifest, *, version: Version = "1.1", address: Address | None = None
) -> dict[str, Any]:
    """A manifest as a Croissant document, for `json.dump`.

    Facts that the manifest lacks stay out, though Croissant asks for them: who made the data
    (`creator`), when they were published (`datePublished`), and a license that no source states.

    Args:
        manifest: of the dataset.
        version: of Croissant.
        address: gives the URL of a file, such as on a mirror, to use in place of upstream's
            first one, which is kept under `dshub:resource`.
    """
    files = _Files(manifest, address=address, root=free("files", manifest.splits))
    document: dict[str, Any] = {
        "@context": context(version),
        "@type": "sc:Dataset",
        "name": manifest.name,
        "alternateName": manifest.title,
        "description": manifest.summary,
        "conformsTo": f"{CONFORMS}{version}",
        "url": manifest.homepage,
        "version": manifest.version,
    }
    if manifest.license.spdx:
        document["license"] = _license(manifest.license.spdx)
    if manifest.tags:
        document["keywords"] = list(manifest.tags)
    if manifest.citations:
        document["citeAs"] = "\n\n".join(map(bibtex, manifest.citations))
    document["distribution"] = files.nodes
    document["recordSet"] = list(_RecordSets(manifest, files, version).nodes())
    own = msgspec.to_builtins(manifest)
    for key in (*_STATED, *_ELSEWHERE):
        own.pop(key, None)
    return document | {DATASET: own}


def _license(spdx: str) -> str:
    """The page of a license; an expression, or one that SPDX does not list, as it stands."""
    listed = re.fullmatch(r"(?!LicenseRef-)[A-Za-z0-9.+-]+", spdx)
    return f"https://spdx.org/licenses/{spdx}.html" if listed else spdx


class _Files:
    """The nodes of a manifest's files, each made once, and the files of each part.

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
    own = {key: value for key, value in own.items() if key not in _STATED_OF_RESOURCE}
    if list(resource.urls) == [node["contentUrl"]]:
        del own["urls"]
    return node | {RESOURCE: own} if own else node


class _RecordSets:
    """Makes the record sets of a manifest: its splits, its classes, and the rows of each split."""

    def __init__(self, manifest: Manifest, files: _Files, version: Version) -> None:
        self._manifest, self._files, self._version = manifest, files, version
        self._splits = free("splits", manifest.splits)
        self._classes = free("classes", manifest.splits)

    def nodes(self) -> Iterator[Node]:
        """Each record set, those first that others refer to."""
        yield self._named_splits()
        for name, feature in self._manifest.features.items():
            label = _label(feature)
            if label is not None:
                yield _enumeration(identifier(self._classes, name), name, label)
        for name, split in self._manifest.splits.items():
            yield self._rows(name, split)

    def _named_splits(self) -> Node:
        """The splits, and what each is meant for where its name says so."""
        name, url = f"{self._splits}/name", f"{self._splits}/url"
        data = [
            {name: split} | ({url: SPLIT_KINDS[split]} if split in SPLIT_KINDS else {url: ""})
            for split in self._manifest.splits
        ]
        return {
            "@type": "cr:RecordSet",
            "@id": self._splits,
            "name": "splits",
            "description": "The splits of the dataset.",
            "dataType": "cr:Split",
            "key": reference(name),
            "field": [
                {"@type": "cr:Field", "@id": name, "name": "name", "dataType": "sc:Text"},
                {"@type": "cr:Field", "@id": url, "name": "url", "dataType": "sc:URL"},
            ],
            "data": data,
        }

    def _rows(self, name: str, split: Split) -> Node:
        features = self._manifest.split_features(name)
        source = self._files.source(name, split)
        fields = [self._field(name, split, column, source) for column in features]
        if self._version == "1.1":
            fields.append(self._split_field(name))
        return {
            "@type": "cr:RecordSet",
            "@id": name,
            "name": name,
            "description": f"{split.rows:,} rows.",
            "field": fields,
            SPLIT: msgspec.to_builtins(split),
        }

    def _split_field(self, name: str) -> Node:
        """A constant field that says which split the rows are of."""
        field = free("split", self._manifest.features)
        return {
            "@type": "cr:Field",
            "@id": identifier(name, field),
            "name": field,
            "description": "The split that the row is of.",
            "dataType": "sc:Text",
            "value": name,
            "references": {"field": reference(f"{self._splits}/name")},
        }

    def _field(self, name: str, split: Split, column: str, source: Node) -> Node:
        feature = self._manifest.features[column]
        label = _label(feature)
        key = "" if label is None else written(split, column, label)
        field: Node = {
            "@type": "cr:Field",
            "@id": identifier(name, column),
            "name": column,
            **types(feature, self._version, numbers=key == "number"),
            "source": source | dict(extract(split, column) or {}),
        }
        if isinstance(feature, AudioFeature):
            field["source"]["samplingRate"] = feature.rate
        if key:
            place = identifier(self._classes, column, key)
            field["references"] = {"field": reference(place)}
        return field | {FEATURE: _without_classes(feature)}


def _label(feature: Feature) -> LabelFeature | None:
    """The classes of a feature, which may be those of a list's values."""
    if isinstance(feature, ListFeature):
        return _label(feature.of)
    return feature if isinstance(feature, LabelFeature) else None


def _enumeration(place: str, name: str, label: LabelFeature) -> Node:
    """The classes of a feature: the number that upstream gives each, its name, its code."""
    kinds = {"number": ("sc:Integer", "sc:position"), "name": ("sc:Text", "sc:name")}
    if label.codes:
        kinds["code"] = ("sc:Text", "sc:identifier")
    fields = [
        {
            "@type": "cr:Field",
            "@id": identifier(place, key),
            "name": key,
            "dataType": kind,
            "equivalentProperty": meaning,
        }
        for key, (kind, meaning) in kinds.items()
    ]
    rows = []
    for i, title in enumerate(label.names):
        row = {"number": label.first + i, "name": title}
        row |= {"code": label.codes[i]} if label.codes else {}
        rows.append({identifier(place, key): value for key, value in row.items()})
    return {
        "@type": "cr:RecordSet",
        "@id": place,
        "name": f"classes of {name}",
        "description": f"What each {name} means.",
        "dataType": "sc:Enumeration",
        "key": reference(identifier(place, "number")),
        "field": fields,
        "data": rows,
    }


def _without_classes(feature: Feature) -> dict[str, Any]:
    """A feature without its classes, which have a record set."""
    content: dict[str, Any] = msgspec.to_builtins(feature)
    inner = content.get("of", content)
    for key in ("names", "codes", "first"):
        inner.pop(key, None)
    return content
