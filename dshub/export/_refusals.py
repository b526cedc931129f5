"""What a format cannot hold, said before anything is written."""

from typing import NoReturn

from dshub.errors import DshubError
from dshub.export._rows import Rows
from dshub.manifest import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)

_KINDS: dict[type[Feature], str] = {
    ImageFeature: "pictures",
    AudioFeature: "recordings",
    LabelFeature: "classes",
    ListFeature: "lists",
    TextFeature: "text",
}


def kind_of(feature: Feature) -> str:
    """What a column holds, in a word."""
    if isinstance(feature, NumberFeature):
        return "arrays" if feature.shape else "numbers"
    return _KINDS[type(feature)]


def refuse(rows: Rows, name: str, reason: str) -> NoReturn:
    """Raise the error for a column that a format cannot hold.

    Args:
        rows: what is exported.
        name: of the column.
        reason: `holds pictures, which CSV cannot`.

    Raises:
        DshubError: always.
    """
    kept = [other for other in rows.features if other != name]
    leave = f"leave it out with --columns {','.join(kept)}; or " if kept else ""
    raise DshubError(
        f"{rows.title}: column {name} {reason}",
        hint=f"{leave}choose another format, such as parquet",
    )


def chosen(rows: Rows, kinds: tuple[type[Feature], ...]) -> list[str]:
    """The columns of some kinds, in order."""
    return [name for name, feature in rows.features.items() if isinstance(feature, kinds)]
