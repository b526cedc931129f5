"""The manifest of a dataset: splits, resources, features, license and citations.

Steps change rows between the reader of a split and its features: they rename, choose, look up and
join what upstream's files say. `dshub.tables.steps` runs them; `dshub.synthetic.steps` inverts
them for synthetic data.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta

from dshub import _validate
from dshub._validate import Text
from dshub.catalog.features import Feature, Fields, Positive, is_encoded, row_bytes
from dshub.checksums import Digest

# Descriptions complete the message "must …"; see `dshub.catalog.parsing`.
_NOT_EMPTY = Meta(min_length=1, description="not be empty")
Columns = Annotated[tuple[str, ...], _NOT_EMPTY]
Key = Annotated[_validate.Key, Meta(description="be made of a-z and 0-9, with _ or - between them")]
Sha256 = Annotated[_validate.Sha256, Meta(description="be 64 lower-case hexadecimal digits")]
Files = Annotated[dict[str, str | Annotated[tuple[str, ...], _NOT_EMPTY]], _NOT_EMPTY]


class Rename(Fields, frozen=True, kw_only=True, tag_field="step", tag="rename"):
    """Rename columns.

    Attributes:
        columns: new names by upstream's names.
    """

    columns: dict[str, str]


class Map(Fields, frozen=True, kw_only=True, tag_field="step", tag="map"):
    """Replace values of a column; unlisted values stay.

    Attributes:
        column: text, or whole numbers, which are compared and replaced as text.
        values: new values by upstream's values.
    """

    column: str
    values: dict[str, str]


class Keep(Fields, frozen=True, kw_only=True, tag_field="step", tag="keep"):
    """Keep only rows with one of these values (as text) in a column."""

    column: str
    values: tuple[str, ...]


class Drop(Fields, frozen=True, kw_only=True, tag_field="step", tag="drop"):
    """Drop rows with one of these values (as text) in a column."""

    column: str
    values: tuple[str, ...]


class Cut(Fields, frozen=True, kw_only=True, tag_field="step", tag="cut"):
    """Cut the texts of a column before the first occurrence of a string.

    Attributes:
        column: text.
        before: the string; texts without it stay unchanged.
    """

    column: str
    before: Annotated[str, _NOT_EMPTY]


class Number(Fields, frozen=True, kw_only=True, tag_field="step", tag="number"):
    """Add a column with the number of each row.

    Attributes:
        column: its name.
        first: the number of the first row of the file.
    """

    column: str
    first: int = 1


class Match(Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="step", tag="match"):
    """Keep or drop the rows that a list names.

    Attributes:
        part: the list, among the split's files.
        reader: its reader.
        on: the columns that identify a row in both, compared as text.
        keep: True to keep listed rows, False to drop them.
    """

    part: str
    reader: dict[str, Any]  # as in a split
    on: Columns
    keep: bool = True


class Join(Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="step", tag="join"):
    """Add columns of another file, which must have exactly one match for each row.

    Attributes:
        part: the file, among the split's files.
        reader: its reader.
        on: the columns that identify a row in both, compared as text.
        columns: the columns to add.
        number: one of `on` that the file does not contain: it is the position of a row, from 1.
    """

    part: str
    reader: dict[str, Any]  # as in a split
    on: Columns
    columns: tuple[str, ...]
    number: str = ""


class Attach(Fields, frozen=True, kw_only=True, tag_field="step", tag="attach"):
    """Add a column with the bytes of the file that each row names.

    Attributes:
        part: the files, among the split's files: a pattern that matches all of them.
        column: the new column.
        path: the member's name, with columns of the row in braces: `images/{file}.jpg`, or
            `jpg/image_{id:05d}.jpg` for a number with leading zeros.
    """

    part: str
    column: str
    path: str


Step = Rename | Map | Cut | Keep | Drop | Number | Match | Join | Attach
"""A step: a closed set, extended with care."""


LOCAL = "local"  # the resource of a layout for local files without checksums
CHUNK = 16 << 20  # bytes of each piece in `Resource.chunks`; the last one can be shorter


class License(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """The license of a dataset, and its source.

    Attributes:
        spdx: SPDX identifier; None if no source states one.
        source: URL of the page that states it.
        redistribution: whether the license permits redistribution of the files.
        note: remarks, such as sources that disagree.
        terms: terms that upstream requires a person to accept before a download; None if there
            are none.
    """

    spdx: Text | None = None
    source: str | None = None
    redistribution: Literal["yes", "no", "unknown"] = "unknown"
    note: str | None = None
    terms: str | None = None


class Citation(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """A bibliography entry, with the fields of BibTeX."""

    type: Literal["article", "incollection", "inproceedings", "misc", "online", "techreport"]
    key: str
    title: str
    author: tuple[str, ...]
    year: int | None = None
    venue: str | None = None
    doi: str | None = None
    arxiv: str | None = None
    url: str | None = None


class Limits(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """Limits of unpacking a file; a file that exceeds them is refused as a decompression bomb.

    The defaults fit every known dataset. Limits do not affect rows, so a released manifest can
    raise them. They apply to archives and compressed files, and to each file of a format that
    compresses or repeats values, such as Parquet, where bytes are those of values in memory.

    Attributes:
        unpacked: bytes of all members together.
        members: files, folders and links inside.
        ratio: unpacked bytes per byte of the file. It applies above 256 MiB only: small files of
            zeros compress a thousandfold and do no harm.
    """

    unpacked: Positive = 2_000_000_000_000
    members: Positive = 10_000_000
    ratio: Positive = 250


class Resource(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """A file as upstream publishes it.

    Attributes:
        urls: its addresses, tried in order; the checksum decides, not the host.
        filename: its name; by default the last part of the first URL.
        sha256: SHA-256 in hexadecimal digits.
        md5: accepted instead of `sha256` if upstream publishes nothing better.
        size: bytes; None if no source states it.
        content_sha256: SHA-256 of the bytes inside a compressed file, so that a recompressed copy
            can be imported and still verified.
        chunks: SHA-256 of each piece of 16 MiB, in order, so that only damaged pieces of a large
            file are downloaded again; `dshub pin` computes them.
        access: `manual` if a person must obtain the file.
        instructions: how to obtain it, for `access = "manual"`.
        limits: limits of unpacking it.
    """

    urls: tuple[str, ...] = ()
    filename: str = ""
    sha256: Sha256 | None = None
    md5: (
        Annotated[
            str,
            _validate.matching("[0-9a-f]{32}"),
            Meta(description="be 32 lower-case hexadecimal digits"),
        ]
        | None
    ) = None
    size: Positive | None = None
    content_sha256: Sha256 | None = None
    chunks: tuple[Sha256, ...] = ()
    access: Literal["open", "manual"] = "open"
    instructions: str | None = None
    limits: Limits = Limits()

    @property
    def by_hand(self) -> bool:
        """True if a person must obtain it, so that it cannot be downloaded."""
        return self.access == "manual" or not self.urls

    @property
    def digest(self) -> Digest:
        """The expected checksum of its bytes, and its key in the store."""
        if self.sha256:
            return Digest("sha256", self.sha256)
        return Digest("md5", self.md5 or "")

    @property
    def content_digest(self) -> Digest | None:
        """The expected checksum of the bytes inside, if it is known."""
        return Digest("sha256", self.content_sha256) if self.content_sha256 else None

    @property
    def name(self) -> str:
        """The file name: its own, or the last part of its first URL."""
        if self.filename or not self.urls:
            return self.filename
        return unquote(urlsplit(self.urls[0]).path.rpartition("/")[2])


class Split(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """Rows that belong together, such as `train`.

    Attributes:
        rows: their number; preparing fails on any other number.
        reader: `{ format = "idx" }` and options of that reader.
        files: one or several references for each part that the reader or a step needs:
            `resource`, `resource:member` in an archive, `resource:archive:member` in an archive
            inside it. A member can be a pattern (`*`, `?`, `[…]`, which also match `/`).
        steps: changes to the rows of the reader.
        without: columns that this split does not have, such as labels that upstream withholds.
        figures: published or recomputed numbers that `dshub verify` compares:
            `<column>-counts` (rows of each class), `<column>-sum`.
        layout: the layout it is read in, if not the manifest's own; set by `laid_out`, never by a
            manifest.
    """

    rows: Positive
    reader: dict[str, Any]  # the reader checks its options
    files: Files
    steps: tuple[Step, ...] = ()
    without: tuple[str, ...] = ()
    figures: dict[str, int | tuple[int, ...]] = msgspec.field(default_factory=dict)
    layout: str = ""

    def references(self, part: str) -> tuple[str, ...]:
        """The references of a part, in order."""
        return _tuple(self.files[part])

    @property
    def reader_parts(self) -> list[str]:
        """The parts that no step uses, so that they belong to the reader."""
        of_steps = {getattr(step, "part", None) for step in self.steps}
        return [part for part in self.files if part not in of_steps]


class Layout(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """Another form of a split's files, such as one folder for each class.

    `dshub import` recognizes it, and the split is then prepared from it. The rows are the same;
    their order can differ, so a table's recipe records the layout.

    Attributes:
        split: the split with the same rows.
        title: a description for people.
        reader, files, steps: as in a split. Files refer to `resources`, to the manifest's own
            resources, or to `local`: a folder or an archive on the user's machine, recognized by
            its structure, where `*` and `?` do not match `/`.
        resources: files with checksums that only this layout has.
        order: order of a pattern's files in `local`: by `path`, or by `name` in any folder.
    """

    split: str
    title: str
    reader: dict[str, Any]  # as in a split
    files: Files
    steps: tuple[Step, ...] = ()
    resources: dict[str, Resource] = msgspec.field(default_factory=dict)
    order: Literal["path", "name"] = "path"

    def applied(self, split: Split) -> Split:
        """The split with the reader, files and steps of this layout."""
        return msgspec.structs.replace(
            split, reader=self.reader, files=self.files, steps=self.steps
        )

    @property
    def local_members(self) -> list[str]:
        """The names and patterns in `local` that it needs, each once, in order."""
        references = (item for files in self.files.values() for item in _tuple(files))
        parts = (reference.partition(":") for reference in references)
        return list(dict.fromkeys(member for name, _, member in parts if name == LOCAL))


def _tuple(references: str | tuple[str, ...]) -> tuple[str, ...]:
    return (references,) if isinstance(references, str) else references


Inputs = str | tuple[Text, ...]
"""One column, or several."""

Pair = tuple[Inputs, Inputs]
"""The columns that become `(x, y)`."""


def pair_columns(pair: Pair) -> tuple[str, ...]:
    """Return all columns of a pair."""
    return tuple(name for part in pair for name in ((part,) if isinstance(part, str) else part))


class Manifest(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """One version of one dataset.

    Attributes:
        name: `name` or `family/member`.
        version: `MAJOR.MINOR.PATCH`: rows changed, rows added, same rows in other files.
        task: what the data are usually used for.
        supervised: the columns of `(x, y)`; each part can be a list of columns.
        layouts: other forms of a split's files.
    """

    schema: Literal[1]
    name: Annotated[_validate.Name, Meta(description="be name or family/member, in a-z 0-9 . _ -")]
    version: Annotated[_validate.Version, Meta(description="be MAJOR.MINOR.PATCH")]
    title: Text
    summary: Text
    task: Text
    homepage: str
    resources: Annotated[dict[Key, Resource], _NOT_EMPTY]
    features: Annotated[dict[Key, Feature], _NOT_EMPTY]
    splits: Annotated[dict[Key, Split], _NOT_EMPTY]
    tags: tuple[Text, ...] = ()
    supervised: Pair | None = None
    license: License = License()
    citations: tuple[Citation, ...] = ()
    layouts: dict[Key, Layout] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        rows = ", ".join(f"{name} {split.rows:,}" for name, split in self.splits.items())
        return f"<Manifest {self.identifier}: {rows} rows of {', '.join(self.features)}>"

    @property
    def identifier(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def synthetic(self) -> bool:
        """True if this describes synthetic data instead of the dataset itself."""
        return "+synthetic" in self.version

    @property
    def size(self) -> int | None:
        """Bytes of all resources together, or None if one is unknown."""
        sizes = [resource.size for resource in self.resources.values()]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that affects rows, which no release may change.

        It leaves out addresses, words, limits and the license, which can be corrected in place,
        and layouts, which lead to the same rows.
        """
        content = {
            "name": self.name,
            "version": self.version,
            "resources": {
                name: [str(item.digest), item.size, item.content_sha256]
                for name, item in self.resources.items()
            },
            "features": self.features,
            "splits": self.splits,
            "supervised": self.supervised,
        }
        return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()

    def prepared_size(self, splits: tuple[str, ...] | None = None) -> int:
        """Bytes of the tables of some splits (all if None), without text.

        Encoded images and audio count as the files that contain them.
        """
        total, encoded = 0, []
        for split in self.splits if splits is None else splits:
            features = self.split_features(split).values()
            total += self.splits[split].rows * sum(map(row_bytes, features))
            encoded += [split] if any(map(is_encoded, features)) else []
        files = self.split_resources(tuple(encoded)).values()
        return total + sum(item.size or 0 for item in files)

    def split_features(self, split: str) -> Mapping[str, Feature]:
        """The columns of a split: all features but those in `without`."""
        without = set(self.splits[split].without)
        return {name: item for name, item in self.features.items() if name not in without}

    def split_resources(self, splits: tuple[str, ...] | None = None) -> dict[str, Resource]:
        """The resources that some splits need (all splits if None), in manifest order."""
        chosen = self.splits.values() if splits is None else [self.splits[name] for name in splits]
        needed = {
            reference.partition(":")[0]
            for split in chosen
            for part in split.files
            for reference in split.references(part)
        }
        return {name: item for name, item in self.resources.items() if name in needed}


def laid_out(manifest: Manifest, layout: str, local: Resource | None = None) -> Manifest:
    """The manifest with one split only, read in a layout.

    Args:
        manifest: one that has the layout.
        layout: its name.
        local: the resource for files without checksums, if the layout needs some.
    """
    chosen = manifest.layouts[layout]
    split = msgspec.structs.replace(chosen.applied(manifest.splits[chosen.split]), layout=layout)
    whole = msgspec.structs.replace(
        manifest,
        splits={chosen.split: split},
        resources=manifest.resources | chosen.resources | ({LOCAL: local} if local else {}),
        layouts={layout: chosen},
    )
    return msgspec.structs.replace(whole, resources=whole.split_resources())


def denied(terms: License, words: Sequence[str]) -> str:
    """The reason why a license is denied; empty if it is not.

    Args:
        terms: of a dataset.
        words: SPDX identifiers (`CC-BY-NC-4.0`), parts of them (`nc`, `nd`, `gpl`), or `unknown`,
            for licenses that no source states.
    """
    if terms.spdx is None:
        is_denied = "unknown" in map(str.casefold, words)
        return "no source states its license" if is_denied else ""
    identifiers = re.findall(r"[\w.+-]+", terms.spdx.casefold())
    parts = set().union(*map(_parts, identifiers))
    found = [word for word in words if word.casefold() in parts]
    return f"its license is {terms.spdx}, and {found[0]} is denied" if found else ""


def _parts(identifier: str) -> set[str]:
    """The words that denote an identifier; `nc` also if it is spelled out."""
    is_spelled_out = re.search(r"non-?commercial", identifier)
    return {identifier, *re.split(r"[-.]", identifier)} | ({"nc"} if is_spelled_out else set())
