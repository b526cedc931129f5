"""The manifest: datasets, splits, resources, licenses, and the steps between reader and features.

What happens to rows between their reader and their features: a closed, declarative list.

Upstream's files are not always tables with the columns one wants. Where a reader alone cannot
give them, a split names some of these steps, which are taken in order. None computes anything of
its own: they rename, choose, look up and put together what the files say. `dshub.tables.steps`
carries them out, and `dshub.synthetic.steps` undoes them to make stand-ins.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from dshub._validate import Text
from dshub.catalog.features import Feature, Fields, is_encoded, row_bytes
from dshub.checksums import Digest


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


LOCAL = "local"  # the resource of a layout that a person has under no checksum
CHUNK = 16 << 20  # bytes of a resource for which `chunks` holds one checksum; the last may be less


class License(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """Under which terms the data are published, and where that is said.

    Attributes:
        spdx: SPDX identifier; None where no source states one.
        source: URL of the page that says so.
        redistribution: whether the licence allows to pass the files on.
        note: what a reader must know besides, such as sources that disagree.
        terms: what upstream wants a person to accept before the files are fetched, in words; None
            where it asks nobody.
    """

    spdx: Text | None = None
    source: str | None = None
    redistribution: Literal["yes", "no", "unknown"] = "unknown"
    note: str | None = None
    terms: str | None = None


class Citation(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a bibliography, with the fields of BibTeX."""

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
    """What a file may grow to when it is unpacked; whatever grows beyond is taken for a bomb.

    The defaults let pass every dataset we know of. They decide no row, so they can be raised in a
    released manifest. They hold for archives and compressions, and for each file of a format that
    compresses or repeats values, such as Parquet: there, bytes are those of the values in memory.

    Attributes:
        unpacked: bytes of everything inside together.
        members: files, folders and links inside.
        ratio: bytes inside for each byte of the file. It applies above 256 MiB only: small files
            of zeros compress a thousandfold and harm nobody.
    """

    unpacked: int = 2_000_000_000_000
    members: int = 10_000_000
    ratio: int = 250


class Resource(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """One file as upstream publishes it.

    Attributes:
        urls: where it can be had, tried in order; the checksum decides, not the host.
        filename: its name; the last part of the first URL where it is not given.
        sha256: SHA-256 in hexadecimal digits.
        md5: accepted in place of `sha256` where upstream publishes nothing better.
        size: bytes; None where no source states it.
        content_sha256: SHA-256 of the bytes inside a compressed file, so that a copy that was
            compressed again can be imported and still verified.
        chunks: SHA-256 of each piece of 16 MiB, in order, so that only damaged pieces of a large
            file are fetched again; `dshub pin` computes them.
        access: `manual` where a person must obtain the file.
        instructions: how, for `access = "manual"`.
        limits: what it may grow to when it is unpacked.
    """

    urls: tuple[str, ...] = ()
    filename: str = ""
    sha256: str | None = None
    md5: str | None = None
    size: int | None = None
    content_sha256: str | None = None
    chunks: tuple[str, ...] = ()
    access: Literal["open", "manual"] = "open"
    instructions: str | None = None
    limits: Limits = Limits()

    @property
    def by_hand(self) -> bool:
        """Whether only a person can obtain it, so that it cannot be downloaded."""
        return self.access == "manual" or not self.urls

    @property
    def digest(self) -> Digest:
        """What the bytes must hash to; the store keeps them under it."""
        if self.sha256:
            return Digest("sha256", self.sha256)
        return Digest("md5", self.md5 or "")

    @property
    def content_digest(self) -> Digest | None:
        """What the bytes inside must hash to, where that is known."""
        return Digest("sha256", self.content_sha256) if self.content_sha256 else None

    @property
    def name(self) -> str:
        """The file's name: its own, or the last part of its first URL."""
        if self.filename or not self.urls:
            return self.filename
        return unquote(urlsplit(self.urls[0]).path.rpartition("/")[2])


class Split(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """Rows that belong together, such as `train`.

    Attributes:
        rows: how many there are; preparing fails on any other number.
        reader: `{ format = "idx" }` and the options of that reader.
        files: for each part that the reader or a step asks for, a reference or several in order:
            `resource`, `resource:member` in an archive, `resource:archive:member` in an archive
            in it. A member may be a pattern (`*`, `?`, `[…]`, which also stand for `/`).
        steps: what is done to the rows that the reader gives.
        without: columns that this split does not have, such as labels that upstream keeps to
            itself.
        figures: published or recomputed numbers that `dshub verify` compares:
            `<column>-counts` (rows of each class), `<column>-sum`.
        layout: the layout it is read in, where that is not the manifest's own; `laid_out` says
            so, no manifest does.
    """

    rows: int
    reader: dict[str, Any]  # a reader's options are the reader's business
    files: dict[str, str | tuple[str, ...]]
    steps: tuple[Step, ...] = ()
    without: tuple[str, ...] = ()
    figures: dict[str, int | tuple[int, ...]] = msgspec.field(default_factory=dict)
    layout: str = ""

    def references(self, part: str) -> tuple[str, ...]:
        """The references of a part, in order."""
        return _tuple(self.files[part])

    @property
    def reader_parts(self) -> list[str]:
        """The parts that are the reader's: those of which no step speaks."""
        of_steps = {getattr(step, "part", None) for step in self.steps}
        return [part for part in self.files if part not in of_steps]


class Layout(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """Another form in which people have the rows of a split, such as one folder for each class.

    `dshub import` recognises it, and the split is then prepared from it. The rows are the same;
    their order need not be, so a table's recipe says which layout it was made from.

    Attributes:
        split: whose rows these are.
        title: what it is called when a person reads of it.
        reader, files, steps: as in a split. Files are of `resources`, of the manifest's own, or
            of `local`: a folder or an archive that a person names, known by its structure, where
            `*` and `?` do not stand for `/`.
        resources: files with checksums that only this layout has.
        order: in which a pattern's files in `local` are read: by their `path`, or by their `name`
            in whatever folder they lie.
    """

    split: str
    title: str
    reader: dict[str, Any]  # as in a split
    files: dict[str, str | tuple[str, ...]]
    steps: tuple[Step, ...] = ()
    resources: dict[str, Resource] = msgspec.field(default_factory=dict)
    order: Literal["path", "name"] = "path"

    @property
    def local_members(self) -> list[str]:
        """What it wants of `local`: names and patterns, each once, in order."""
        given = (item for files in self.files.values() for item in _tuple(files))
        found = (reference.partition(":") for reference in given)
        return list(dict.fromkeys(member for name, _, member in found if name == LOCAL))


def _tuple(references: str | tuple[str, ...]) -> tuple[str, ...]:
    return (references,) if isinstance(references, str) else references


class Manifest(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """One version of one dataset.

    Attributes:
        name: `name` or `family/member`.
        version: `MAJOR.MINOR.PATCH`: rows changed, rows added, same rows in other packing.
        task: what the data are usually used for.
        supervised: the columns that `(x, y)` means.
        layouts: other forms in which people have the rows of a split.
    """

    schema: Literal[1]
    name: str
    version: str
    title: Text
    summary: Text
    task: Text
    homepage: str
    resources: dict[str, Resource]
    features: dict[str, Feature]
    splits: dict[str, Split]
    tags: tuple[Text, ...] = ()
    supervised: tuple[str, str] | None = None
    license: License = License()
    citations: tuple[Citation, ...] = ()
    layouts: dict[str, Layout] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        rows = ", ".join(f"{name} {split.rows:,}" for name, split in self.splits.items())
        return f"<Manifest {self.identifier}: {rows} rows of {', '.join(self.features)}>"

    @property
    def identifier(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def synthetic(self) -> bool:
        """Whether this describes a synthetic stand-in rather than the dataset itself."""
        return "+synthetic" in self.version

    @property
    def size(self) -> int | None:
        """Bytes of all resources together, or None where one is unknown."""
        sizes = [resource.size for resource in self.resources.values()]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides rows: what no release may change.

        Left out are addresses, words, limits and the licence, which may be mended in place, and
        layouts, which are other ways to the same rows.
        """
        kept = {
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
        return hashlib.sha256(msgspec.json.encode(kept, order="sorted")).hexdigest()

    def prepared_size(self, splits: tuple[str, ...] | None = None) -> int:
        """Bytes that the tables of some splits will take (all where None), without text.

        Encoded pictures and recordings are taken to be as large as the files they come in.
        """
        total, encoded = 0, []
        for split in self.splits if splits is None else splits:
            features = self.split_features(split).values()
            total += self.splits[split].rows * sum(map(row_bytes, features))
            encoded += [split] if any(map(is_encoded, features)) else []
        files = self.split_resources(tuple(encoded)).values()
        return total + sum(item.size or 0 for item in files)

    def split_features(self, split: str) -> Mapping[str, Feature]:
        """The columns of a split: all features but those that it is without."""
        without = set(self.splits[split].without)
        return {name: item for name, item in self.features.items() if name not in without}

    def split_resources(self, splits: tuple[str, ...] | None = None) -> dict[str, Resource]:
        """The resources that some splits need (all splits where None), in manifest order."""
        chosen = self.splits.values() if splits is None else [self.splits[name] for name in splits]
        wanted = {
            reference.partition(":")[0]
            for split in chosen
            for part in split.files
            for reference in split.references(part)
        }
        return {name: item for name, item in self.resources.items() if name in wanted}


def denied(terms: License, words: Sequence[str]) -> str:
    """Why a licence is not wanted; empty where it is, or where nothing is said against it.

    Args:
        terms: of a dataset.
        words: SPDX identifiers (`CC-BY-NC-4.0`), parts of them (`nc`, `nd`, `gpl`), or `unknown`,
            for what no source states.
    """
    if terms.spdx is None:
        unknown = "unknown" in map(str.casefold, words)
        return "no source states its licence" if unknown else ""
    identifiers = re.findall(r"[\w.+-]+", terms.spdx.casefold())
    known = set().union(*map(_parts, identifiers))
    unwanted = [word for word in words if word.casefold() in known]
    return f"its licence is {terms.spdx}, and {unwanted[0]} is denied" if unwanted else ""


def _parts(identifier: str) -> set[str]:
    """What an identifier can be called by; `nc` also where it spells that out."""
    spelt = re.search(r"non-?commercial", identifier)
    return {identifier, *re.split(r"[-.]", identifier)} | ({"nc"} if spelt else set())
