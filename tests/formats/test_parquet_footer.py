"""Parse Parquet footers and compare them with pyarrow's metadata."""

import io
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dshub.formats.parquet.footer import read_chunks

TABLE = pa.table(
    {
        "number": list(range(500)),
        "text": ["x" * (i % 7) for i in range(500)],
        "list": [[1, 2, 3]] * 500,
        "struct": [{"real": 1.5, "text": "t"}] * 500,
        "flag": [True, None] * 250,
    }
)


def parquet_file(**options: object) -> io.BytesIO:
    """Write a file of five row groups."""
    file = io.BytesIO()
    pq.write_table(TABLE, file, row_group_size=100, **options)
    return file


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_footer_is_read_as_arrow_reads_it(compression: str) -> None:
    file = parquet_file(compression=compression, use_dictionary=["text"], write_page_index=True)
    metadata = pq.ParquetFile(file).metadata
    expected = []
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            facts = (column.num_values, column.total_uncompressed_size, column.has_dictionary_page)
            expected.append((group, place, *facts))
    assert read_chunks(file) == expected


def test_damaged_footer_is_a_value_error() -> None:
    data, chance = parquet_file().getvalue(), random.Random(0)
    length = int.from_bytes(data[-8:-4], "little")
    outcomes = set()
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(3):
            damaged[len(data) - 8 - chance.randrange(length) - 1] = chance.randrange(256)
        try:
            read_chunks(io.BytesIO(bytes(damaged)))
            outcomes.add("read")
        except ValueError:
            outcomes.add("rejected")
    assert "rejected" in outcomes
