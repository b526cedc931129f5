"""Export manifests as Croissant documents, and import them again."""

import copy
import json
import os
import random
import tomllib
from importlib.util import find_spec
from typing import Any

import msgspec
import pytest

from dshub import Registry
from dshub.cache.paths import blob_path
from dshub.catalog.croissant.exporting import to_croissant
from dshub.catalog.croissant.importing import from_croissant
from dshub.catalog.croissant.vocabulary import VERSIONS
from dshub.catalog.features import AudioFeature, ImageFeature
from dshub.catalog.manifest import Manifest
from dshub.catalog.parsing import parse
from dshub.errors import DshubError

pytest.importorskip("tomlkit")

from dshub.catalog.croissant.writing import to_toml

importing = pytest.mark.skipif(
    find_spec("mlcroissant") is None, reason="mlcroissant is not installed"
)
NAMES = Registry().names()
# mlcroissant takes a second per dataset, so every tenth is tested by default
TESTED_NAMES = NAMES if os.environ.get("DSHUB_TEST_EVERYTHING") else NAMES[::10]
SHA = "00" * 32

UNUSUAL: dict[str, Any] = {
    "schema": 1,
    "name": "family/un.usual",
    "version": "2.0.1",
    "title": 'Un"usual" {things}',
    "summary": "Every kind of feature, and files in every place.",
    "task": "none",
    "homepage": "https://data.example/",
    "supervised": ["photo", "kind"],
    "license": {"spdx": "CC-BY-4.0", "source": "https://data.example/", "note": "really"},
    "citations": [
        {"type": "misc", "key": "a", "title": "A {B} and C}", "author": ["Smith and Sons", "X"]}
    ],
    "resources": {
        "train": {
            "urls": ["https://one.example/a%20b.tar.gz", "https://two.example/a"],
            "sha256": SHA,
            "size": 7,
            "chunks": [SHA],
            "content_sha256": SHA,
            "limits": {"ratio": 1000},
        },
        "by-hand": {
            "filename": "list.csv",
            "md5": "00" * 16,
            "access": "manual",
            "instructions": "ask for it",
        },
        "more": {
            "urls": ["https://one.example/download?id=3"],
            "filename": "m.zip",
            "md5": "1" * 32,
        },
    },
    "features": {
        "photo": {"kind": "image", "encoding": "jpeg"},
        "drawing": {"kind": "image", "encoding": "any", "shape": [8, 8, 1]},
        "pixels": {"kind": "image", "shape": [2, 3, 4], "dtype": "float32"},
        "sound": {"kind": "audio", "rate": 16000, "channels": 2, "encoding": "flac"},
        "kind": {"kind": "label", "names": ["cat", "dog"], "codes": ["n01", "n02"]},
        "grade": {"kind": "label", "names": ["A", "B"], "first": 1},
        "sense": {"kind": "label", "names": ["no", "yes"]},
        "score": {"kind": "number", "dtype": "float64", "missing": ["?"]},
        "box": {"kind": "number", "dtype": "int16", "shape": [2, 2]},
        "text": {"kind": "text"},
        "tags": {"kind": "list", "of": {"kind": "label", "names": ["N", "V"]}},
        "split": {"kind": "list", "of": {"kind": "number", "dtype": "uint8", "shape": [3]}},
    },
    "splits": {
        "files": {
            "rows": 3,
            "reader": {"format": "folder", "path": "a b/{kind}/{name}.jpg"},
            "files": {
                "photo": ["train:a b/*.jpg", "train:c?[x].jpg", "more:inner.tar:*"],
                "list": "by-hand",
            },
            "steps": [
                {
                    "step": "join",
                    "part": "list",
                    "reader": {"format": "json", "columns": {"name": "name"}},
                    "on": ["name"],
                    "columns": ["text"],
                }
            ],
            "without": ["grade"],
            "figures": {"kind-counts": [1, 2]},
        },
        "classes": {
            "rows": 1,
            "reader": {"format": "json", "columns": {"text": "text"}},
            "files": {"rows": "more:one/two.json"},
        },
        "splits": {
            "rows": 1,
            "reader": {"format": "idx"},
            "files": {"pixels": "train:p", "box": "more:b", "kind": "train:p:q"},
        },
    },
}


def unusual_manifest() -> Manifest:
    """Return a manifest with every kind of feature, resource and file reference."""
    return msgspec.convert(UNUSUAL, Manifest)


def documents(manifest: Manifest) -> list[Any]:
    """Export a manifest in each Croissant version and pass it through JSON."""
    return [json.loads(json.dumps(to_croissant(manifest, version=version))) for version in VERSIONS]


@importing
@pytest.mark.parametrize("name", TESTED_NAMES)
def test_manifest_survives_export_and_import(name: str) -> None:
    manifest = Registry().manifest(name)
    for document in documents(manifest):
        imported = from_croissant(document, source="test")
        assert imported.notes + imported.missing == ()
        assert parse(to_toml(imported), source="test") == manifest


@importing
def test_every_kind_of_feature_and_file_survives() -> None:
    for document in documents(unusual_manifest()):
        imported = from_croissant(document, source="test")
        assert imported.notes + imported.missing == ()
        assert msgspec.convert(imported.content, Manifest) == unusual_manifest()
        assert msgspec.convert(tomllib.loads(to_toml(imported)), Manifest) == unusual_manifest()


def identifiers(value: Any) -> list[str]:
    """Return the `@id` of every node of a document, but not of references."""
    if isinstance(value, list):
        return [identifier for item in value for identifier in identifiers(item)]
    if not isinstance(value, dict):
        return []
    identifier_of_node = [value["@id"]] if "@id" in value and "@type" in value else []
    return identifier_of_node + [
        identifier
        for key, item in value.items()
        if key != "@context"
        for identifier in identifiers(item)
    ]


@pytest.mark.parametrize("name", [*NAMES, "unusual"])
def test_ids_are_unique_and_have_no_spaces(name: str) -> None:
    manifest = unusual_manifest() if name == "unusual" else Registry().manifest(name)
    for document in documents(manifest):
        ids = identifiers({"recordSet": document["recordSet"], "x": document["distribution"]})
        assert len(set(ids)) == len(ids)
        assert not any(" " in item for item in ids)


def without_dshub_terms(value: Any) -> Any:
    """Remove the `dshub` terms, which other programs do not write."""
    if isinstance(value, dict):
        return {
            key: without_dshub_terms(item)
            for key, item in value.items()
            if not key.startswith("dshub")
        }
    return [without_dshub_terms(item) for item in value] if isinstance(value, list) else value


@importing
@pytest.mark.parametrize("name", TESTED_NAMES)
def test_manifest_survives_without_dshub_terms(name: str) -> None:
    manifest = Registry().manifest(name)
    document = without_dshub_terms(to_croissant(manifest))
    content = from_croissant(document, source="test").content
    assert content["name"] == manifest.name
    assert content["version"] == manifest.version
    assert content.get("license", {}).get("spdx") == manifest.license.spdx
    assert list(content["splits"]) == list(manifest.splits)
    for key, resource in manifest.resources.items():
        entry = content["resources"][key]
        assert entry.get("sha256") == resource.sha256
        assert entry.get("size") == resource.size
        assert tuple(entry.get("urls", ())) == resource.urls[:1]
    for key, feature in manifest.features.items():
        if isinstance(feature, AudioFeature):
            continue  # audio features need the `dshub` terms
        entry = content["features"][key]
        if isinstance(feature, ImageFeature) and feature.encoding == "raw":
            assert entry["shape"] == list(feature.shape)


@importing
def test_readers_survive_without_dshub_terms() -> None:
    readers = {
        "json": {"format": "json", "columns": {"text": "said"}},
        "parquet": {"format": "parquet", "columns": {"text": "said"}},
    }
    files = {"json": {"rows": "more:a.jsonl"}, "parquet": {"rows": "more:a.parquet"}}
    excluded = [name for name in unusual_manifest().features if name != "text"]
    content = UNUSUAL | {"splits": {}}
    for key, reader in readers.items():
        split = {"rows": 1, "reader": reader, "files": files[key], "without": excluded}
        content["splits"][key] = split
    manifest = msgspec.convert(content, Manifest)
    imported = from_croissant(without_dshub_terms(to_croissant(manifest)), source="test")
    assert imported.content["splits"] == {
        key: {"reader": reader, "files": files[key]} for key, reader in readers.items()
    }


def test_files_have_mirror_urls() -> None:
    manifest = Registry().manifest("mnist")
    document = to_croissant(
        manifest, address=lambda item: f"https://m.example/{blob_path(item.digest)}"
    )
    urls = [node["contentUrl"] for node in document["distribution"] if "contentUrl" in node]
    sums = [item.sha256 or "" for item in manifest.resources.values()]
    assert urls == [f"https://m.example/blobs-v1/{value[:2]}/{value}" for value in sums]
    urls = document["dshub:manifest"]["resources"]["train-images"]["urls"]
    assert tuple(urls) == manifest.resources["train-images"].urls


def test_missing_facts_are_left_out() -> None:
    document = to_croissant(Registry().manifest("cifar-10"))
    assert not {"license", "creator", "datePublished", "dateCreated"} & document.keys()


@importing
@pytest.mark.parametrize("seed", range(16))
def test_mangled_document_raises_only_dshub_errors(seed: int) -> None:
    chance = random.Random(seed)
    junk: list[Any] = [
        None,
        True,
        -1,
        0.5,
        "",
        "\ud800",
        "\x00\n",
        [],
        {},
        [[]],
        {"@id": 3},
        {"": ""},
    ]
    junk += [{"a\nb": [1, None]}, "http://[", 10**30, "sc:Enumeration", {"format": "folder"}]
    for document in documents(unusual_manifest()):
        mangled = without_dshub_terms(document) if chance.random() < 0.5 else document
        for _ in range(chance.randint(1, 3)):
            mangle_value(mangled, chance, junk)
        try:
            text = to_toml(from_croissant(mangled, source="test"))
            tomllib.loads(text)
            text.encode()
            parse(text, source="test")
        except DshubError:
            pass


def mangle_value(document: Any, chance: random.Random, junk: list[Any]) -> None:
    """Replace or remove a random value."""
    value = document
    while True:
        keys = [key for key in value if key != "@context"] if isinstance(value, dict) else None
        keys = list(range(len(value))) if isinstance(value, list) else keys
        if not keys:
            return
        key = chance.choice(keys)
        if not isinstance(value[key], dict | list) or chance.random() < 0.2:
            break
        value = value[key]
    if chance.random() < 0.2:
        del value[key]
    else:
        value[key] = copy.deepcopy(chance.choice(junk))
