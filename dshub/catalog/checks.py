"""Check manifests: features, names, files and their use.

What must hold within a feature.
"""

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from typing import TypeVar, assert_never
from urllib.parse import urlsplit

from dshub._validate import KEY, NAME, VERSION
from dshub.catalog.faults import BROKEN, Fault
from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.catalog.layouts import check_layout
from dshub.catalog.manifest import CHUNK, LOCAL, Manifest, Resource
from dshub.catalog.split_checks import check_rows, check_split
from dshub.checksums import is_hex


def check_feature(place: str, feature: Feature) -> Iterator[Fault]:
    """Every fault of a feature."""
    match feature:
        case ImageFeature():
            yield from _check_image(place, feature)
        case AudioFeature():
            if feature.rate < 1 or feature.channels < 1:
                yield Fault(place, "rate and channels must be at least 1")
        case LabelFeature():
            yield from _check_label(place, feature)
        case NumberFeature():
            yield from _check_number(place, feature)
        case ListFeature():
            yield from check_feature(f"{place}.of", feature.of)
        case TextFeature():
            pass
        case _:
            assert_never(feature)


def _check_image(place: str, feature: ImageFeature) -> Iterator[Fault]:
    known = len(feature.shape) == 3 and all(length >= 1 for length in feature.shape)
    if feature.encoding == "raw":
        if not known:
            yield Fault(f"{place}.shape", "must be height, width and channels, each at least 1")
        return
    if feature.shape and not (known and feature.shape[2] in {1, 3}):
        yield Fault(f"{place}.shape", "must be height, width and 1 or 3 channels, or left out")
    if feature.dtype != "uint8":
        yield Fault(f"{place}.dtype", "is uint8 where pictures are encoded")


def _check_label(place: str, feature: LabelFeature) -> Iterator[Fault]:
    if not feature.names:
        yield Fault(f"{place}.names", "must not be empty")
    for field in ("names", "codes"):
        found = getattr(feature, field)
        if len(set(found)) != len(found):
            twice = next(name for name, count in Counter(found).items() if count > 1)
            yield Fault(f"{place}.{field}", f"holds {twice!r} twice")
    if feature.codes and len(feature.codes) != len(feature.names):
        told = f"has {len(feature.codes)} codes for {len(feature.names)} classes"
        yield Fault(f"{place}.codes", told)


def _check_number(place: str, feature: NumberFeature) -> Iterator[Fault]:
    if any(length < 1 for length in feature.shape):
        yield Fault(f"{place}.shape", "must hold lengths of at least 1")
    if feature.missing and not feature.dtype.startswith("float"):
        yield Fault(f"{place}.missing", "needs a float: what is missing becomes NaN")


_MOST_COLUMNS = 1_000_000  # of all splits together
LONGEST_URL = 4096  # characters; of other than ASCII, `urlsplit` takes their square in time
_SCHEMES = {"https", "http"}
# browsers pass over blanks and signs like them, before a scheme and within it
_OTHER_SCHEME = re.compile(r"(?!https?:)[\x00-\x20]*[a-z][a-z0-9+.\x00-\x20-]*:", re.IGNORECASE)
T = TypeVar("T")


def check(manifest: Manifest) -> Iterator[Fault]:
    """Every fault of a manifest whose fields have the right types, or are `BROKEN`."""
    yield from _check_names(manifest)
    yield from _check_keys(manifest)
    yield from _check_use(manifest)
    yield from _check_columns(manifest)
    yield from _check_filenames(manifest)
    yield from _check_links(manifest)
    for name, resource in _sound(manifest.resources):
        yield from _check_resource(f"resources.{name}", resource)
    for name, feature in _sound(manifest.features):
        yield from check_feature(f"features.{name}", feature)
    for name, split in _sound(manifest.splits):
        yield from check_split(f"splits.{name}", split, manifest)
    for name, layout in _sound(manifest.layouts):
        for key, resource in _sound(layout.resources):
            yield from _check_resource(f"layouts.{name}.resources.{key}", resource)
        yield from check_layout(f"layouts.{name}", layout, manifest)
    pair = None if BROKEN in (manifest.features, manifest.supervised) else manifest.supervised
    for column in pair or ():
        if column not in manifest.features:
            yield Fault("supervised", f"{column!r} is not among the features")


def check_kept(manifest: Manifest) -> Iterator[Fault]:
    """Faults of a manifest that a cache keeps, of what is relied upon without reading files again.

    No reader need be installed for it, and it may be one that `laid_out` gave.
    """
    yield from _check_names(manifest)
    for table in ("resources", "features", "splits"):
        if not getattr(manifest, table):
            yield Fault(table, "must not be empty")
    resources = dict(manifest.resources)
    for layout in manifest.layouts.values():
        resources |= layout.resources
    for name, resource in resources.items():
        yield from _check_hashes(f"resources.{name}", resource)
        yield from _check_size(f"resources.{name}", resource)
    for name, feature in manifest.features.items():
        yield from check_feature(f"features.{name}", feature)
    for name, split in manifest.splits.items():
        yield from check_rows(f"splits.{name}", split, manifest.features)


def _sound(table: Mapping[str, T]) -> Iterator[tuple[str, T]]:
    """The entries of a table that have the right types."""
    if table is not BROKEN:
        yield from ((name, item) for name, item in table.items() if item is not BROKEN)


def _check_names(manifest: Manifest) -> Iterator[Fault]:
    if manifest.name is not BROKEN and not NAME.fullmatch(manifest.name):
        yield Fault("name", f"{manifest.name!r} must be name or family/member, in a-z 0-9 . _ -")
    if manifest.version is not BROKEN and not VERSION.fullmatch(manifest.version):
        yield Fault("version", f"{manifest.version!r} must be MAJOR.MINOR.PATCH")


def unused(name: str, taken: Container[str], separator: str) -> str:
    """The name, or where it is taken `name-2`, `name-3` and so on: one that is not."""
    if name not in taken:
        return name
    high = 2
    while f"{name}{separator}{high}" in taken:
        high *= 2
    low = high // 2  # taken; between the two, a search takes few tries however many are
    while high - low > 1:
        middle = (low + high) // 2
        if f"{name}{separator}{middle}" in taken:
            low = middle
        else:
            high = middle
    return f"{name}{separator}{high}"


def _check_keys(manifest: Manifest) -> Iterator[Fault]:
    tables: dict[str, Mapping[str, object]] = {
        "resources": manifest.resources,
        "features": manifest.features,
        "splits": manifest.splits,
        "layouts": manifest.layouts,
    }
    if manifest.resources is not BROKEN and LOCAL in manifest.resources:
        yield Fault(f"resources.{LOCAL}", "means what a person has; it is no name of a file")
    for table, entries in tables.items():
        if not entries and table != "layouts":
            yield Fault(table, "must not be empty")
        for key in () if entries is BROKEN else entries:
            if not KEY.fullmatch(key):
                yield Fault(f"{table}.{key}", "names are made of a-z 0-9 with _ or - between")


def _check_columns(manifest: Manifest) -> Iterator[Fault]:
    """Every split has every column, or says that it is without: their product is work for all."""
    if BROKEN not in (manifest.features, manifest.splits):
        columns = len(manifest.features) * len(manifest.splits)
        if columns > _MOST_COLUMNS:
            yield Fault("splits", f"have {columns:,} columns together, over {_MOST_COLUMNS:,}")


def _check_use(manifest: Manifest) -> Iterator[Fault]:
    splits = manifest.splits
    if BROKEN not in (manifest.resources, splits) and BROKEN not in splits.values():
        for name in manifest.resources.keys() - manifest.split_resources().keys():
            yield Fault(f"resources.{name}", "no split uses it")


def _check_filenames(manifest: Manifest) -> Iterator[Fault]:
    """Two files of one name could not be told apart in a folder."""
    first: dict[str, str] = {}
    for name, resource in _sound(manifest.resources):
        if any(map(_check_url, resource.urls)) or not resource.name:
            continue
        other = first.setdefault(resource.name, name)
        if _hashes(resource) != _hashes(manifest.resources[other]):
            told = f"{resource.name!r} is another file, {other!r}: give one a `filename` of its own"
            yield Fault(f"resources.{name}.filename", told)


def _hashes(resource: Resource) -> tuple[str | None, str | None]:
    return resource.sha256, resource.md5


def _check_links(manifest: Manifest) -> Iterator[Fault]:
    """Pages that people are sent to: nothing that a browser would run."""
    pages = {"homepage": manifest.homepage}
    if manifest.license is not BROKEN:
        pages["license.source"] = manifest.license.source or ""
    citations = () if manifest.citations is BROKEN else enumerate(manifest.citations)
    pages |= {f"citations[{i}].url": item.url or "" for i, item in citations if item is not BROKEN}
    for place, url in pages.items():
        if url is not BROKEN and _OTHER_SCHEME.match(url):
            yield Fault(place, f"{url!r} must be an http or https address")


def _check_resource(place: str, resource: Resource) -> Iterator[Fault]:
    yield from _check_hashes(place, resource)
    yield from _check_size(place, resource)
    for field in resource.limits.__struct_fields__:
        yield from _check_limit(f"{place}.limits.{field}", getattr(resource.limits, field))
    urls = [_check_url(url) for url in resource.urls]
    yield from (Fault(f"{place}.urls[{i}]", told) for i, told in enumerate(urls) if told)
    if any(urls):
        return  # the file's name is part of the first address
    if resource.access == "manual" and not resource.instructions:
        yield Fault(place, 'access = "manual" needs instructions')
    if resource.access == "open" and not resource.name:
        yield Fault(place, "has neither urls nor a filename")
    if re.search(r"[/\\\x00-\x1f\x7f]|^\.{1,2}$", resource.name):
        yield Fault(f"{place}.filename", f"{resource.name!r} must be a plain file name")


def _check_size(place: str, resource: Resource) -> Iterator[Fault]:
    if resource.size is not None and not 1 <= resource.size < 2**53:
        yield Fault(f"{place}.size", "must be at least 1 byte and below 2**53")


def _check_limit(place: str, value: int) -> Iterator[Fault]:
    if not 1 <= value < 2**53:
        yield Fault(place, "must be at least 1 and below 2**53")


def _check_url(url: str) -> str:
    """What is wrong with an address; nothing of a password in it is repeated."""
    if len(url) > LONGEST_URL:
        return f"must have at most {LONGEST_URL:,} characters"
    try:
        parts = urlsplit(url)
        right = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets, or a port that is none
        right = False
    if "@" in url.partition("://")[2].partition("/")[0]:
        return "must be an http or https address without user name and password"
    if not right or re.search(r"[\s\x00-\x1f\x7f]", url):
        return f"{url!r} must be an http or https address"
    return ""


def _check_hashes(place: str, resource: Resource) -> Iterator[Fault]:
    hashes = {"sha256": resource.sha256, "content_sha256": resource.content_sha256}
    for field, value in hashes.items():
        if value is not None and not is_hex("sha256", value):
            yield Fault(f"{place}.{field}", "must be 64 lower-case hexadecimal digits")
    if resource.md5 is not None and not is_hex("md5", resource.md5):
        yield Fault(f"{place}.md5", "must be 32 lower-case hexadecimal digits")
    yield from _check_chunks(place, resource)
    if resource.sha256 is None and resource.md5 is None:
        yield Fault(place, "has neither sha256 nor md5: its bytes could not be verified")


def _check_chunks(place: str, resource: Resource) -> Iterator[Fault]:
    if not resource.chunks:
        return
    if not all(is_hex("sha256", chunk) for chunk in resource.chunks):
        yield Fault(f"{place}.chunks", "must hold 64 lower-case hexadecimal digits each")
    wanted = None if resource.size is None else -(-resource.size // CHUNK)
    if wanted != len(resource.chunks):
        told = "the size is not known" if wanted is None else f"{wanted} chunks have to be there"
        yield Fault(f"{place}.chunks", f"are checksums of 16 MiB each: {told}")
