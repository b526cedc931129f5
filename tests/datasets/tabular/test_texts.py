from pathlib import Path

import pytest

from dshub.datasets.tabular.files import LooseFile
from dshub.datasets.tabular.texts import HEAD, Text, is_text, read_text

LINES = b"id,text\n" + b"1,abcdefghijkl\n" * 20_000  # longer than HEAD


def read(folder: Path, data: bytes) -> Text:
    path = folder / "a.csv"
    path.write_bytes(data)
    text = read_text(LooseFile(path, "a.csv"))
    assert text is not None
    return text


@pytest.mark.parametrize(
    ("data", "encoding", "sure"),
    [
        (b"a,b\n", "utf-8", True),
        (b"\xef\xbb\xbfa,\xc3\xa9\n", "utf-8", True),
        (LINES + "2,é\n".encode(), "utf-8", True),
        ("é\n".encode("utf-16"), "utf-16", True),
        (b"\xfe\xff" + "é\n".encode("utf-16-be"), "utf-16", True),
        ("café €\n".encode("cp1252"), "cp1252", False),
        (LINES + "2,é\n".encode("cp1252"), "cp1252", False),
        (LINES + b"\xc3", "cp1252", False),
        (b"caf\xe9 \x81\n", "latin-1", False),
        (LINES + b"\x81\n", "latin-1", False),
    ],
    ids=[
        "ascii",
        "mark",
        "late-utf-8",
        "utf-16",
        "utf-16-be",
        "cp1252",
        "late-cp1252",
        "cut-character",
        "latin-1",
        "late-latin-1",
    ],
)
def test_encoding_is_decided_on_the_whole_file(
    tmp_path: Path, data: bytes, encoding: str, sure: bool
) -> None:
    text = read(tmp_path, data)
    assert (text.encoding, text.sure) == (encoding, sure)
    assert not text.head.startswith("\ufeff")
    assert text.ascii == data.isascii()


def test_head_has_whole_lines_of_any_length(tmp_path: Path) -> None:
    assert read(tmp_path, LINES).head.endswith("1,abcdefghijkl\n")
    assert not read(tmp_path, LINES).complete
    assert read(tmp_path, b"a,b\n1,2").head == "a,b\n1,2"
    header = ",".join(f"column {i}" for i in range(20_000))
    text = read(tmp_path, f"{header}\n{header}\n".encode())
    assert text.head == f"{header}\n{header}\n"
    assert len(text.head) > HEAD


@pytest.mark.parametrize("before", [b"", b"x" * 1_100_000 + b",1\n"], ids=["near", "far"])
def test_lines_from_the_first_quote_are_kept(tmp_path: Path, before: bytes) -> None:
    late = read(tmp_path, LINES + before + b'2,5" pipe\n3,c\n4').late
    assert late == '2,5" pipe\n3,c\n'
    assert read(tmp_path, b'"a"\n' + LINES + b'2,"b"\n').late == ""
    assert read(tmp_path, LINES).late == ""


def test_binary_data_is_not_text(tmp_path: Path) -> None:
    assert not is_text(b"a\0b")
    assert not is_text(b"\xff\x01\x02")
    assert is_text("é\t\x01".encode()[:-1])
    path = tmp_path / "a.bin"
    path.write_bytes(b"\0\1")
    assert read_text(LooseFile(path, "a.bin")) is None
