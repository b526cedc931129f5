"""Recognizing the format of files."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import feather

from dshub.errors import DshubError
from tests.publishing.authoring.conftest import New


def test_text_that_is_not_utf_8_is_rejected(new: New, data: Path) -> None:
    """The hint says which encoding is supported."""
    (data / "train.csv").write_bytes("Größe,b\n1,2\n".encode("latin-1"))
    with pytest.raises(DshubError, match=r"train\.csv") as caught:
        new(data)
    assert "UTF-8" in caught.value.hint


def test_feather_and_arrow_streams_are_recognized(new: New, data: Path) -> None:
    """Both kinds of Arrow files, by their content."""
    table = pa.table({"x": [1.5, 2.5], "word": ["one", "two"]})
    feather.write_feather(table, data / "train.feather")
    with (
        pa.OSFile(str(data / "test.bin"), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as s,
    ):
        s.write_table(table)
    result = new(data)
    for split in ("train", "test"):
        assert result[split]["x"][:].tolist() == [1.5, 2.5]
        assert list(result[split]["word"][:]) == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("model.pkl", "a pickle"), ("table.xlsx", "a spreadsheet"), ("images.h5", "HDF5")],
)
def test_unsupported_format_is_named(new: New, data: Path, name: str, kind: str) -> None:
    """With advice on what to save it as."""
    (data / name).write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(DshubError, match=rf"{name} is {kind}.*save"):
        new(data)
