from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub.errors import StoreError
from dshub.tables.table import Table
from tests.tables.example import FEATURES, expected, plain, write


@given(rows=st.lists(st.integers(0, 52), max_size=80), name=st.sampled_from(list(FEATURES)))
def test_gather_equals_a_list_comprehension(table: Table, rows: list[int], name: str) -> None:
    values = expected(53)[name]
    assert plain(table.gather(name, np.array(rows, np.int64))) == [values[row] for row in rows]


@given(ends=st.tuples(st.integers(0, 53), st.integers(0, 53)), name=st.sampled_from(list(FEATURES)))
def test_span_equals_a_slice(table: Table, ends: tuple[int, int], name: str) -> None:
    start, stop = sorted(ends)
    assert plain(table.span(name, start, stop)) == expected(53)[name][start:stop]


@pytest.mark.parametrize("name", ["image", "label", "vector"])
def test_spans_are_views_of_the_file(tmp_path: Path, name: str) -> None:
    write(tmp_path / "t", 20, batch=20, shard_bytes=1 << 30)
    table = Table(tmp_path / "t")
    one, two = table.span(name, 3, 10), table.span(name, 5, 12)
    assert isinstance(one, np.ndarray)
    assert isinstance(two, np.ndarray)
    assert np.shares_memory(one[2:], two[:5])
    with pytest.raises(ValueError, match="read-only"):
        one[0] = 0
    gathered = table.gather(name, np.array([3]))
    assert isinstance(gathered, np.ndarray)
    assert not np.shares_memory(gathered, one)
    gathered[:] = 0
    assert plain(table.span(name, 0, 20)) == expected(20)[name]


@pytest.mark.parametrize("name", ["text", "photo", "words", "kinds", "boxes"])
@pytest.mark.parametrize("offset", [-1, 10**6, 2**31 - 1])
def test_damaged_offset_is_rejected(tmp_path: Path, name: str, offset: int) -> None:
    record = write(tmp_path / "t", 5, batch=5, shard_bytes=1 << 30)
    path = tmp_path / "t" / record.shards[0].file
    data = bytearray(path.read_bytes())
    stream = pa.py_buffer(bytes(data))
    array = pa.ipc.open_stream(stream).read_next_batch().column(name)
    offset_position = array.buffers()[1].address - stream.address
    data[offset_position + 8 : offset_position + 12] = offset.to_bytes(4, "little", signed=True)
    path.write_bytes(data)
    table = Table(tmp_path / "t")
    with pytest.raises(StoreError, match=path.name) as caught:
        table.span(name, 0, 5)
    assert "dshub prepare" in caught.value.hint
    with pytest.raises(StoreError, match=path.name):
        table.gather(name, np.array([2, 1]))
    with pytest.raises(StoreError, match=path.name):
        table.arrow(name)


def test_spans_of_lists_are_views_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "t", 20, batch=20, shard_bytes=1 << 30)
    table = Table(tmp_path / "t")
    one, two = table.span("boxes", 5, 6)[0], table.span("boxes", 4, 9)[1]
    assert np.shares_memory(one, two)
    assert not one.flags.writeable
    new = table.gather("boxes", np.array([5, 5]))
    assert new[0].shape == (2, 4)
    new[0][:] = 9
    assert plain(new[1]) == plain(one) == expected(20)["boxes"][5]
