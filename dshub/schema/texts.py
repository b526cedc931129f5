"""Numbers, from text or from numbers of another width."""

import pyarrow as pa
import pyarrow.compute as pc

from dshub.manifest import NumberFeature
from dshub.schema.places import Place


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def numbers_of(
    values: pa.Array, feature: NumberFeature, wanted: pa.DataType, place: Place
) -> pa.Array:
    """Values as the feature wants them, where that loses nothing; otherwise as they are.

    Raises:
        SchemaError: a text is no number; a number does not fit.
    """
    if values.type == wanted:
        return values
    if is_text(values.type):
        return _from_text(values, feature, wanted, place)
    narrower = pa.types.is_floating(values.type) and pa.types.is_floating(wanted)
    if not narrower and not pa.types.is_integer(values.type):
        return values
    try:
        return values.cast(wanted, safe=True)
    except pa.ArrowInvalid:
        row = _first_wrong(values, wanted)
        raise place.fault(row, expected=f"one {wanted}", got=str(values[row].as_py())) from None


def _from_text(
    values: pa.Array, feature: NumberFeature, wanted: pa.DataType, place: Place
) -> pa.Array:
    if feature.missing:
        holes = pc.is_in(values, value_set=pa.array(feature.missing, values.type))
        values = pc.if_else(holes, pa.scalar("nan", values.type), values)
    try:
        # by way of double, which every text of a float is meant as
        through = pa.float64() if pa.types.is_floating(wanted) else wanted
        return values.cast(through).cast(wanted)
    except pa.ArrowInvalid:
        row = _first_wrong(values, wanted)
        got = repr(values[row].as_py())
        raise place.fault(row, expected=f"the text of one {wanted}", got=got) from None


def _first_wrong(values: pa.Array, wanted: pa.DataType) -> int:
    """The first value that cannot be cast, found by halves."""
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            values[low:middle].cast(wanted, safe=True)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low
