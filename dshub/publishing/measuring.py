"""Write the checksums and sizes of files into a manifest, preserving comments and order."""

import hashlib
import secrets
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from dshub.cache.files import replace_file
from dshub.catalog.faults import Fault
from dshub.catalog.manifest import CHUNK
from dshub.catalog.parsing import parse
from dshub.errors import ManifestError, MissingExtraError

MIN_CHUNKED_SIZE = 4 * CHUNK  # bytes; smaller files get no chunk checksums


@dataclass(frozen=True)
class Measured:
    """Checksums and size of a file.

    Attributes:
        sha256: SHA-256 of the file, in hexadecimal.
        size: size in bytes.
        chunks: SHA-256 of each 16 MiB chunk; empty for a small file.
    """

    sha256: str
    size: int
    chunks: tuple[str, ...] = ()


def measure(path: Path, *, advance: Callable[[int], object] = int) -> Measured:
    """Compute the checksums and the size of a file in one pass.

    Args:
        path: file to read.
        advance: called with the number of bytes of each read.

    Raises:
        OSError: the file cannot be read.
    """
    digest, size, chunks = hashlib.sha256(), 0, []
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            chunks.append(hashlib.sha256(chunk).hexdigest())
            advance(len(chunk))
    return Measured(digest.hexdigest(), size, tuple(chunks) if size >= MIN_CHUNKED_SIZE else ())


def file_names(manifest: Path) -> dict[str, str]:
    """Return the upstream file name of each resource, without validating the manifest.

    Raises:
        ManifestError: the manifest is not TOML, or `resources` is not a table of tables.
    """
    try:
        document = tomllib.loads(manifest.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _fault(manifest, "", f"not valid TOML: {error}") from error
    resources = document.get("resources")
    if not isinstance(resources, dict) or not all(isinstance(r, dict) for r in resources.values()):
        raise _fault(manifest, "resources", "must have a table for each file")
    return {name: file_name(resource) for name, resource in resources.items()}


def file_name(resource: Mapping[str, Any]) -> str:
    """Return the upstream file name of a parsed TOML resource; empty if it has none."""
    urls = resource.get("urls") or [""]
    return str(resource.get("filename") or unquote(urlsplit(str(urls[0])).path).split("/")[-1])


def write_checksums(manifest: Path, measured: Mapping[str, Measured]) -> list[str]:
    """Write checksums and sizes into a manifest, and return the names of changed resources.

    Args:
        manifest: path of the manifest, which is replaced atomically.
        measured: file checksums and size for each resource.

    Raises:
        ManifestError: the manifest is not TOML, or is invalid with the new values.
        MissingExtraError: tomlkit is not installed.
        OSError: the manifest cannot be written.
    """
    try:
        import tomlkit
    except ImportError as error:
        raise MissingExtraError(package="tomlkit", extra="author") from error
    file_names(manifest)  # reports errors that tomlkit ignores, or reports without the file name
    document: Any = tomlkit.parse(manifest.read_text(encoding="utf-8"))
    tables = document["resources"]
    changed = [name for name, facts in measured.items() if _update(tables[name], facts)]
    text = tomlkit.dumps(document)
    parse(text, source=str(manifest))
    if changed:
        temporary = manifest.with_name(f".{manifest.name}.{secrets.token_hex(8)}")
        replace_file(manifest, text.encode(), temporary)
    return changed


def _update(resource: Any, facts: Measured) -> bool:  # `resource` is a tomlkit table
    before = (resource.get("sha256"), resource.get("size"), tuple(resource.get("chunks", ())))
    if before == (facts.sha256, facts.size, facts.chunks):
        return False
    resource["sha256"], resource["size"] = facts.sha256, facts.size
    if facts.chunks:
        resource["chunks"] = list(facts.chunks)
        resource["chunks"].multiline(multiline=True)
    else:
        resource.pop("chunks", None)
    return True


def _fault(manifest: Path, location: str, problem: str) -> ManifestError:
    return ManifestError(source=str(manifest), faults=[Fault(location, problem)])
