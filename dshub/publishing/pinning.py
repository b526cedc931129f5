"""Checksums and sizes of real files, written into a manifest; its comments and order stay."""

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

CHUNKED = 4 * CHUNK  # bytes from which a file has checksums of its chunks


@dataclass(frozen=True)
class Measured:
    """What a file is.

    Attributes:
        sha256: of all its bytes, in hexadecimal digits.
        size: bytes.
        chunks: SHA-256 of each piece of 16 MiB; empty for a file that is not worth it.
    """

    sha256: str
    size: int
    chunks: tuple[str, ...] = ()


def measure(path: Path, *, advance: Callable[[int], object] = int) -> Measured:
    """Read a file once; raises OSError where it cannot be read.

    Args:
        path: the file.
        advance: is told the bytes as they are read.
    """
    whole, size, chunks = hashlib.sha256(), 0, []
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            whole.update(piece)
            size += len(piece)
            advance(len(piece))
            chunks.append(hashlib.sha256(piece).hexdigest())
    return Measured(whole.hexdigest(), size, tuple(chunks) if size >= CHUNKED else ())


def file_names(manifest: Path) -> dict[str, str]:
    """The upstream file name of each resource of a manifest, whatever else is wrong with it.

    Raises:
        ManifestError: it is no TOML, or its resources are no tables.
    """
    tables = _resources(_loaded(manifest), manifest)
    return {name: file_name(table) for name, table in tables.items()}


def file_name(resource: Mapping[str, Any]) -> str:
    """The upstream file name of a resource as it stands in TOML; empty where it has none."""
    urls = resource.get("urls") or [""]
    return str(resource.get("filename") or unquote(urlsplit(str(urls[0])).path).split("/")[-1])


def pin(manifest: Path, measured: Mapping[str, Measured]) -> list[str]:
    """Write what was measured into a manifest; returns the resources that have changed.

    Args:
        manifest: the file; it is replaced as a whole, or not at all.
        measured: by name of the resource.

    Raises:
        ManifestError: it is no TOML, or would have faults afterwards.
        MissingExtraError: tomlkit is not installed.
        OSError: it cannot be written.
    """
    try:
        import tomlkit
    except ImportError as error:
        raise MissingExtraError(package="tomlkit", extra="author") from error
    _loaded(manifest)  # tomlkit's own errors name no file
    document = tomlkit.parse(manifest.read_text(encoding="utf-8"))
    tables = _resources(document, manifest)
    changed = [name for name, facts in measured.items() if _write(tables[name], facts, tomlkit)]
    text = tomlkit.dumps(document)
    parse(text, source=str(manifest))
    if changed:
        temporary = manifest.with_name(f".{manifest.name}.{secrets.token_hex(8)}")
        replace_file(manifest, text.encode(), temporary)
    return changed


def _write(table: Any, facts: Measured, tomlkit: Any) -> bool:  # tomlkit's
    before = (table.get("sha256"), table.get("size"), tuple(table.get("chunks", ())))
    if before == (facts.sha256, facts.size, facts.chunks):
        return False
    table["sha256"], table["size"] = facts.sha256, facts.size
    if facts.chunks:
        chunks = tomlkit.array()
        chunks.extend(facts.chunks)
        table["chunks"] = chunks.multiline(multiline=True)
    elif "chunks" in table:
        del table["chunks"]
    return True


def _loaded(manifest: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(manifest.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _fault(manifest, "", f"no valid TOML: {error}") from error


def _resources(document: Any, manifest: Path) -> Any:  # as TOML has it
    tables = document.get("resources")
    if not isinstance(tables, dict) or not all(isinstance(item, dict) for item in tables.values()):
        raise _fault(manifest, "resources", "must be a table for each file")
    return tables


def _fault(manifest: Path, place: str, problem: str) -> ManifestError:
    return ManifestError(source=str(manifest), faults=[Fault(place, problem)])
