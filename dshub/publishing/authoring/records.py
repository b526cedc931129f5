"""Outline TFRecord and RecordIO files, after reading every record."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dshub.datasets.audio_files import encoding_of
from dshub.errors import ReadError
from dshub.formats import recordio
from dshub.formats.tfrecord.examples import ExampleError, decode
from dshub.formats.tfrecord.records import records
from dshub.publishing.authoring.outline import Outline, SplitOutline
from dshub.publishing.authoring.survey import Entry, key

TITLES = {"tfrecord": "TFRecord files", "recordio": "RecordIO files"}
_CACHE = re.compile(r"cache-[0-9a-z_]+\.arrow")
_FACTS = {"dataset_info.json", "dataset_dict.json", "state.json"}
_INDEXES = {".idx", ".lst", ".index"}


def outline(form: str, files: Mapping[str, Sequence[Entry]]) -> Outline:
    """Outline a dataset of records.

    Args:
        form: `tfrecord` or `recordio`.
        files: files of each split, in order.

    Raises:
        ReadError: a file is damaged, or has records of another kind.
        MissingExtraError: google-crc32c is not installed.
    """
    result = Outline(TITLES[form])
    entries = [entry for of_split in files.values() for entry in of_split]
    if form == "tfrecord":
        part, reader = "rows", _tfrecord_reader(entries, result.doubts)
    else:
        part, reader = _recordio_reader(entries)
    for name, of_split in files.items():
        result.splits[name] = SplitOutline({"format": form, **reader})
        result.splits[name].add(part, of_split)
    return result


def without_indexes(entries: Sequence[Entry]) -> list[Entry]:
    """Drop the indexes of record files, such as `train.idx` for `train.rec`.

    The facts that `datasets.save_to_disk` writes beside Arrow files are dropped, too, and the
    results of `map` that it caches there.
    """
    facts = {entry.name for entry in entries if entry.base in _FACTS}
    if facts and any(entry.suffix == ".arrow" for entry in entries):
        used = [entry for entry in entries if entry.name not in facts]
        entries = [entry for entry in used if not _CACHE.fullmatch(entry.base)]
    stems = {e.name.rpartition(".")[0] for e in entries if e.suffix in {".rec", ".tfrecord"}}
    return [
        entry
        for entry in entries
        if entry.suffix not in _INDEXES or entry.name.rpartition(".")[0] not in stems
    ]


def _tfrecord_reader(entries: Sequence[Entry], doubts: list[str]) -> dict[str, Any]:
    features: dict[str, _Feature] = {}
    for entry in entries:
        for number, record in enumerate(records(entry.file)):
            try:
                values = decode(record)
            except (ExampleError, UnicodeDecodeError) as error:
                reason = f"record {number:,} is not a tf.train.Example: {error}"
                raise ReadError(file=entry.name, reason=reason) from None
            for name, value in values.items():
                features.setdefault(name, _Feature()).add(value)
    columns: dict[str, str] = {}
    options: dict[str, Any] = {"types": {}, "lists": [], "shape": {}}
    for name, feature in sorted(features.items()):
        if len(feature.kinds) != 1:
            what = "its values have several types" if feature.kinds else "it is always empty"
            doubts.append(f"feature {name!r} is left out: {what}")
            continue
        column = key(name, columns)
        columns[column] = name
        feature.describe(column, options)
    options = {name: value for name, value in options.items() if value}
    return {"columns": columns, **options}


@dataclass
class _Feature:
    """Facts about a feature of Examples.

    Attributes:
        kinds: types of values: `bytes`, `float32` or `int64`.
        lengths: numbers of values.
        is_text: whether all bytes are UTF-8 text.
    """

    kinds: set[str] = field(default_factory=set)
    lengths: set[int] = field(default_factory=set)
    is_text: bool = True

    def add(self, values: list[bytes] | np.ndarray | None) -> None:
        """Add the values of a record."""
        if values is None:
            return
        self.lengths.add(len(values))
        if len(values):
            self.kinds.add("bytes" if isinstance(values, list) else str(values.dtype))
        if isinstance(values, list) and self.is_text:
            self.is_text = all(map(_is_text, values))

    def describe(self, column: str, options: dict[str, Any]) -> None:
        """Add a column to the options of the reader."""
        is_bytes = "bytes" in self.kinds
        if is_bytes and self.is_text:
            options["types"][column] = "text"
        if not self.lengths - {0, 1}:
            return
        if len(self.lengths) == 1 and not is_bytes:
            options["shape"][column] = list(self.lengths)
        else:
            options["lists"].append(column)


def _is_text(value: bytes) -> bool:
    try:
        return "\0" not in value.decode()
    except UnicodeDecodeError:
        return False


def _recordio_reader(entries: Sequence[Entry]) -> tuple[str, dict[str, Any]]:
    """Return the name of the content's column, and the reader options."""
    label, is_text, part = "class", True, ""
    for entry in entries:
        for record in recordio.records(entry.file):
            head = record.ljust(recordio.HEADER.size, b"\0")
            flag, single, _, _ = recordio.HEADER.unpack_from(head)
            content = record[recordio.HEADER.size + 4 * flag :]
            part = part or ("audio" if encoding_of(content[:12]) else "image")
            is_text = is_text and _is_text(content)
            if flag > 1:
                label = "list"
            elif label == "class" and not flag and not float(single).is_integer():
                label = "number"
    options: dict[str, Any] = {"label": label} if label != "class" else {}
    return ("text" if is_text else part), options | ({"text": True} if is_text else {})
