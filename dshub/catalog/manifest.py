"""Manifest of a dataset, with its splits, resources, features, license and citations.

The steps of a split turn the rows of its reader into rows with the features of the manifest. For
example, they rename columns, drop rows or join another file. `dshub.tables.steps` runs the steps,
and `dshub.synthetic.steps` inverts them for synthetic data.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta

from dshub import _validate
from dshub._validate import Text
from dshub.catalog.features import Dtype, Feature, Fields, Positive, is_encoded, row_bytes
from dshub.catalog.spellings import familiar
from dshub.checksums import Digest

# `dshub.catalog.parsing` completes the message "must …" with these descriptions.
_NOT_EMPTY = Meta(min_length=1, description="not be empty")
Columns = Annotated[tuple[str, ...], _NOT_EMPTY]
Key = Annotated[_validate.Key, Meta(description="be made of a-z and 0-9, with _ or - between them")]
Sha256 = Annotated[_validate.Sha256, Meta(description="be 64 lower-case hexadecimal digits")]
Alias = Annotated[
    str,
    _validate.matching("[A-Za-z0-9][A-Za-z0-9 ._/-]{0,199}"),
    Meta(description="be made of letters, digits, blanks and . _ - /"),
]
Files = Annotated[dict[str, str | Annotated[tuple[str, ...], _NOT_EMPTY]], _NOT_EMPTY]


class Rename(Fields, frozen=True, kw_only=True, tag_field="step", tag="rename"):
    """Rename columns.

    Attributes:
        columns: new column names by upstream name.
    """

    columns: dict[str, str]


class Map(Fields, frozen=True, kw_only=True, tag_field="step", tag="map"):
    """Replace values of a column, and keep values that are not listed.

    Attributes:
        column: column of text, or of integers, which are compared and replaced as text.
        values: new values by upstream value.
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
    """Cut the strings of a column before the first occurrence of a substring.

    Attributes:
        column: column of text.
        before: substring to search for. Strings without it stay unchanged.
    """

    column: str
    before: Annotated[str, _NOT_EMPTY]


class Number(Fields, frozen=True, kw_only=True, tag_field="step", tag="number"):
    """Add a column with the number of each row.

    Attributes:
        column: name of the new column.
        first: number of the first row in the file.
    """

    column: str
    first: int = 1


class Match(Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="step", tag="match"):
    """Keep or drop rows that are listed in another file.

    Attributes:
        part: part of the split's files that contains the list.
        reader: reader of the list, with options as in `Split.reader`.
        on: columns that identify a row in both files, compared as text.
        keep: True to keep listed rows, False to drop them.
    """

    part: str
    reader: dict[str, Any]
    on: Columns
    keep: bool = True


class Join(Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="step", tag="join"):
    """Add columns from another file, which must have exactly one match for each row.

    Attributes:
        part: part of the split's files that contains the other file.
        reader: reader of the other file, with options as in `Split.reader`.
        on: columns that identify a row in both files, compared as text.
        columns: columns to add.
        number: column of `on` that the other file lacks. Its value is the 1-based position of a
            row in the other file.
    """

    part: str
    reader: dict[str, Any]
    on: Columns
    columns: tuple[str, ...]
    number: str = ""


class Attach(Fields, frozen=True, kw_only=True, tag_field="step", tag="attach"):
    """Add a column with the content of a different file for each row.

    Attributes:
        part: part of the split's files with a pattern that matches the files to attach.
        column: name of the new column.
        path: name of the archive member, with columns of the row in braces, such as
            `images/{file}.jpg`, or `jpg/image_{id:05d}.jpg` for a number with leading zeros.
    """

    part: str
    column: str
    path: str


class Stack(Fields, frozen=True, kw_only=True, omit_defaults=True, tag_field="step", tag="stack"):
    """Combine columns of numbers, such as one per pixel, into a column of arrays.

    Attributes:
        column: name of the new column, which is the last one.
        columns: columns to combine and remove, in the order of the values.
        dtype: type of the values.
        shape: shape of a row's array, with the last axis contiguous; by default, one axis.
        missing: text that becomes NaN, if the columns are text and `dtype` is a float.
    """

    column: str
    columns: Columns
    dtype: Dtype
    shape: tuple[Positive, ...] = ()
    missing: tuple[str, ...] = ()


Step = Rename | Map | Cut | Keep | Drop | Number | Match | Join | Attach | Stack
"""Step of a split. The set is closed, and no plugin can extend it."""


LOCAL = "local"  # resource name in a layout for local files without checksums
CHUNK = 16 << 20  # bytes per entry of `Resource.chunks`; the last chunk can be shorter


class License(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """License of a dataset, and where it is published.

    Attributes:
        spdx: SPDX identifier, or None if no source states a license.
        source: URL of the page that states the license.
        redistribution: whether the license permits redistribution of the files.
        note: remarks, such as sources that disagree.
        terms: terms that a person must accept before a download, or None.
    """

    spdx: Text | None = None
    source: str | None = None
    redistribution: Literal["yes", "no", "unknown"] = "unknown"
    note: str | None = None
    terms: str | None = None


class Citation(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """Bibliography entry with the fields of BibTeX."""

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
    """Limits for unpacking a file. A file over a limit is rejected as a decompression bomb.

    Limits do not affect rows, so a released manifest can raise them. They apply to archives,
    compressed files and compressed formats such as Parquet. For Parquet, the size of the values in
    memory counts.

    Attributes:
        unpacked: maximum size of all members together, in bytes.
        members: maximum number of files, folders and links in an archive.
        ratio: maximum number of unpacked bytes per byte of the file. Applies only above 256 MiB,
            because small files of zeros compress a thousandfold and do no harm.
    """

    unpacked: Positive = 2_000_000_000_000
    members: Positive = 10_000_000
    ratio: Positive = 250


MemberEncoding = Literal[
    "big5",
    "cp437",
    "cp850",
    "cp852",
    "cp866",
    "cp932",
    "cp949",
    "cp1250",
    "cp1251",
    "cp1252",
    "euc_kr",
    "gb18030",
    "gbk",
    "shift_jis",
]


class Resource(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """File that upstream publishes.

    Attributes:
        urls: URLs to try in order. Hosts need no trust, because the checksum is verified.
        filename: file name; by default the last part of the first URL.
        sha256: SHA-256 in hexadecimal digits.
        md5: MD5 in hexadecimal digits, if upstream publishes nothing better.
        size: size in bytes; None if no source states it.
        content_sha256: SHA-256 of the decompressed content, to verify an imported copy that was
            compressed differently.
        chunks: SHA-256 of each chunk of 16 MiB, so that only damaged chunks of a large file are
            downloaded again. `dshub checksum` computes them.
        access: `manual` if a person must obtain the file.
        instructions: how to obtain a `manual` file.
        limits: limits for unpacking the file.
        member_encoding: encoding of the names in a zip archive that does not state it; by default
            UTF-8 if they are valid UTF-8, else cp437 (APPNOTE 6.3.10, appendix D).
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
    member_encoding: MemberEncoding | None = None

    @property
    def encodings(self) -> tuple[str, ...]:
        """Stated encoding of member names, if any, for keys that depend on it."""
        return (self.member_encoding,) if self.member_encoding else ()

    @property
    def by_hand(self) -> bool:
        """True if dshub cannot download the file, so that a person must obtain it."""
        return self.access == "manual" or not self.urls

    @property
    def digest(self) -> Digest:
        """Expected checksum of the file, which is also its key in the cache."""
        if self.sha256:
            return Digest("sha256", self.sha256)
        return Digest("md5", self.md5 or "")

    @property
    def content_digest(self) -> Digest | None:
        """Expected checksum of the decompressed content, or None."""
        return Digest("sha256", self.content_sha256) if self.content_sha256 else None

    @property
    def name(self) -> str:
        """File name, by default the last part of the first URL."""
        if self.filename or not self.urls:
            return self.filename
        return unquote(urlsplit(self.urls[0]).path.rpartition("/")[2])


if TYPE_CHECKING:
    from dshub.hub.familiar.labels import ManifestNames, SplitNames
else:
    ManifestNames = SplitNames = msgspec.Struct  # msgspec requires struct bases at run time


class Split(Fields, SplitNames, frozen=True, kw_only=True, omit_defaults=True):
    """Split of a dataset, such as `train`.

    Attributes:
        rows: number of rows. Preparing fails on any other number.
        reader: `{ format = "idx" }` with further options of that reader.
        files: references for each part that the reader or a step needs. A reference is
            `resource`, `resource:member` in an archive, or `resource:archive:member` in an archive
            inside an archive. A member can be a pattern (`*`, `?`, `[…]`, which also match `/`).
        steps: changes to the rows of the reader.
        without: columns that the split does not have, such as labels that upstream withholds.
        figures: expected numbers that `dshub verify` compares, either `<column>-counts` with the
            rows of each class, or `<column>-sum`.
        layout: name of the layout that `laid_out` applied, or empty. Not allowed in a manifest
            file.
    """

    rows: Positive
    reader: dict[str, Any]  # options are validated by the reader
    files: Files
    steps: tuple[Step, ...] = ()
    without: tuple[str, ...] = ()
    figures: dict[str, int | tuple[int, ...]] = msgspec.field(default_factory=dict)
    layout: str = ""

    if not TYPE_CHECKING:  # type checkers would accept any attribute

        def __getattr__(self, name: str) -> Any:
            return familiar(self, name, "labels.SplitNames")

    def references(self, part: str) -> tuple[str, ...]:
        """Return the references of a part, in order."""
        return _tuple(self.files[part])

    @property
    def reader_parts(self) -> list[str]:
        """Parts for the reader, which are all parts that no step uses."""
        step_parts = {getattr(step, "part", None) for step in self.steps}
        return [part for part in self.files if part not in step_parts]


class Layout(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """Alternative layout of a split's files, such as one folder for each class.

    `dshub import` recognizes a layout and prepares the split from it. The order of rows can differ
    between layouts, so the recipe of a table records the layout.

    Attributes:
        split: name of the split that the layout contains.
        title: description for users.
        reader, files, steps: as in `Split`. Files refer to `resources`, to resources of the
            manifest, or to `local`, a folder or archive on the user's machine that is recognized by
            its structure. In `local` members, `*` and `?` do not match `/`.
        resources: additional files with checksums for this layout.
        order: order of the `local` files that match a pattern, by `path` or by file `name`.
    """

    split: str
    title: str
    reader: dict[str, Any]
    files: Files
    steps: tuple[Step, ...] = ()
    resources: dict[str, Resource] = msgspec.field(default_factory=dict)
    order: Literal["path", "name"] = "path"

    def applied(self, split: Split) -> Split:
        """Return the split with the reader, files and steps of this layout."""
        return msgspec.structs.replace(
            split, reader=self.reader, files=self.files, steps=self.steps
        )

    @property
    def local_members(self) -> list[str]:
        """Unique names and patterns of the `local` files, in order."""
        references = (item for files in self.files.values() for item in _tuple(files))
        parts = (reference.partition(":") for reference in references)
        return list(dict.fromkeys(member for name, _, member in parts if name == LOCAL))


def _tuple(references: str | tuple[str, ...]) -> tuple[str, ...]:
    return (references,) if isinstance(references, str) else references


Inputs = str | tuple[Text, ...]
"""One column, or several."""

Pair = tuple[Inputs, Inputs]
"""The columns that become `(x, y)`."""


AnyPair = tuple[str | Sequence[str], str | Sequence[str]]
"""A pair as callers write it; `dshub.loading.pairs.check_pair` makes it a `Pair`."""


def pair_columns(pair: Pair) -> tuple[str, ...]:
    """Return all columns of a pair, each of them once."""
    names = (name for part in pair for name in ((part,) if isinstance(part, str) else part))
    return tuple(dict.fromkeys(names))


class Manifest(Fields, ManifestNames, frozen=True, kw_only=True, omit_defaults=True):
    """Manifest of one version of a dataset.

    Attributes:
        name: `name` or `family/member`.
        version: `MAJOR.MINOR.PATCH`, incremented when rows change (major), when rows are added
            (minor), or when other files have the same rows (patch).
        task: typical use of the data.
        supervised: columns of `(x, y)`; each part can be a list of columns.
        aliases: names in other libraries that differ in more than case and punctuation, such as
            `owner/name` of the Hugging Face Hub. A release can change them.
        layouts: alternative layouts of the splits' files.
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
    aliases: tuple[Alias, ...] = ()
    supervised: Pair | None = None
    license: License = License()
    citations: tuple[Citation, ...] = ()
    layouts: dict[Key, Layout] = msgspec.field(default_factory=dict)

    if not TYPE_CHECKING:  # type checkers would accept any attribute

        def __getattr__(self, name: str) -> Any:
            return familiar(self, name, "labels.ManifestNames")

    def __repr__(self) -> str:
        rows = ", ".join(f"{name} {split.rows:,}" for name, split in self.splits.items())
        return f"<Manifest {self.identifier}: {rows} rows of {', '.join(self.features)}>"

    @property
    def identifier(self) -> str:
        """Name and version, as `name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def synthetic(self) -> bool:
        """True if the manifest describes synthetic data."""
        return "+synthetic" in self.version

    @property
    def size(self) -> int | None:
        """Total size of all resources in bytes, or None if the size of one is unknown."""
        sizes = [resource.size for resource in self.resources.values()]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def digest(self) -> str:
        """SHA-256 of all fields that affect rows. These must not change within a version.

        URLs, descriptions, limits and the license are left out, because a release can correct
        them. Layouts are left out, because they contain the same rows.
        """
        content = {
            "name": self.name,
            "version": self.version,
            "resources": {
                name: [str(item.digest), item.size, item.content_sha256, *item.encodings]
                for name, item in self.resources.items()
            },
            "features": self.features,
            "splits": self.splits,
            "supervised": self.supervised,
        }
        return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()

    def prepared_size(self, splits: tuple[str, ...] | None = None) -> int:
        """Estimate the size of the tables of some splits (all if None) in bytes, without text.

        The estimate for encoded images and audio is the total size of the splits' resources.
        """
        total, encoded = 0, []
        for split in self.splits if splits is None else splits:
            features = self.split_features(split).values()
            total += self.splits[split].rows * sum(map(row_bytes, features))
            encoded += [split] if any(map(is_encoded, features)) else []
        files = self.split_resources(tuple(encoded)).values()
        return total + sum(item.size or 0 for item in files)

    def split_features(self, split: str) -> Mapping[str, Feature]:
        """Return the columns of a split, which are all features except those in `without`."""
        without = set(self.splits[split].without)
        return {name: item for name, item in self.features.items() if name not in without}

    def split_resources(self, splits: tuple[str, ...] | None = None) -> dict[str, Resource]:
        """Return the resources that some splits need (all splits if None), in manifest order."""
        chosen = self.splits.values() if splits is None else [self.splits[name] for name in splits]
        needed = {
            reference.partition(":")[0]
            for split in chosen
            for part in split.files
            for reference in split.references(part)
        }
        return {name: item for name, item in self.resources.items() if name in needed}


def laid_out(manifest: Manifest, layout: str, local: Resource | None = None) -> Manifest:
    """Return a copy of the manifest with a single split that is read in the layout.

    Args:
        manifest: manifest that has the layout.
        layout: name of the layout.
        local: resource for local files without checksums, if the layout has `local` members.
    """
    chosen = manifest.layouts[layout]
    split = msgspec.structs.replace(chosen.applied(manifest.splits[chosen.split]), layout=layout)
    replaced = msgspec.structs.replace(
        manifest,
        splits={chosen.split: split},
        resources=manifest.resources | chosen.resources | ({LOCAL: local} if local else {}),
        layouts={layout: chosen},
    )
    return msgspec.structs.replace(replaced, resources=replaced.split_resources())


def denied(terms: License, words: Sequence[str]) -> str:
    """Return the reason why a license is denied, or an empty string.

    Args:
        terms: license of a dataset.
        words: denied SPDX identifiers (`CC-BY-NC-4.0`), denied parts of identifiers (`nc`, `nd`,
            `gpl`), or `unknown` to deny datasets without a stated license.
    """
    if terms.spdx is None:
        is_denied = "unknown" in map(str.casefold, words)
        return "no source states its license" if is_denied else ""
    identifiers = re.findall(r"[\w.+-]+", terms.spdx.casefold())
    parts = set().union(*map(_parts, identifiers))
    denied_words = [word for word in words if word.casefold() in parts]
    return f"its license is {terms.spdx}, and {denied_words[0]} is denied" if denied_words else ""


def _parts(identifier: str) -> set[str]:
    """Return the words that match an identifier, with `nc` if it contains "noncommercial"."""
    is_spelled_out = re.search(r"non-?commercial", identifier)
    return {identifier, *re.split(r"[-.]", identifier)} | ({"nc"} if is_spelled_out else set())
