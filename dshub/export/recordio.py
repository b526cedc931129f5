r"""Export to MXNet's RecordIO without MXNet: each record is an image, audio or text with a label.

Each file of records has an index with lines `<key>\t<offset>`. Keys are row numbers.

`dshub.formats.recordio` describes the format.
"""

from pathlib import Path

from dshub.catalog.features import TextFeature
from dshub.errors import DshubError
from dshub.export._rows import Exporter, Rows, as_file, content_and_label, is_file
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


def _columns(rows: Rows) -> tuple[str, str | None]:
    return content_and_label(
        rows,
        lambda feature: is_file(feature) or isinstance(feature, TextFeature),
        "a record holds one image, audio or text, and one label",
    )


exporter = RecordIo()
