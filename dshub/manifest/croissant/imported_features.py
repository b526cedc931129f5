"""Croissant's fields as features."""

import re
from collections.abc import Sequence
from typing import Any

from dshub.manifest.croissant.imported_classes import Enumerations
from dshub.manifest.croissant.notes import Note
from dshub.manifest.croissant.reading import (
    Node,
    flag,
    last,
    one,
    place,
    text,
    texts,
)
from dshub.manifest.croissant.vocabulary import FEATURE, PICTURES, SOUNDS, WIDTHS

Content = dict[str, Any]

_DTYPES = {name.removeprefix("cr:"): dtype for dtype, name in WIDTHS.items()}
_SCALARS: dict[str, Content] = {
    **{kind: {"kind": "text"} for kind in ("Text", "URL", "Date", "DateTime", "Time")},
    **{kind: {"kind": "number", "dtype": dtype} for kind, dtype in _DTYPES.items()},
    "Integer": {"kind": "number", "dtype": "int64"},
    "Float": {"kind": "number", "dtype": "float64"},
    "Number": {"kind": "number", "dtype": "float64"},
    "Boolean": {"kind": "label", "names": ["false", "true"]},
}


class ImportedFeatures:
    """What fields are, with the classes that they refer to.

    Args:
        document: where the enumerations are.
        notes: what is not understood is added to it.

    Attributes:
        enumerations: the record sets that are classes rather than rows.
    """

    def __init__(self, document: Node, notes: list[Note]) -> None:
        self._notes = notes
        self.enumerations = Enumerations(document, notes)

    def feature(self, field: Node, encodings: Sequence[str]) -> Content | None:
        """A field as a manifest has it; None where it is of no kind that there is."""
        own = field.get(FEATURE)
        classes = self.enumerations.of(field)
        if isinstance(own, dict):
            named = self.enumerations.named(last(place(field)))
            return _with_classes(own, classes or named)
        kinds, shape = texts(field, "dataType"), _shape(field)
        found = self._scalar(field, kinds, classes, encodings)
        if found is None or not shape:
            return found
        return self._array(field, found, shape)

    def _scalar(
        self, field: Node, kinds: Sequence[str], classes: Content | None, encodings: Sequence[str]
    ) -> Content | None:
        if classes is not None:
            return {"kind": "label", **classes}
        if "Label" in kinds:
            self._note(field, "the classes of the label are not in the document")
        if "ImageObject" in kinds:
            return _image(kinds, encodings)
        if "AudioObject" in kinds:
            return self._audio(field, encodings)
        found = next((_SCALARS[kind] for kind in kinds if kind in _SCALARS), None)
        if found is None:
            self._note(field, f"its data type is not understood: {', '.join(kinds) or 'none'}")
            return None
        widths = [{"dtype": _DTYPES[kind]} for kind in kinds if kind in _DTYPES]
        return found | (widths[0] if widths and found["kind"] == "number" else {})

    def _audio(self, field: Node, encodings: Sequence[str]) -> Content | None:
        source = one(field, "source")
        rate = text(source, "samplingRate") or text(one(source, "transform"), "samplingRate")
        kinds = {"audio/x-wav": "wav", "audio/x-flac": "flac"}
        kinds |= {media: name for name, media in SOUNDS.items()}
        encoding = next((kinds[item] for item in encodings if item in kinds), None)
        if encoding is None or not re.fullmatch(r"[0-9]{1,9}", rate):
            self._note(field, "a recording is read with its sampling rate, from WAV or FLAC")
            return None
        return {"kind": "audio", "rate": int(rate), "encoding": encoding}

    def _array(self, field: Node, found: Content, shape: tuple[int, ...]) -> Content | None:
        """A feature of several values: an array of numbers or pixels, or a list."""
        if found["kind"] == "image" and len(shape) == 3 and min(shape) > 0 and "dtype" in found:
            return found | {"shape": list(shape), "encoding": "raw"}
        if found["kind"] == "number" and min(shape) > 0:
            return found | {"shape": list(shape)}
        rest = shape[1:]
        if rest and (found["kind"] != "number" or min(rest) < 1):
            self._note(field, f"an array of {found['kind']} of the shape {shape} has no feature")
            return None
        if found["kind"] in {"label", "number", "text"}:
            return {"kind": "list", "of": found | ({"shape": list(rest)} if rest else {})}
        self._note(field, f"several of {found['kind']} in a row are no feature")
        return None

    def _note(self, node: Node, message: str) -> None:
        self._notes.append(Note(place(node), message))


def _with_classes(own: Content, classes: Content | None) -> Content:
    """A feature of ours, whose classes stand elsewhere."""
    inner = own.get("of")
    if isinstance(inner, dict):
        return own | {"of": _with_classes(inner, classes)}
    return own | (classes or {}) if own.get("kind") == "label" else own


def _image(kinds: Sequence[str], encodings: Sequence[str]) -> Content:
    dtype = next((_DTYPES[kind] for kind in kinds if kind in _DTYPES), None)
    known = [name for name, media in PICTURES.items() if media in encodings]
    found: Content = {"kind": "image", "encoding": known[0] if len(known) == 1 else "any"}
    return found | {"dtype": dtype} if dtype else found


def _shape(field: Node) -> tuple[int, ...]:
    """Lengths of an array, -1 for any; empty for a single value."""
    if not flag(field, "isArray") and not flag(field, "repeated"):
        return ()
    lengths = re.findall(r"-?[0-9]{1,9}", text(field, "arrayShape"))
    return tuple(map(int, lengths)) or (-1,)
