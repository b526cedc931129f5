"""Format a manifest as TOML, in the layout of the built-in registry."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    TextFeature,
    boxes_in,
)
from dshub.publishing.authoring.outline import PACKED, Outline, SplitOutline
from dshub.publishing.authoring.survey import key, stem
from dshub.publishing.measuring import Measured

_WIDTH = 100  # maximum characters per line
_BARE = re.compile(r"[A-Za-z0-9_-]+")  # keys that need no quotes
_LICENSE = """\
[license]
# Which license applies? Omit fields that no source states.
# spdx = "CC-BY-4.0"               # an identifier from https://spdx.org/licenses
# source = "https://…"             # the page that states the license
# redistribution = "yes"           # can others share the files? yes, no, unknown"""
_URLS = '# urls = ["https://…"]            # download URLs, tried in order'
_CITATION = """\
# How should others cite the dataset?
# [[citations]]
# type = "misc"
# key = "…"
# title = "…"
# author = ["Family, Given"]
# year = 2000"""


class Resource(NamedTuple):
    """Resource of a drafted manifest.

    Attributes:
        key: key of the resource in the manifest.
        path: path of the file.
        measured: checksums and size of the file.
    """

    key: str
    path: Path
    measured: Measured

    @property
    def file_name(self) -> str:
        """Name of the file, or one made from the key if another file has the same name."""
        name = self.path.name
        first = key(stem(name)) == self.key  # keys of later files end with a number
        return name if first else self.key + name[len(stem(name)) :]


def resource_keys(outline: Outline, name: str) -> dict[Path, str]:
    """Return a unique resource key for each file, in the order of splits."""
    keys: dict[Path, str] = {}
    for split in outline.splits.values():
        for path, _ in (reference for part in split.references.values() for reference in part):
            if path not in keys:
                file_name = name.rpartition("/")[2] if path == PACKED else path.name
                keys[path] = key(stem(file_name), keys.values())
    return keys


def manifest_text(
    name: str, version: str, outline: Outline, resources: Mapping[Path, Resource]
) -> str:
    """Format the manifest of an outline as TOML.

    Args:
        name: name of the dataset.
        version: version of the dataset.
        outline: outline of the dataset.
        resources: resources, by path in the outline.
    """
    blocks = [_head(name, version, outline), _LICENSE]
    blocks += [_resource(item, outline.encodings.get(path)) for path, item in resources.items()]
    for feature_name, feature in outline.features.items():
        blocks.append(_table(f"features.{feature_name}", msgspec.to_builtins(feature)))
    for split_name, split in outline.splits.items():
        blocks.append(_table(f"splits.{split_name}", _split(split, resources)))
    return "\n\n".join([*blocks, _CITATION]) + "\n"


def _head(name: str, version: str, outline: Outline) -> str:
    rows = ", ".join(f"{split} {item.rows:,}" for split, item in outline.splits.items())
    title = name.rpartition("/")[2]
    return "\n".join(
        [
            "# Drafted by `dshub new`; edit the descriptions.",
            *_fields({"schema": 1, "name": name, "version": version, "title": title}),
            f"summary = {_value(f'{outline.kind}; rows: {rows}.')}  # one sentence",
            f"task = {_value(task(outline.features))}  # the usual task",
            'homepage = ""  # a page about the dataset',
            *_fields({"supervised": supervised(outline.features)}),
        ]
    )


def supervised(features: Mapping[str, Feature]) -> list[str]:
    """Return the input and target columns if there is exactly one of each, or an empty list.

    The label of an image can also be a column of boxes.
    """
    boxes = [name for name, item in features.items() if any(boxes_in(item))]
    if boxes and "image" in features:
        return ["image", boxes[0]]
    targets = LabelFeature | MaskFeature
    labels = [name for name, item in features.items() if isinstance(item, targets)]
    inputs = [name for name in features if name not in labels]
    return inputs + labels if len(labels) == len(inputs) == 1 else []


def task(features: Mapping[str, Feature]) -> str:
    """Guess the task from the kinds of columns."""
    if any(any(boxes_in(feature)) for feature in features.values()):
        return "object-detection"
    count = Counter(map(type, features.values()))
    if count[MaskFeature] and count[ImageFeature]:
        return "image-segmentation"
    if not count[LabelFeature]:
        return "unknown"
    if count[ImageFeature] or count[AudioFeature]:
        return "image-classification" if count[ImageFeature] else "audio-classification"
    texts = count[TextFeature] + count[ListFeature]
    is_text = texts and texts >= count[NumberFeature] + count[LabelFeature] - 1
    return "text-classification" if is_text else "tabular-classification"


def _resource(resource: Resource, encoding: str | None) -> str:
    fields = {"filename": resource.file_name, **asdict(resource.measured)}
    fields |= {"member_encoding": encoding} if encoding else {}
    return _table(f"resources.{resource.key}", fields, _URLS)


def _split(split: SplitOutline, resources: Mapping[Path, Resource]) -> dict[str, Any]:
    files: dict[str, Any] = {}
    for part, references in split.references.items():
        names = [
            f"{resources[path].key}:{member}" if member else resources[path].key
            for path, member in references
        ]
        files[part] = names[0] if len(names) == 1 else names
    rename = {"step": "rename", "columns": split.rename}
    return {
        "rows": split.rows,
        "reader": split.reader,
        "files": files,
        "steps": [*([rename] if split.rename else []), *split.steps],
        "without": split.without,
        "figures": split.figures,
    }


def _table(name: str, fields: Mapping[str, Any], *comments: str) -> str:
    return "\n".join([f"[{name}]", *comments, *_fields(fields)])


def _fields(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield each field as TOML, with long lists wrapped; empty values are omitted."""
    for name, value in fields.items():
        if value in ((), [], {}):
            continue
        line = f"{name} = {_value(value)}"
        if len(line) > _WIDTH and isinstance(value, list | tuple):
            line = f"{name} = [\n{_wrapped(value)}]"
        yield line


def _value(value: Any) -> str:
    """Format a value on one line."""
    if isinstance(value, Mapping):
        pairs = (
            f"{name if _BARE.fullmatch(name) else _value(name)} = {_value(item)}"
            for name, item in value.items()
        )
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    # strings, numbers and booleans are the same in JSON and TOML, except that TOML escapes DEL
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _wrapped(values: Iterable[Any]) -> str:
    lines = ["   "]
    for value in values:
        item = f" {_value(value)},"
        if len(lines[-1]) + len(item) > _WIDTH and lines[-1].strip():
            lines.append("   ")
        lines[-1] += item
    return "\n".join([*lines, ""])
