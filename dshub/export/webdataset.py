"""Export to WebDataset: tar shards, with one row per set of files with the same stem.

`00000012.jpg` is the image, `00000012.cls` the class number, and `00000012.json` the other columns,
with other labels by name.
If several columns hold images or audio, their files are `00000012.<column>.jpg`. Arrays are
`00000012.<column>.npy`. The package webdataset documents the format.
"""

import io
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dshub.catalog.features import (
    AudioFeature,
    BoxFeature,
    Feature,
    ImageFeature,
    ListFeature,
    NumberFeature,
)
from dshub.errors import DshubError
from dshub.export._rows import Exporter, Rows, as_file, is_file, json_value, labels, suffix_of


class WebDataset(Exporter):
    """Exporter of shards, which are reproducible tar archives."""

    suffixes = (".tar",)

    def check(self, rows: Rows) -> None:
        for name in rows.features:
            if "." in name or "/" in name:
                raise DshubError(
                    f"{rows.title}: column {name} contains '.' or '/', which file suffixes cannot",
                    hint="rename the column, or export to parquet or arrow",
                )

    def write(self, path: Path, rows: Rows) -> None:
        columns = _columns(rows)
        target = path.with_suffix(".tar")
        with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
            for number, row in rows.each():
                for suffix, data in _files(columns, row, rows.features):
                    member = tarfile.TarInfo(f"{number:08d}.{suffix}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))


def _columns(rows: Rows) -> Mapping[str, Sequence[str]]:
    """Return the columns that are written to each kind of file."""
    numbers = [name for name in labels(rows) if not rows.features[name].optional]
    target = rows.supervised[1] if rows.supervised else ""
    label = target if target in numbers else next(iter(numbers), None)
    columns = defaultdict(list)
    for name, feature in rows.features.items():
        array = "npy" if _is_array(feature) else "json"
        kind = "file" if is_file(feature) else "cls" if name == label else array
        columns[kind].append(name)
    return columns


def _files(
    columns: Mapping[str, Sequence[str]], row: Mapping[str, Any], features: Mapping[str, Feature]
) -> Iterator[tuple[str, bytes]]:
    """Yield the suffix and content of each file of a row."""
    for name in columns["file"]:
        if row[name] is None:
            continue
        data = as_file(row[name])
        suffix = suffix_of(data)
        yield suffix if len(columns["file"]) == 1 else f"{name}.{suffix}", data
    for name in columns["npy"]:
        sink = io.BytesIO()
        np.lib.format.write_array(sink, np.ascontiguousarray(row[name]), allow_pickle=False)
        yield f"{name}.npy", sink.getvalue()
    for name in columns["cls"]:
        yield "cls", str(int(row[name])).encode()
    if columns["json"]:
        plain = {name: json_value(row[name], features[name]) for name in columns["json"]}
        yield "json", json.dumps(plain, ensure_ascii=False).encode()


def _is_array(feature: Feature) -> bool:
    if feature.optional:
        return False
    if isinstance(feature, ListFeature):
        return isinstance(feature.of, NumberFeature | BoxFeature) and not feature.of.optional
    return isinstance(feature, ImageFeature | AudioFeature) or bool(getattr(feature, "shape", ()))


exporter = WebDataset()
