"""WebDataset: tar shards, in which files that begin alike are one row.

`00000012.jpg` is the picture, `00000012.cls` the class as a number, `00000012.json` the other
columns. Where there are several columns of pictures or recordings, their files are called
`00000012.<column>.jpg`; arrays are `00000012.<column>.npy`. Source: the documentation of the
package webdataset.
"""

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dshub.catalog.features import (
    AudioFeature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
)
from dshub.errors import DshubError
from dshub.export._rows import Rows, as_file, chosen, ending, is_file


@dataclass(frozen=True)
class WebDataset:
    """Shards that are tar archives, with nothing in them that differs from run to run."""

    kind: Literal["shards"] = "shards"
    suffixes: tuple[str, ...] = (".tar",)
    revision: int = 1

    def check(self, rows: Rows) -> None:
        for name in rows.features:
            if "." in name or "/" in name:
                told = f"{rows.title}: column {name} has a name that no ending of a file can be"
                raise DshubError(told)

    def write(self, path: Path, rows: Rows) -> None:
        parts = _Parts.of(rows)
        target = path.with_name(f"{path.name}{self.suffixes[0]}")
        with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
            for number, row in rows.each():
                for name, data in parts.files(row):
                    member = tarfile.TarInfo(f"{number:08d}.{name}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))


@dataclass(frozen=True)
class _Parts:
    """Which columns go to which files of a row."""

    files_of: Sequence[str]
    label: str | None
    arrays: Sequence[str]
    rest: Sequence[str]

    @classmethod
    def of(cls, rows: Rows) -> "_Parts":
        files = [name for name, feature in rows.features.items() if is_file(feature)]
        labels = chosen(rows, (LabelFeature,))
        label = rows.supervised[1] if rows.supervised else None
        label = label if label in labels else next(iter(labels), None)
        arrays = [
            name
            for name, feature in rows.features.items()
            if name not in files and _is_array(feature)
        ]
        taken = {*files, *arrays, label}
        return cls(files, label, arrays, [name for name in rows.features if name not in taken])

    def files(self, row: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
        """Ends of names, and contents."""
        for name in self.files_of:
            data = as_file(row[name])
            alone = len(self.files_of) == 1
            yield ending(data) if alone else f"{name}.{ending(data)}", data
        for name in self.arrays:
            sink = io.BytesIO()
            np.lib.format.write_array(sink, np.ascontiguousarray(row[name]), allow_pickle=False)
            yield f"{name}.npy", sink.getvalue()
        if self.label is not None:
            yield "cls", str(int(row[self.label])).encode()
        if self.rest:
            found = {name: _plain(row[name]) for name in self.rest}
            yield "json", json.dumps(found, ensure_ascii=False).encode()


def _is_array(feature: object) -> bool:
    if isinstance(feature, ListFeature):
        return isinstance(feature.of, NumberFeature)
    return isinstance(feature, ImageFeature | AudioFeature) or (
        isinstance(feature, NumberFeature) and bool(feature.shape)
    )


def _plain(value: Any) -> Any:
    """What JSON has: whole numbers, floats (NaN among them, as Python writes it), text, lists."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


exporter = WebDataset()
