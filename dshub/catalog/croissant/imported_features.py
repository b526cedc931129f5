"""Import Croissant's fields as features."""

from typing import TYPE_CHECKING, Any

from dshub.catalog.croissant.reading import Note, term
from dshub.catalog.croissant.vocabulary import WIDTHS

if TYPE_CHECKING:
    from mlcroissant import Field, RecordSet

Content = dict[str, Any]

_DTYPES = {name.removeprefix("cr:"): dtype for dtype, name in WIDTHS.items()}
_SCALARS: dict[str, Content] = {
    "ImageObject": {"kind": "image", "encoding": "any"},
    **{kind: {"kind": "text"} for kind in ("Text", "URL", "Date", "DateTime", "Time")},
    **{kind: {"kind": "number", "dtype": dtype} for kind, dtype in _DTYPES.items()},
    "Integer": {"kind": "number", "dtype": "int64"},
    "Float": {"kind": "number", "dtype": "float64"},
    "Number": {"kind": "number", "dtype": "float64"},
    "Boolean": {"kind": "label", "names": ["false", "true"]},
}


def types(node: "Field | RecordSet") -> list[str]:
    """The data types of a node, without namespaces."""
    return [term(str(item)) for item in node.data_types or ()]


def feature_of(field: "Field", notes: list[Note]) -> Content | None:
    """The feature of a field; None if a manifest has no such feature.

    Classes are imported as the numbers or texts in the files.
    """
    kinds = types(field)
    if "Label" in kinds or field.references.field:
        notes.append(Note(field.uuid, "its classes are not imported: write a label feature"))
    scalar = next((feature for kind, feature in _SCALARS.items() if kind in kinds), None)
    if scalar is None:
        message = f"its data type is not understood: {', '.join(kinds) or 'none'}"
        notes.append(Note(field.uuid, message))
        return None
    width = next((_DTYPES[kind] for kind in kinds if kind in _DTYPES), "")
    if width and scalar["kind"] in {"image", "number"}:
        scalar = scalar | {"dtype": width}
    shape = tuple(field.array_shape_tuple or ((-1,) if field.repeated else ()))
    feature = _array(scalar, shape) if shape else scalar
    if feature is None:
        message = f"no feature holds {scalar['kind']} of the shape {shape}"
        notes.append(Note(field.uuid, message))
    return feature


def _array(scalar: Content, shape: tuple[int, ...]) -> Content | None:
    """The feature for several values in a row: an array of pixels or numbers, or a list."""
    kind, is_fixed = scalar["kind"], min(shape) > 0
    if kind == "image" and is_fixed and len(shape) == 3 and "dtype" in scalar:
        return scalar | {"shape": list(shape), "encoding": "raw"}
    if kind == "number" and is_fixed:
        return scalar | {"shape": list(shape)}
    if kind != "image" and len(shape) == 1:
        return {"kind": "list", "of": scalar}
    return None
