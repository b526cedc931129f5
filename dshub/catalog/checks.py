"""Check the rules for manifests that types cannot express, such as rules for several fields."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from typing import TypeVar, assert_never
from urllib.parse import urlsplit

from dshub.catalog.faults import BROKEN, Fault
from dshub.catalog.features import (
    AudioFeature,
    BoxFeature,
    BytesFeature,
    DateFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
)
from dshub.catalog.manifest import CHUNK, LOCAL, Manifest, Resource, pair_columns
from dshub.catalog.split_checks import check_layout, check_split, check_without

_MOST_COLUMNS = 1_000_000  # maximum sum of the columns of all splits
LONGEST_URL = 4096  # characters; `urlsplit` takes quadratic time for non-ASCII URLs
# browsers ignore spaces and control characters before and inside a scheme
_OTHER_SCHEME = re.compile(r"(?!https?:)[\x00-\x20]*[a-z][a-z0-9+.\x00-\x20-]*:", re.IGNORECASE)
T = TypeVar("T")
_ENCODED = ("uint8", "uint16", "int32", "float32")  # dtypes of encoded images


def check(manifest: Manifest) -> Iterator[Fault]:
    """Yield the faults of a manifest. Each field has the right type or is `BROKEN`."""
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
        for key, resource in layout.resources.items():
            yield from _check_resource(f"layouts.{name}.resources.{key}", resource)
        yield from check_layout(f"layouts.{name}", layout, manifest)


def check_kept(manifest: Manifest) -> Iterator[Fault]:
    """Yield the faults of a cached manifest that affect its prepared tables.

    Readers are not checked, because they do not need to be installed. The manifest can be a result
    of `laid_out`.
    """
    layouts = (layout.resources for layout in manifest.layouts.values())
    for resources in (manifest.resources, *layouts):
        for name, resource in resources.items():
            yield from _check_hashes(f"resources.{name}", resource)
    for name, feature in manifest.features.items():
        yield from check_feature(f"features.{name}", feature)
    for name, split in manifest.splits.items():
        yield from check_without(f"splits.{name}.without", split, manifest.features)


def _sound(table: Mapping[str, T]) -> Iterator[tuple[str, T]]:
    """Yield the entries of a table that are not `BROKEN`."""
    if table is not BROKEN:
        yield from ((name, item) for name, item in table.items() if item is not BROKEN)


def check_feature(  # noqa: C901, PLR0912  # a case each
    place: str, feature: Feature
) -> Iterator[Fault]:  # a case each
    """Yield the faults of a feature."""
    match feature:
        case ListFeature():
            yield from check_feature(f"{place}.of", feature.of)
        case StructFeature():
            for name, of in feature.fields.items():
                yield from check_feature(f"{place}.fields.{name}", of)
        case ImageFeature():
            yield from _check_image(place, feature)
        case MaskFeature():
            if len(feature.shape) not in ({2} if feature.encoding == "raw" else {0, 2}):
                yield Fault(f"{place}.shape", "must be height and width")
        case LabelFeature():
            yield from _check_label(place, feature)
        case NumberFeature():
            is_float = feature.dtype.startswith("float")
            if feature.missing and not is_float and not feature.optional:
                problem = "needs a float, where missing values become NaN, or optional = true"
                yield Fault(f"{place}.missing", problem)
        case DateFeature():
            if feature.timezone and feature.unit == "D":
                yield Fault(f"{place}.timezone", "needs a unit of time, such as s or us")
        case AudioFeature(rate=0, resample=True):
            yield Fault(f"{place}.rate", "must be at least 1 to resample files")
        case AudioFeature() | TextFeature() | BytesFeature() | BoxFeature():
            pass
        case _:
            assert_never(feature)


def _check_image(place: str, feature: ImageFeature) -> Iterator[Fault]:
    shape = feature.shape
    if feature.encoding == "raw":
        if len(shape) != 3:
            yield Fault(f"{place}.shape", "must be height, width and channels")
        return
    if shape and (len(shape) != 3 or shape[2] not in {1, 3}):
        yield Fault(f"{place}.shape", "must be height, width and 1 or 3 channels, or left out")
    if feature.dtype not in _ENCODED or (feature.dtype != "uint8" and feature.encoding == "jpeg"):
        choices = "uint8" if feature.encoding == "jpeg" else ", ".join(_ENCODED)
        yield Fault(f"{place}.dtype", f"must be {choices}, because images are encoded")


def _check_label(place: str, feature: LabelFeature) -> Iterator[Fault]:
    for field, names in (("names", feature.names), ("codes", feature.codes)):
        twice = next((name for name, count in Counter(names).items() if count > 1), None)
        if twice is not None:
            yield Fault(f"{place}.{field}", f"{twice!r} is listed twice")
    if len(feature.codes) not in {0, len(feature.names)}:
        message = f"has {len(feature.codes)} codes for {len(feature.names)} classes"
        yield Fault(f"{place}.codes", message)


def unused(name: str, taken: Container[str], separator: str) -> str:
    """Return `name`, or `name` with the separator and an unused number if it is taken."""
    if name not in taken:
        return name
    high = 2
    while f"{name}{separator}{high}" in taken:
        high *= 2
    low = high // 2 + 1  # `bisect_left` takes few steps even if many names are taken
    free = bisect_left(range(low, high), 1, key=lambda i: f"{name}{separator}{i}" not in taken)
    return f"{name}{separator}{low + free}"


def _check_columns(manifest: Manifest) -> Iterator[Fault]:
    """Limit the total columns of all splits, because many callers iterate over all of them."""
    if BROKEN not in (manifest.features, manifest.splits):
        columns = len(manifest.features) * len(manifest.splits)
        if columns > _MOST_COLUMNS:
            yield Fault("splits", f"have {columns:,} columns in total, more than {_MOST_COLUMNS:,}")


def _check_use(manifest: Manifest) -> Iterator[Fault]:
    splits, resources, features = manifest.splits, manifest.resources, manifest.features
    if resources is not BROKEN and LOCAL in resources:
        yield Fault(f"resources.{LOCAL}", "is reserved for local files in layouts")
    if BROKEN not in (resources, splits) and BROKEN not in splits.values():
        for name in resources.keys() - manifest.split_resources().keys():
            yield Fault(f"resources.{name}", "no split uses it")
    if BROKEN not in (features, manifest.supervised):
        for column in pair_columns(manifest.supervised) if manifest.supervised else ():
            if column not in features:
                yield Fault("supervised", f"{column!r} is not among the features")


def _check_filenames(manifest: Manifest) -> Iterator[Fault]:
    """Reject different files with the same name, which cannot be in one folder."""
    first: dict[str, tuple[str, Resource]] = {}
    for name, resource in _sound(manifest.resources):
        if any(map(_check_url, resource.urls)) or not resource.name:
            continue
        other, same = first.setdefault(resource.name, (name, resource))
        if (same.sha256, same.md5) != (resource.sha256, resource.md5):
            problem = f"{resource.name!r} is also the name of {other!r}; set another `filename`"
            yield Fault(f"resources.{name}.filename", problem)


def _check_links(manifest: Manifest) -> Iterator[Fault]:
    """Reject links with schemes other than http and https, which can run code in a browser."""
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
    problems = [_check_url(url) for url in resource.urls]
    yield from (Fault(f"{place}.urls[{i}]", text) for i, text in enumerate(problems) if text)
    if any(problems):
        return  # the file name is part of the first URL
    if resource.access == "manual" and not resource.instructions:
        yield Fault(place, 'access = "manual" needs instructions')
    if resource.access == "open" and not resource.name:
        yield Fault(place, "needs urls or a filename")
    if re.search(r"[/\\\x00-\x1f\x7f]|^\.{1,2}$", resource.name):
        yield Fault(f"{place}.filename", f"{resource.name!r} must be a plain file name")


def _check_url(url: str) -> str:
    """Return the problem with a URL, without its password, or an empty string."""
    if len(url) > LONGEST_URL:
        return f"must have at most {LONGEST_URL:,} characters"
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # invalid brackets or port
        is_web = False
    if "@" in url.partition("://")[2].partition("/")[0]:
        return "must be an http or https address without user name and password"
    if not is_web or re.search(r"[\s\x00-\x1f\x7f]", url):
        return f"{url!r} must be an http or https address"
    return ""


def _check_hashes(place: str, resource: Resource) -> Iterator[Fault]:
    if resource.sha256 is None and resource.md5 is None:
        yield Fault(place, "needs sha256 or md5 to verify the file")
    expected = None if resource.size is None else -(-resource.size // CHUNK)
    if resource.chunks and len(resource.chunks) != expected:
        problem = f"must have {expected} checksums, one for each 16 MiB of the file"
        yield Fault(f"{place}.chunks", problem if expected else "need the size of the file")
