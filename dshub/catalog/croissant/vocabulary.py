"""Croissant terms, such as the `@context` of each version, data types and media types."""

from collections.abc import Container, Iterable
from typing import Any, Literal, assert_never, get_args
from urllib.parse import quote

from dshub.catalog.features import (
    AudioFeature,
    BoxFeature,
    BytesFeature,
    DateFeature,
    Dtype,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
)

Version = Literal["1.0", "1.1"]
VERSIONS: tuple[Version, ...] = get_args(Version)

CONFORMS = "http://mlcommons.org/croissant/"  # prefix of the version in `conformsTo`

MANIFEST = "dshub:manifest"  # custom term with the manifest, for a lossless round trip

# terms that have the same name in the Croissant namespace
_TERMS = (
    "citeAs column equivalentProperty extract field fileObject fileProperty fileSet format "
    "includes isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated "
    "replace samplingRate separator source subField transform"
)
_TERMS_1_1 = "annotation arrayShape containedIn excludes isArray readLines sdVersion unArchive"


def context(version: Version) -> dict[str, Any]:
    """Return the `@context` from the specification of a Croissant version.

    The specification of 1.1 has `http://schema.org/`, which the validator rejects. Therefore, the
    result contains `https://schema.org/` for both versions.
    """
    terms = _TERMS.split() + (_TERMS_1_1.split() if version == "1.1" else [])
    by_language = {"@container": "@language"}
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "dshub": "urn:x-dshub:",
        "conformsTo": "dct:conformsTo",
        **{term: f"cr:{term}" for term in sorted(terms)},
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        **({"name": by_language, "description": by_language} if version == "1.1" else {}),
        MANIFEST: {"@id": MANIFEST, "@type": "@json"},
    }


# numeric types of the reference implementation
WIDTHS = {
    dtype: f"cr:{dtype.replace('uint', 'UInt').replace('int', 'Int').replace('float', 'Float')}"
    for dtype in get_args(Dtype)
    if dtype != "bool"
}
SPLIT_KINDS = {
    "train": "cr:TrainingSplit",
    "validation": "cr:ValidationSplit",
    "valid": "cr:ValidationSplit",
    "val": "cr:ValidationSplit",
    "dev": "cr:ValidationSplit",
    "test": "cr:TestSplit",
}

TAR, ZIP = "application/x-tar", "application/zip"
CSV, TSV = "text/csv", "text/tab-separated-values"
JSON, JSON_LINES = "application/json", "application/jsonlines"
PARQUET, TEXT, BYTES = "application/x-parquet", "text/plain", "application/octet-stream"
IMAGE_TYPES = {"jpeg": "image/jpeg", "png": "image/png"}
AUDIO_TYPES = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "aiff": "audio/aiff",
}
_COMPRESSIONS = {
    "gz": "application/gzip",
    "tgz": "application/gzip",
    "bz2": "application/x-bzip2",
    "xz": "application/x-xz",
    "zst": "application/zstd",
}
_SUFFIXES = {
    "zip": ZIP,
    "tar": TAR,
    "tgz": TAR,
    "csv": CSV,
    "tsv": TSV,
    "json": JSON,
    "jsonl": JSON_LINES,
    "parquet": PARQUET,
    "txt": TEXT,
    "jpg": IMAGE_TYPES["jpeg"],
    "jpeg": IMAGE_TYPES["jpeg"],
    "png": IMAGE_TYPES["png"],
    "mat": "application/x-matlab-data",
    **AUDIO_TYPES,
}


def encoding_formats(name: str, content: Iterable[str] = ()) -> str | list[str]:
    """Return the media types of a file for `encodingFormat`.

    Args:
        name: file name or pattern. Its suffixes determine the compression.
        content: media types of the content, if known. By default the suffixes determine them.
    """
    parts = name.lower().rpartition("/")[2].split(".")[1:]
    types = list(content)
    if not types and parts:
        inner = parts[-2] if len(parts) > 1 and parts[-1] in _COMPRESSIONS else parts[-1]
        types = [_SUFFIXES[inner]] if inner in _SUFFIXES else []
    if parts and parts[-1] in _COMPRESSIONS:
        types.append(_COMPRESSIONS[parts[-1]])
    return types[0] if len(types) == 1 else types or BYTES


def identifier(*parts: str) -> str:
    """Return an `@id` of parts joined by slashes, with characters that IRIs forbid escaped."""
    return "/".join(quote(part, safe="/*-._~") for part in parts)


def reference(identifier: str) -> dict[str, str]:
    """Return a reference to another node of the document."""
    return {"@id": identifier}


def unused_key(name: str, taken: Container[str]) -> str:
    """Return a name that is not in `taken`, which contains no names that end in `_`."""
    return f"{name}_" if name in taken else name


def types(feature: Feature, version: Version, *, numbers: bool) -> dict[str, Any]:
    """Return the `dataType` of a feature, with its shape for arrays.

    Croissant 1.0 has no shapes, and only marks arrays as `repeated`.

    Args:
        feature: feature to describe.
        version: Croissant version.
        numbers: True if the files contain class numbers.
    """
    kinds = _kinds(feature, numbers=numbers)
    shape = _shape(feature)
    if shape and version == "1.1":
        array = {"isArray": True, "arrayShape": ",".join(map(str, shape))}
    elif isinstance(feature, ImageFeature | MaskFeature):
        kinds, array = kinds[:1], {}  # numeric types are for arrays only
    else:
        array = {"repeated": True} if shape else {}
    return {"dataType": kinds[0] if len(kinds) == 1 else kinds} | array


def _kinds(  # noqa: C901, PLR0911, PLR0912  # a case each
    feature: Feature, *, numbers: bool
) -> list[str]:
    match feature:
        case ImageFeature() | MaskFeature():
            widths = [WIDTHS[feature.dtype]] if feature.encoding == "raw" else []
            return ["sc:ImageObject", *widths]
        case AudioFeature():
            return ["sc:AudioObject"]
        case LabelFeature():
            return ["sc:Integer" if numbers else "sc:Text", "cr:Label"]
        case NumberFeature():
            if feature.dtype == "bool":
                return ["sc:Boolean"]
            floats = feature.dtype.startswith("float")
            return ["sc:Float" if floats else "sc:Integer", WIDTHS[feature.dtype]]
        case BoxFeature():
            return ["cr:BoundingBox", WIDTHS[feature.dtype]]
        case TextFeature():
            return ["sc:Text"]
        case DateFeature():
            return ["sc:Date" if feature.unit == "D" else "sc:DateTime"]
        case BytesFeature() | StructFeature():  # Croissant has no type for them
            return ["sc:Text"]
        case ListFeature():
            return _kinds(feature.of, numbers=numbers)
        case _:
            assert_never(feature)


def _shape(feature: Feature) -> tuple[int, ...]:
    """Return the shape of an array, with -1 for any length; empty for a single value."""
    if isinstance(feature, ListFeature):
        return (-1, *_shape(feature.of))
    if isinstance(feature, NumberFeature | BoxFeature) or (
        isinstance(feature, ImageFeature | MaskFeature) and feature.encoding == "raw"
    ):
        return feature.shape
    return ()
