"""Parse manifests, and report every fault of one in one error.

msgspec converts a manifest without faults at once. It stops at the first fault and hides mapping
keys in its places. So after a fault, structs and containers are converted here field by field and
entry by entry, and msgspec converts only plain values.
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

_LARGEST = 8_000_000  # bytes of a manifest: far above ImageNet's, far below trouble


def read(path: Path) -> Manifest:
    """Read a manifest from a file.

    Raises:
        ManifestError: the file cannot be read, or has faults; all of them are listed.
    """
    return parse(read_bytes(path), source=str(path))


def read_bytes(path: Path) -> bytes:
    """Read the file of a manifest; raises ManifestError."""
    try:
        if path.stat().st_size <= _LARGEST:
            return path.read_bytes()
        reason = "it is too large"
    except OSError as error:
        reason = error.strerror or str(error)
    raise ManifestError(source=str(path), faults=[Fault("", reason)])


def parse_as(identifier: str, data: bytes, *, source: str, witness: str = "its path") -> Manifest:
    """Parse a manifest that must have a certain name and version.

    Args:
        identifier: `name@version`.
        data: TOML.
        source: as in `parse`.
        witness: where the identifier comes from, for errors.

    Raises:
        ManifestError: as in `parse`, or it is another manifest.
    """
    manifest = parse(data, source=source)
    if manifest.identifier != identifier:
        fault = Fault("name", f"it says {manifest.identifier}, but {witness} says {identifier}")
        raise ManifestError(source=source, faults=[fault])
    return manifest


def parse(data: bytes | str, *, source: str) -> Manifest:
    """Parse a manifest from TOML; `source` names it in errors.

    Raises:
        ManifestError: it has faults; all of them are listed with their places. In a table
            with an invalid field, rules about several fields are not checked.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
        content = tomllib.loads(text)
    except UnicodeDecodeError as error:
        fault = Fault("", f"it is not UTF-8: byte {error.start} cannot be read")
        raise ManifestError(source=source, faults=[fault]) from None
    except (ValueError, RecursionError) as error:  # ValueError: also a number of 5,000 digits
        fault = Fault("", f"it is not valid TOML: {error}")
        raise ManifestError(source=source, faults=[fault]) from None
    faults: list[Fault] = []
    try:
        manifest = msgspec.convert(content, Manifest)  # ten times as fast as the lines below
    except ValueError:  # msgspec's, or Python's about a number of 5,000 digits
        manifest = Manifest(**_fields(Manifest, content, "", faults))
    faults += check(manifest)
    if faults:
        raise ManifestError(source=source, faults=with_lines(faults, text))
    return manifest


def to_json(manifest: Manifest) -> bytes:
    """Encode a manifest as JSON, columns and splits in their own order."""
    return msgspec.json.encode(manifest)


def from_json(data: bytes) -> Manifest:
    """Decode a manifest that `to_json` encoded; raises ManifestError."""
    faults: list[object] = []
    try:
        manifest = decode(data, Manifest)
        faults += check_kept(manifest)
    except ValueError as error:
        faults.append(error)
    if faults:
        raise ManifestError(source="a manifest kept as JSON", faults=faults)
    return manifest


def _value(kind: Any, value: Any, place: str, faults: list[Fault]) -> Any:
    """Convert a value; if it has faults, add them and return `BROKEN`."""
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
    """Convert a table to one of several structs, which its tag chooses."""
    if not isinstance(value, dict):
        faults.append(Fault(place, f"expected a table, got {short(value)}"))
        return BROKEN
    kind, field = kinds[0], kinds[0].__struct_config__.tag_field
    if field:
        known, tag = {option.__struct_config__.tag: option for option in kinds}, value.get(field)
        if not isinstance(tag, str) or tag not in known:
            problem = "is missing" if tag is None else f"{short(tag)} is unknown"
            message = f"{problem}; known: {', '.join(sorted(known))}"
            faults.append(Fault(f"{place}.{field}", message))
            return BROKEN
        kind = known[tag]
    before, table = len(faults), {key: value[key] for key in value if key != field}
    fields = _fields(kind, table, place, faults)
    unknown = table.keys() - fields.keys()
    return kind(**fields) if len(faults) == before + len(unknown) else BROKEN


def _fields(kind: Any, table: dict[str, Any], place: str, faults: list[Fault]) -> dict[str, Any]:
    """Convert the fields of a struct; those with faults, or missing ones, are `BROKEN`."""
    known = _known_fields(kind)
    prefix = f"{place}." if place else ""
    for key in table.keys() - known.keys():
        import difflib  # for an error only

        close = difflib.get_close_matches(key, known, n=1)
        suggestion = f"; did you mean {close[0]}?" if close else ""
        faults.append(Fault(f"{prefix}{key}", f"unknown field{suggestion}"))
    missing = [name for name, field in known.items() if field.required and name not in table]
    faults += [Fault(f"{prefix}{name}", "is missing") for name in missing]
    return dict.fromkeys(missing, BROKEN) | {
        name: _value(field.type, table[name], f"{prefix}{name}", faults)
        for name, field in known.items()
        if name in table
    }


@cache  # inspecting a type takes longer than converting a small table
def _known_fields(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(kind)}


@cache
def _structs(kind: Any) -> tuple[Any, ...]:
    """The structs of a union, or the only one; empty for other types."""
    options = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    is_struct = [isinstance(item, type) and issubclass(item, msgspec.Struct) for item in options]
    return options if all(is_struct) else ()


@cache
def _container(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """`dict` or `tuple` and the types inside, for containers with or without constraints."""
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_origin(plain), get_args(plain)


@cache
def _rule(kind: Any) -> str:
    """The description of a constraint on a type, or on a type inside it."""
    own = [meta.description for meta in getattr(kind, "__metadata__", ()) if meta.description]
    return next(filter(None, [*own, *map(_rule, get_args(kind))]), "")
