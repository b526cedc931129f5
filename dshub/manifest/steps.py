"""What happens to rows between their reader and their features: a closed, declarative list.

Upstream's files are not always tables with the columns one wants. Where a reader alone cannot
give them, a split names some of these steps, which are taken in order. None computes anything of
its own: they rename, choose, look up and put together what the files say. `dshub.steps` carries
them out, and undoes them to make stand-ins.
"""

from typing import Any

from dshub.manifest.fields import Fields


class Rename(Fields, frozen=True, kw_only=True, tag_field="step", tag="rename"):
    """Columns get other names.

    Attributes:
        columns: upstream's name, and ours.
    """

    columns: dict[str, str]


class Map(Fields, frozen=True, kw_only=True, tag_field="step", tag="map"):
    """Values of a column are replaced; those that are not listed stay.

    Attributes:
        column: text, or whole numbers, which are then compared and replaced as text.
        values: upstream's, and ours.
    """

    column: str
    values: dict[str, str]


class Keep(Fields, frozen=True, kw_only=True, tag_field="step", tag="keep"):
    """Only the rows with one of these values (as text) in a column stay."""

    column: str
    values: tuple[str, ...]


class Drop(Fields, frozen=True, kw_only=True, tag_field="step", tag="drop"):
    """The rows with one of these values (as text) in a column go."""

    column: str
    values: tuple[str, ...]


class Cut(Fields, frozen=True, kw_only=True, tag_field="step", tag="cut"):
    """Of the texts of a column, what stands before the first of some characters stays.

    Attributes:
        column: text.
        before: the characters; a text without them stays as it is.
    """

    column: str
    before: str


class Number(Fields, frozen=True, kw_only=True, tag_field="step", tag="number"):
    """A new column holds the number of each row, as upstream counts them.

    Attributes:
        column: its name.
        first: the number of the first row of the file.
    """

    column: str
    first: int = 1


class Match(Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="step", tag="match"):
    """The rows that a list names stay, or go.

    Attributes:
        part: the list, among the split's files.
        reader: how to read it.
        on: the columns that together name a row, in the list as in the rows; compared as text.
        keep: whether the listed rows are those that stay.
    """

    part: str
    reader: dict[str, Any]  # as in a split
    on: tuple[str, ...]
    keep: bool = True


class Join(Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="step", tag="join"):
    """Further columns come from another file; each row must have exactly one partner in it.

    Attributes:
        part: the file, among the split's files.
        reader: how to read it.
        on: the columns that together name a row, in both; compared as text.
        columns: what the file adds.
        number: one of `on` that the file lacks, because its rows are numbered, from 1, by where
            they stand.
    """

    part: str
    reader: dict[str, Any]  # as in a split
    on: tuple[str, ...]
    columns: tuple[str, ...]
    number: str = ""


class Attach(Fields, frozen=True, kw_only=True, tag_field="step", tag="attach"):
    """A new column holds the bytes of the file that each row names.

    Attributes:
        part: the files, among the split's files: a pattern that fits all of them.
        column: the new column.
        path: the member's name, with columns of the row in braces: `images/{file}.jpg`, or
            `jpg/image_{id:05d}.jpg` for a number with leading zeros.
    """

    part: str
    column: str
    path: str


Step = Rename | Map | Cut | Keep | Drop | Number | Match | Join | Attach
"""A step: a closed set, which reviewers extend with care."""
