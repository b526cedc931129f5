"""Parse manifests, and report all faults of a manifest in one error.

msgspec converts a valid manifest in one call. It stops at the first fault, and its error messages
leave out dict keys. Therefore, this module converts an invalid manifest again, field by field and
entry by entry, and leaves only plain values to msgspec.
"""

import tomllib
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import msgspec

from dshub._validate import decode
from dshub.catalog.checks import check, check_kept
from dshub.catalog.faults import BROKEN, Fault, with_lines
from dshub.catalog.manifest import Manifest
from dshub.display import short
from dshub.errors import ManifestError

_LARGEST = 8_000_000  # maximum bytes of a manifest, far more than ImageNet's manifest has


def read(path: Path) -> Manifest:
    """Read a manifest from a file.

    Raises:
        ManifestError: the file is unreadable or has faults. The error lists all faults.
    """
    return parse(read_bytes(path), source=str(path))


def read_bytes(path: Path) -> bytes:
    """Read the content of a manifest file; raises ManifestError."""
    try:
        if path.stat().st_size <= _LARGEST:
            return path.read_bytes()
        reason = "it is too large"
    except OSError as error:
        reason = error.strerror or str(error)
    raise ManifestError(source=str(path), faults=[Fault("", reason)])


def parse_as(identifier: str, data: bytes, *, source: str, witness: str = "its path") -> Manifest:
    """Parse a manifest with an expected name and version.

    Args:
        identifier: expected `name@version`.
        data: manifest in TOML.
        source: file name or description of the manifest for errors.
        witness: origin of the identifier for errors.

    Raises:
        ManifestError: the manifest has faults, or another name or version.
    """
    manifest = parse(data, source=source)
    if manifest.identifier != identifier:
        fault = Fault("name", f"it is {manifest.identifier}, but {witness} says {identifier}")
        raise ManifestError(source=source, faults=[fault])
    return manifest


def parse(data: bytes | str, *, source: str) -> Manifest:
    """Parse a manifest in TOML.

    Args:
        data: manifest in TOML.
        source: file name or description of the manifest for errors.

    Raises:
        ManifestError: the manifest has faults. The error lists all faults with their places. Rules
            for several fields are not checked in a table with an invalid field.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
        content = tomllib.loads(text)
    except UnicodeDecodeError as error:
        fault = Fault("", f"it is not UTF-8: byte {error.start} is invalid")
        raise ManifestError(source=source, faults=[fault]) from None
    except (ValueError, RecursionError) as error:  # also ValueError for a number of 5,000 digits
        fault = Fault("", f"it is not valid TOML: {error}")
        raise ManifestError(source=source, faults=[fault]) from None
    faults: list[Fault] = []
    try:
        manifest = msgspec.convert(content, Manifest)  # ten times as fast as `_fields`
    except ValueError:  # from msgspec, or from Python for a number of 5,000 digits
        manifest = Manifest(**_fields(Manifest, content, "", faults))
    faults += check(manifest)
    if faults:
        raise ManifestError(source=source, faults=with_lines(faults, text))
    return manifest


def to_json(manifest: Manifest) -> bytes:
    """Encode a manifest as JSON, keeping the order of columns and splits."""
    return msgspec.json.encode(manifest)


def from_json(data: bytes) -> Manifest:
    """Decode a manifest from `to_json`; raises ManifestError."""
    faults: list[object] = []
    try:
        manifest = decode(data, Manifest)
        faults += check_kept(manifest)
    except ValueError as error:
        faults.append(error)
    if faults:
        raise ManifestError(source="a cached manifest", faults=faults)
    return manifest


def _value(kind: Any, value: Any, place: str, faults: list[Fault]) -> Any:
    """Convert a value, or add its faults to `faults` and return `BROKEN`."""
    if structs := _structs(kind):
        return _struct(structs, value, place, faults)
    origin, inner = _container(kind)
    if origin is dict and isinstance(value, dict) and value:
        for key in value:
            _value(inner[0], key, f"{place}.{key}", faults)
        return {
            key: _value(inner[1], item, f"{place}.{key}", faults) for key, item in value.items()
        }
    if origin is tuple and isinstance(value, list) and _structs(inner[0]):
        return tuple(
            _value(inner[0], item, f"{place}[{i}]", faults) for i, item in enumerate(value)
        )
    try:
        return msgspec.convert(value, kind)
    except ValueError as error:
        text = str(error).partition(" - at `$")[0]
        rule = "" if ", got " in text else _rule(kind)
        faults.append(Fault(place, f"must {rule}" if rule else text[0].lower() + text[1:]))
        return BROKEN


def _struct(kinds: tuple[Any, ...], value: Any, place: str, faults: list[Fault]) -> Any:
    """Convert a table to the struct that its tag field selects."""
    if not isinstance(value, dict):
        faults.append(Fault(place, f"expected a table, got {short(value)}"))
        return BROKEN
    kind, field = kinds[0], kinds[0].__struct_config__.tag_field
    if field:
        by_tag, tag = {option.__struct_config__.tag: option for option in kinds}, value.get(field)
        if not isinstance(tag, str) or tag not in by_tag:
            problem = "is missing" if tag is None else f"{short(tag)} is unknown"
            message = f"{problem}; known: {', '.join(sorted(by_tag))}"
            faults.append(Fault(f"{place}.{field}", message))
            return BROKEN
        kind = by_tag[tag]
    before, table = len(faults), {key: value[key] for key in value if key != field}
    fields = _fields(kind, table, place, faults)
    unknown = table.keys() - fields.keys()
    return kind(**fields) if len(faults) == before + len(unknown) else BROKEN


def _fields(kind: Any, table: dict[str, Any], place: str, faults: list[Fault]) -> dict[str, Any]:
    """Convert the fields of a struct; invalid and missing fields become `BROKEN`."""
    defined = _defined_fields(kind)
    prefix = f"{place}." if place else ""
    for key in table.keys() - defined.keys():
        import difflib  # needed only for errors

        close = difflib.get_close_matches(key, defined, n=1)
        suggestion = f"; did you mean {close[0]}?" if close else ""
        faults.append(Fault(f"{prefix}{key}", f"unknown field{suggestion}"))
    missing = [name for name, field in defined.items() if field.required and name not in table]
    faults += [Fault(f"{prefix}{name}", "is missing") for name in missing]
    return dict.fromkeys(missing, BROKEN) | {
        name: _value(field.type, table[name], f"{prefix}{name}", faults)
        for name, field in defined.items()
        if name in table
    }


@cache  # inspecting a type takes longer than converting a small table
def _defined_fields(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(kind)}


@cache
def _structs(kind: Any) -> tuple[Any, ...]:
    """Return the structs of a union, or a single struct; empty for other types."""
    options = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    is_struct = [isinstance(item, type) and issubclass(item, msgspec.Struct) for item in options]
    return options if all(is_struct) else ()


@cache
def _container(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return `dict` or `tuple` with its type arguments, for a type with or without constraints."""
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_origin(plain), get_args(plain)


@cache
def _rule(kind: Any) -> str:
    """Return the description of a constraint on a type, or on one of its type arguments."""
    own = [meta.description for meta in getattr(kind, "__metadata__", ()) if meta.description]
    return next(filter(None, [*own, *map(_rule, get_args(kind))]), "")
