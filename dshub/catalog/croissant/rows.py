"""The splits and features of a manifest as Croissant's record sets."""

from collections.abc import Iterator
from typing import Any

import msgspec

from dshub.catalog.croissant.extracts import extract, written
from dshub.catalog.croissant.files import Files, Node
from dshub.catalog.croissant.vocabulary import (
    FEATURE,
    SPLIT,
    SPLIT_KINDS,
    Version,
    free,
    identifier,
    reference,
    types,
)
from dshub.catalog.features import AudioFeature, Feature, LabelFeature, ListFeature
from dshub.catalog.manifest import Manifest, Split


class RecordSets:
    """Makes the record sets of a manifest: its splits, its classes, and the rows of each split."""

    def __init__(self, manifest: Manifest, files: Files, version: Version) -> None:
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
        return field | {FEATURE: _own(feature)}


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


def _own(feature: Feature) -> dict[str, Any]:
    """A feature without its classes, which have a record set."""
    content: dict[str, Any] = msgspec.to_builtins(feature)
    inner = content.get("of", content)
    for key in ("names", "codes", "first"):
        inner.pop(key, None)
    return content
