"""From a manifest to a Croissant document."""

import re
from typing import Any

import msgspec

from dshub.catalog.bibtex import bibtex
from dshub.catalog.croissant.files import Address, Files
from dshub.catalog.croissant.rows import RecordSets
from dshub.catalog.croissant.vocabulary import CONFORMS, DATASET, Version, context, free
from dshub.catalog.manifest import Manifest

_SAID = ("schema", "name", "version", "summary", "homepage", "tags")
_ELSEWHERE = ("resources", "features", "splits")


def to_croissant(
    manifest: Manifest, *, version: Version = "1.1", address: Address | None = None
) -> dict[str, Any]:
    """A manifest as a Croissant document, for `json.dump`.

    What the manifest does not know stays out, though Croissant asks for it: who made the data
    (`creator`) and when they were published (`datePublished`), and a licence that no source states.

    Args:
        manifest: of the dataset.
        version: of Croissant.
        address: where a file can be had, such as on a mirror; it then stands in place of
            upstream's first address, which is kept under `dshub:resource`.
    """
    files = Files(manifest, address=address, root=free("files", manifest.splits))
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
    document["recordSet"] = list(RecordSets(manifest, files, version).nodes())
    own = msgspec.to_builtins(manifest)
    for key in (*_SAID, *_ELSEWHERE):
        own.pop(key, None)
    return document | {DATASET: own}


def _license(spdx: str) -> str:
    """The page of a licence; an expression, or one that SPDX does not list, as it stands."""
    listed = re.fullmatch(r"(?!LicenseRef-)[A-Za-z0-9.+-]+", spdx)
    return f"https://spdx.org/licenses/{spdx}.html" if listed else spdx
