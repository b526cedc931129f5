"""From TOML text to a `Manifest`, with every fault of the text in one error.

msgspec converts a manifest without faults at once. At the first fault it stops, and hides mapping
keys in its places: then structs and mappings are walked here, field by field and entry by entry,
and msgspec converts what is left, the plain values, one at a time.
"""

import tomllib
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec

from dshub._validate import decode
from dshub.catalog.checks import check, check_kept
from dshub.catalog.faults import BROKEN, Fault, with_lines
from dshub.catalog.manifest import Manifest
from dshub.display import short
from dshub.errors import ManifestError

_LARGEST = 8_000_000  # bytes of a manifest: far above ImageNet's, far below trouble


def read(path: Path) -> Manifest:
    """The manifest in a file.

    Raises:
        ManifestError: the file cannot be read, or has faults; all of them are listed.
    """
    return parse(read_text(path), source=str(path))


def read_text(path: Path) -> str:
    """The text of a manifest's file; raises ManifestError."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ManifestError(source=str(path), faults=[Fault("", "it is too large")])
        data = path.read_bytes()
    except OSError as error:
        fault = Fault("", error.strerror or str(error))
        raise ManifestError(source=str(path), faults=[fault]) from None
    return decode_text(data, source=str(path))


def decode_text(data: bytes, *, source: str) -> str:
    """The text of a manifest from its bytes; raises ManifestError."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        fault = Fault("", f"it is not UTF-8: byte {error.start} cannot be read")
        raise ManifestError(source=source, faults=[fault]) from None


def parse_as(identifier: str, text: str, *, source: str, witness: str = "its path") -> Manifest:
    """The manifest in a text, which must be of one name and version.

    Args:
        identifier: `name@version`.
        text: TOML.
        source: as of `parse`.
        witness: what says that the text is of that identifier.

    Raises:
        ManifestError: as of `parse`, or it is another manifest.
    """
    manifest = parse(text, source=source)
    if manifest.identifier != identifier:
        fault = Fault("name", f"it says {manifest.identifier}, but {witness} says {identifier}")
        raise ManifestError(source=source, faults=[fault])
    return manifest


def parse(text: str, *, source: str) -> Manifest:
    """The manifest in a TOML text; `source` names it in errors.

    Raises:
        ManifestError: the text has faults; all of them are listed with their places. A table
            with a field of the wrong type is looked at no further.
    """
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of 5,000 digits
        fault = Fault("", f"it is not valid TOML: {error}")
        raise ManifestError(source=source, faults=[fault]) from None
    faults: list[Fault] = []
    try:
        manifest = msgspec.convert(content, Manifest)  # a tenth of the time of what is below
    except ValueError:  # msgspec's; or Python's, of a number of 5,000 digits
        manifest = Manifest(**_decode_fields(Manifest, content, "", faults))
    faults += check(manifest)
    if faults:
        raise ManifestError(source=source, faults=with_lines(faults, text))
    return manifest


def to_json(manifest: Manifest) -> bytes:
    """The manifest as JSON, columns and splits in their own order: the form that is kept."""
    return msgspec.json.encode(manifest)


def from_json(data: bytes) -> Manifest:
    """The manifest that `to_json` wrote; raises ManifestError where it did not."""
    faults: list[object] = []
    try:
        manifest = decode(data, Manifest)
        faults += check_kept(manifest)
    except ValueError as error:
        faults.append(error)
    if faults:
        raise ManifestError(source="a manifest kept as JSON", faults=faults)
    return manifest


def _decode(kind: Any, value: Any, place: str, faults: list[Fault]) -> Any:
    """`value` as a `kind`; where that fails, adds faults and returns `BROKEN`."""
    if _is_tagged_union(kind):
        return _decode_tagged(kind, value, place, faults)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _decode_struct(kind, value, place, faults)
    if get_origin(kind) is dict and isinstance(value, dict):
        inner = get_args(kind)[1]
        return {key: _decode(inner, item, f"{place}.{key}", faults) for key, item in value.items()}
    if _is_list_of_structs(kind) and isinstance(value, list):
        inner = get_args(kind)[0]
        return tuple(_decode(inner, item, f"{place}[{i}]", faults) for i, item in enumerate(value))
    try:
        return msgspec.convert(value, kind)
    except ValueError as error:
        text = str(error)[0].lower() + str(error)[1:]
        faults.append(Fault(place, text.partition(" - at `$")[0]))
        return BROKEN


def _decode_struct(
    kind: type[msgspec.Struct], value: Any, place: str, faults: list[Fault], tag: str = ""
) -> Any:
    if not isinstance(value, dict):
        faults.append(Fault(place, f"expected a table, got {short(value)}"))
        return BROKEN
    before = len(faults)
    decoded = _decode_fields(kind, value, place, faults, tag)
    unknown = value.keys() - decoded.keys() - {tag}
    return kind(**decoded) if len(faults) == before + len(unknown) else BROKEN


def _decode_fields(
    kind: type[msgspec.Struct],
    value: dict[str, Any],
    place: str,
    faults: list[Fault],
    tag: str = "",
) -> dict[str, Any]:
    """The fields of a struct; `BROKEN` for those that are wrong, or missing and required."""
    fields = _fields(kind)
    for key in value.keys() - fields.keys() - {tag}:
        import difflib  # for a fault only: most manifests have none

        close = difflib.get_close_matches(key, fields, n=1)
        suggestion = f"; did you mean {close[0]}?" if close else ""
        faults.append(Fault(f"{place}.{key}".lstrip("."), f"unknown field{suggestion}"))
    decoded = {}
    for name, field in fields.items():
        if name in value:
            inner = f"{place}.{name}".lstrip(".")
            decoded[name] = _decode(field.type, value[name], inner, faults)
        elif field.required:
            faults.append(Fault(f"{place}.{name}".lstrip("."), "is missing"))
            decoded[name] = BROKEN
    return decoded


@cache  # finding out takes longer than reading a small table
def _fields(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(kind)}


def _decode_tagged(kind: Any, value: Any, place: str, faults: list[Fault]) -> Any:
    known = {option.__struct_config__.tag: option for option in get_args(kind)}
    field = get_args(kind)[0].__struct_config__.tag_field
    if not isinstance(value, dict):
        faults.append(Fault(place, f"expected a table, got {short(value)}"))
        return BROKEN
    tag = value.get(field)
    if not isinstance(tag, str) or tag not in known:
        problem = "is missing" if tag is None else f"{short(tag)} is unknown"
        faults.append(Fault(f"{place}.{field}", f"{problem}; known: {', '.join(sorted(known))}"))
        return BROKEN
    return _decode_struct(known[tag], value, place, faults, tag=field)


@cache
def _is_tagged_union(kind: Any) -> bool:
    options = get_args(kind) if get_origin(kind) is UnionType else ()
    return bool(options) and all(
        isinstance(option, type) and issubclass(option, msgspec.Struct) for option in options
    )


@cache
def _is_list_of_structs(kind: Any) -> bool:
    inner = get_args(kind)[0] if get_origin(kind) is tuple else None
    return _is_tagged_union(inner) or (
        isinstance(inner, type) and issubclass(inner, msgspec.Struct)
    )
