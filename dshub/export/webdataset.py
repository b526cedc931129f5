"""Export to WebDataset: tar shards, with one row per set of files with the same stem.

`00000012.jpg` is the image, `00000012.cls` the class number, and `00000012.json` the other columns,
with other labels by name.
If several columns hold images or audio, their files are `00000012.<column>.jpg`. Arrays are
`00000012.<column>.npy`, and bytes `00000012.<column>.bin`. Missing files are left out, and other
missing values and NaN are `null`. The package webdataset documents the format.
"""

import io
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dshub.catalog.features import (
    AudioFeature,
    BoxFeature,
    BytesFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
)
from dshub.errors import DshubError
from dshub.export._rows import (
    Columns,
    Exporter,
    Rows,
    as_file,
    is_file,
    json_text,
    json_value,
    suffix_of,
)
from dshub.export._stored import Stored, as_stored_file, by_name, by_number

IMAGES = ("jpg", "png", "gif", "bmp", "tif", "webp", "bin")  # suffixes of `suffix_of`
AUDIO = ("wav", "flac", "mp3", "ogg", "aiff", "bin")


class WebDataset(Exporter):
    """Exporter of shards, which are reproducible tar archives."""

    suffixes = (".tar",)
    revision = 2

    def check(self, rows: Rows) -> None:
        for name in rows.features:
            if "." in name or "/" in name:
                raise DshubError(
                    f"{rows.title}: column {name} contains '.' or '/', which file suffixes cannot",
                    hint="rename the column, or export to parquet or arrow",
                )

    def write(self, path: Path, rows: Rows) -> None:
        columns = _columns(rows.features, rows.supervised or ())
        target = path.with_suffix(".tar")
        with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
            for number, row in rows.each():
                for suffix, data in _files(columns, row, rows, number):
                    member = tarfile.TarInfo(f"{number:08d}.{suffix}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))

    def stored(self, features: Mapping[str, Feature], supervised: Columns) -> Stored:
        columns = _columns(features, supervised)
        places: dict[str, Any] = {}
        shown: dict[str, Feature] = {}
        for name, feature in features.items():
            kind = next(kind for kind, names in columns.items() if name in names)
            prefix = "" if kind == "file" and len(columns["file"]) == 1 else f"{name}."
            endings = IMAGES if isinstance(feature, ImageFeature) else AUDIO
            places[name] = {
                "file": [f"{prefix}{ending}" for ending in endings],
                "cls": "cls",
                "json": f"json:{name}",
            }.get(kind, f"{name}.{kind}")
            convert = {"file": as_stored_file, "json": by_name}.get(kind, by_number)
            shown[name] = convert(feature)
        shapes = {name: list(getattr(shown[name], "shape", ())) for name in columns["npy"]}
        shapes = {name: shape for name, shape in shapes.items() if shape}
        options = {"shape": shapes} if shapes else {}
        reader = {"format": "webdataset", "columns": places, **options}
        return Stored(reader, shown, part="samples", member="*")


def _columns(features: Mapping[str, Feature], supervised: Columns) -> Mapping[str, Sequence[str]]:
    """Return the columns that are written to each kind of file."""
    labels = [name for name, item in features.items() if isinstance(item, LabelFeature)]
    numbers = [name for name in labels if not features[name].optional]
    target = supervised[1] if supervised else ""
    label = target if target in numbers else next(iter(numbers), None)
    columns = defaultdict(list)
    for name, feature in features.items():
        kind = "file" if is_file(feature) else "cls" if name == label else _kind(feature)
        columns[kind].append(name)
    return columns


def _kind(feature: Feature) -> str:
    if isinstance(feature, BytesFeature):
        return "bin"
    return "npy" if _is_array(feature) else "json"


def _files(
    columns: Mapping[str, Sequence[str]], row: Mapping[str, Any], rows: Rows, number: int
) -> Iterator[tuple[str, bytes]]:
    """Yield the suffix and content of each file of a row, which has at least one."""
    is_empty = True
    for name in columns["file"]:
        if row[name] is None:
            continue
        is_empty = False
        data = as_file(row[name])
        suffix = suffix_of(data)
        yield suffix if len(columns["file"]) == 1 else f"{name}.{suffix}", data
    for name in columns["bin"]:
        if row[name] is not None:
            is_empty = False
            yield f"{name}.bin", row[name]
    for name in columns["npy"]:
        sink = io.BytesIO()
        np.lib.format.write_array(sink, np.ascontiguousarray(row[name]), allow_pickle=False)
        yield f"{name}.npy", sink.getvalue()
    for name in columns["cls"]:
        yield "cls", str(int(row[name])).encode()
    if columns["json"] or (is_empty and not columns["npy"] and not columns["cls"]):
        plain = {name: json_value(row[name], rows.features[name]) for name in columns["json"]}
        yield "json", json_text(rows, number, plain).encode()


def _is_array(feature: Feature) -> bool:
    if feature.optional:
        return False
    if isinstance(feature, ListFeature):
        return isinstance(feature.of, NumberFeature | BoxFeature) and not feature.of.optional
    return isinstance(feature, ImageFeature | AudioFeature) or bool(getattr(feature, "shape", ()))


exporter = WebDataset()
