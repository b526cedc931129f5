"""The text of a manifest: the order and the look of those in the registry."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.errors import MissingExtraError
from dshub.publishing.authoring.outline import PACKED, Outline, SplitOutline
from dshub.publishing.authoring.survey import key, stem
from dshub.publishing.pinning import Measured

_WIDTH = 100  # characters of a line
_LICENSE = """\
[license]
# Under which terms may others use it? What nobody has stated stays out.
# spdx = "CC-BY-4.0"               # an identifier of https://spdx.org/licenses
# source = "https://…"             # the page that says so
# redistribution = "yes"           # whether the files may be passed on: yes, no, unknown"""
_CITATION = """\
# How is it cited?
# [[citations]]
# type = "misc"
# key = "…"
# title = "…"
# author = ["Family, Given"]
# year = 2000"""


def require_tomlkit() -> Any:  # the module
    """What writes TOML; raises MissingExtraError where it is not installed."""
    try:
        import tomlkit
    except ImportError as error:
        raise MissingExtraError(package="tomlkit", extra="author") from error
    return tomlkit


def resource_keys(outline: Outline, name: str) -> dict[Path, str]:
    """What each file is called in the manifest, in the order in which splits need them."""
    from dshub.archives import stream_suffixes

    keys: dict[Path, str] = {}
    parts = [part for split in outline.splits.values() for part in split.parts.values()]
    for path in dict.fromkeys(path for part in parts for path, _ in part.references):
        own = name.rpartition("/")[2] if path == PACKED else path.name
        keys[path] = key(stem(own, stream_suffixes()), keys.values())
    return keys


def manifest_text(
    name: str,
    version: str,
    outline: Outline,
    *,
    resources: Mapping[str, tuple[str, Measured]],
    keys: Mapping[Path, str],
) -> str:
    """The manifest of an outline, as TOML.

    Args:
        name: of the dataset.
        version: of the dataset.
        outline: what is known of it.
        resources: the name of each file, and what it was measured to be.
        keys: the resource of each path of the outline.
    """
    blocks = [_head(name, version, outline), _LICENSE]
    blocks += [_resource(*item) for item in resources.items()]
    blocks += [_feature(*item) for item in outline.features.items()]
    blocks += [_split(split, outline.splits[split], keys) for split in outline.splits]
    return "\n\n".join([*blocks, _CITATION]) + "\n"


def _head(name: str, version: str, outline: Outline) -> str:
    rows = ", ".join(f"{split} {item.rows:,}" for split, item in outline.splits.items())
    words = name.rpartition("/")[2]
    pair = supervised(outline.features)
    lines = [
        "# Begun by `dshub new`: what is said here was read from the files; mend the words.",
        *_fields({"schema": 1, "name": name, "version": version, "title": words}),
        f"summary = {_value(f'{outline.kind}; rows: {rows}.')}  # what it is, in a sentence",
        f"task = {_value(task(outline.features))}  # what it is usually used for",
        'homepage = ""  # where people can read about it',
    ]
    return "\n".join([*lines, *_fields({"supervised": list(pair)} if pair else {})])


def supervised(features: Mapping[str, Feature]) -> tuple[str, str] | None:
    """What (x, y) means, where that is plain: one column of classes, and one other."""
    labels = [name for name, item in features.items() if isinstance(item, LabelFeature)]
    if len(features) != 2 or len(labels) != 1:
        return None
    other = next(name for name in features if name not in labels)
    return other, labels[0]


def task(features: Mapping[str, Feature]) -> str:
    """The usual use of such columns, a guess."""
    kinds = [type(item) for item in features.values()]
    if LabelFeature not in kinds:
        return "unknown"
    for kind, what in ((ImageFeature, "image"), (AudioFeature, "audio")):
        if kind in kinds:
            return f"{what}-classification"
    texts = kinds.count(TextFeature) + kinds.count(ListFeature)
    text = texts and texts >= kinds.count(NumberFeature) + kinds.count(LabelFeature) - 1
    return "text-classification" if text else "tabular-classification"


def _resource(name: str, found: tuple[str, Measured]) -> str:
    filename, facts = found
    fields: dict[str, Any] = {"filename": filename, "sha256": facts.sha256, "size": facts.size}
    if facts.chunks:
        fields["chunks"] = list(facts.chunks)
    told = '# urls = ["https://…"]            # once it is uploaded; tried in order'
    return "\n".join([f"[resources.{name}]", told, *_fields(fields)])


def _feature(name: str, feature: Feature) -> str:
    fields = msgspec.to_builtins(feature)
    if isinstance(feature, ImageFeature) and feature.encoding == "raw":
        fields["dtype"] = feature.dtype
    return "\n".join([f"[features.{name}]", *_fields(fields)])


def _split(name: str, split: SplitOutline, keys: Mapping[Path, str]) -> str:
    files = {}
    for part, found in split.parts.items():
        references = [
            f"{keys[path]}:{member}" if member else keys[path] for path, member in found.references
        ]
        files[part] = references[0] if len(references) == 1 else references
    fields: dict[str, Any] = {"rows": split.rows, "reader": split.reader, "files": files}
    if split.rename:
        fields["steps"] = [{"step": "rename", "columns": split.rename}]
    if split.without:
        fields["without"] = split.without
    if split.figures:
        fields["figures"] = split.figures
    return "\n".join([f"[splits.{name}]", *_fields(fields)])


def _fields(fields: Mapping[str, Any]) -> Iterable[str]:
    for name, value in fields.items():
        line = f"{name} = {_value(value)}"
        if len(line) > _WIDTH and isinstance(value, list | tuple):
            line = f"{name} = [\n{_wrapped(value)}]"
        yield line


def _value(value: Any) -> str:
    """A value in TOML, on one line; objects with their keys in order."""
    tomlkit = require_tomlkit()
    if isinstance(value, Mapping):
        inner = [
            f"{tomlkit.key(name).as_string()} = {_value(item)}" for name, item in value.items()
        ]
        return f"{{ {', '.join(inner)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    text: str = tomlkit.item(value).as_string()
    return text


def _wrapped(values: Iterable[Any]) -> str:
    lines, line = [], "   "
    for value in values:
        piece = f" {_value(value)},"
        if len(line) + len(piece) > _WIDTH and line.strip():
            lines.append(line)
            line = "   "
        line += piece
    return "\n".join([*lines, line, ""])
