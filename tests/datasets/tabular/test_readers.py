import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dshub import Dataset
from dshub.datasets.tabular.files import LooseFile
from dshub.datasets.tabular.readers import TextOptions, choose_reader
from dshub.errors import DshubError
from tests.publishing.authoring.conftest import New


def file(folder: Path, name: str, data: bytes) -> LooseFile:
    path = folder / name
    path.write_bytes(data)
    return LooseFile(path, name)


def test_notes_name_keyword_arguments_for_python(tmp_path: Path) -> None:
    files = [file(tmp_path, "a.csv", "naam;prijs\nañ;1,5\nb;2,5\n".encode("cp1252"))]
    _, notes = choose_reader("delimited", files, TextOptions(python=True))
    assert any('pass decimal=","' in note for note in notes)
    assert any("pass encoding=" in note for note in notes)
    _, notes = choose_reader("delimited", files, TextOptions())
    assert any("use --decimal-comma prijs" in note for note in notes)
    assert any("use --encoding" in note for note in notes)


def test_all_numbers_with_a_decimal_comma_can_be_stated_at_once(tmp_path: Path) -> None:
    files = [file(tmp_path, "a.csv", b"name;price;size\na, b;1,5;2\nc;2,5;3\n")]
    options, notes = choose_reader("delimited", files, TextOptions(decimal_comma=None))
    assert options["decimal_comma"] == ["price"]
    assert not any("decimal comma" in note for note in notes)


def test_file_that_is_not_text_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(DshubError, match=r"a\.csv is not text"):
        choose_reader("delimited", [file(tmp_path, "a.csv", b"\0\1\2")], TextOptions())


def test_structs_beside_images_stay_structs(new: New, data: Path) -> None:
    sink = io.BytesIO()
    Image.new("RGB", (4, 5)).save(sink, "PNG")
    objects = [{"bbox": [[1.0, 2.0]], "category": [3]}, {"bbox": [], "category": []}]
    image = {"bytes": sink.getvalue(), "path": "a.png"}
    others = [{"objects": one, "nest": {"a": {"b": i}}} for i, one in enumerate(objects)]
    rows = [{"image": image, **row} for row in others]
    pq.write_table(pa.Table.from_pylist(rows), data / "a.parquet")
    for ds in (new(data)["train"], Dataset.from_parquet(data / "a.parquet")):
        assert ds[0]["image"].shape == (5, 4, 3)
        assert ds.columns(["objects", "nest"]).arrow().to_pylist() == others
