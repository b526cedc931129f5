"""Build manifests of made-up datasets with defaults for most fields."""

import json
from collections.abc import Mapping
from pathlib import Path

import tomlkit

from dshub.catalog.features import Feature, LabelFeature
from dshub.catalog.manifest import Manifest, Resource, Split
from dshub.catalog.parsing import to_json
from dshub.checksums import Digest

LETTERS = LabelFeature(names=("a", "b", "c"))
IDX = {"format": "idx"}


def make_resource(data: bytes, *urls: str, filename: str = "") -> Resource:
    """Return a resource with the checksum and size of some bytes."""
    return Resource(urls=urls, filename=filename, sha256=Digest.of_bytes(data).hex, size=len(data))


def make_manifest(
    resources: Mapping[str, Resource],
    *,
    splits: Mapping[str, Split],
    name: str = "tiny",
    version: str = "1.0.0",
    features: Mapping[str, Feature] | None = None,
    supervised: tuple[str, str] | None = None,
) -> Manifest:
    """Return a manifest, by default with one column of labels."""
    return Manifest(
        schema=1,
        name=name,
        version=version,
        title="A dataset",
        summary="Made up.",
        task="none",
        homepage="https://data.example",
        supervised=supervised,
        resources=dict(resources),
        features=dict(features or {"label": LETTERS}),
        splits=dict(splits),
    )


def label_split(rows: int, resource: str = "labels") -> Split:
    """Return a split of labels in an IDX file."""
    return Split(rows=rows, reader=IDX, files={"label": resource})


def save_manifest(manifest: Manifest, registry: Path) -> Path:
    """Write a manifest into a registry folder and return its path."""
    path = registry / manifest.name / f"{manifest.version}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tomlkit.dumps(json.loads(to_json(manifest))), encoding="utf-8")
    return path
