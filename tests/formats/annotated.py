"""Files and rows of images with annotations, for the tests of several formats."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from dshub import formats
from dshub.testing.readers import MemoryFile

JPEG = b"\xff\xd8\xff image "
Files = Mapping[str, bytes]


def read(options: Mapping[str, Any], **parts: Files) -> list[dict[str, Any]]:
    """Read all rows of files by part and name."""
    reader = formats.create(options)
    files = {
        part: [MemoryFile(f"data.tar:{name}", data, name) for name, data in content.items()]
        for part, content in parts.items()
    }
    return [row for batch in reader.read(files) for row in batch.to_pylist()]


def images(*names: str) -> dict[str, bytes]:
    """Return files with the bytes of their own name."""
    return {name: JPEG + name.encode() for name in names}


def objects(count: int, labels: pa.DataType) -> dict[str, list[Any]]:
    """Return one or two boxes and labels for each of several rows."""
    boxes = [[[i, 1.5, i + 2.25, 4.0]] * (1 + i % 2) for i in range(count)]
    numbers = [[1 + i % 7] * (1 + i % 2) for i in range(count)]
    text = pa.types.is_string(labels)
    return {
        "boxes": boxes,
        "labels": [[str(n) for n in row] if text else row for row in numbers],
    }


def rows_of(schema: pa.Schema, columns: Mapping[str, Any], fields: Mapping[str, Any]) -> Any:
    """Return a batch with an image in each row, and objects from lists of each field."""
    count = len(fields["boxes"])
    kind = schema.field("objects").type
    values = [{name: fields[name][i] for name in fields} for i in range(count)]
    content = [JPEG + str(i).encode() for i in range(count)]
    arrays = {"image": pa.array(content, pa.binary())}
    arrays |= {n: pa.array(c, schema.field(n).type) for n, c in columns.items()}
    return pa.RecordBatch.from_pydict(arrays | {"objects": pa.array(values, kind)})
