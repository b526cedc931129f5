r"""Export to MXNet's RecordIO without MXNet: each record is an image, audio or text with a label.

Each file of records has an index with lines `<key>\t<offset>`. Keys are row numbers.

`dshub.formats.recordio` describes the format.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dshub.catalog.features import Feature, LabelFeature, TextFeature
from dshub.errors import DshubError
from dshub.export._rows import Columns, Exporter, Rows, as_file, content_and_label, is_file
from dshub.export._stored import Stored, as_stored_file, by_number
from dshub.formats.recordio import HEADER, LARGEST_PART, framed


class RecordIo(Exporter):
    """Exporter of RecordIO shards, each with an index."""

    suffixes = (".idx", ".rec")

    def check(self, rows: Rows) -> None:
        _columns(rows)

    def write(self, path: Path, rows: Rows) -> None:
        content, label = _columns(rows)
        with (
            path.with_suffix(".rec").open("wb") as sink,
            path.with_suffix(".idx").open("w", encoding="ascii", newline="\n") as index,
        ):
            for number, row in rows.each():
                index.write(f"{number}\t{sink.tell()}\n")
                value = row[content]
                data = value.encode() if isinstance(value, str) else as_file(value)
                header = HEADER.pack(0, float(row[label]) if label else 0.0, number, 0)
                if len(header + data) > LARGEST_PART:
                    raise DshubError(
                        f"{rows.title}, row {number} is too large for RecordIO",
                        hint="export to parquet, arrow or webdataset",
                    )
                sink.writelines(framed(header + data))

    def stored(self, features: Mapping[str, Feature], supervised: Columns) -> Stored:
        del supervised
        content = next(
            name for name, item in features.items() if not isinstance(item, LabelFeature)
        )
        label = next((name for name in features if name != content), None)
        shown = {content: as_stored_file(features[content])}
        if label is None:
            return Stored(_reader(shown[content]), shown, part=content)
        shown["label"] = by_number(features[label])
        return Stored(_reader(shown[content]), shown, part=content)


def _reader(feature: Feature) -> dict[str, Any]:
    text = {"text": True} if isinstance(feature, TextFeature) else {}
    return {"format": "recordio", **text}


def _columns(rows: Rows) -> tuple[str, str | None]:
    return content_and_label(
        rows,
        lambda feature: is_file(feature) or isinstance(feature, TextFeature),
        "a record holds one image, audio or text, and one label",
    )


exporter = RecordIo()
