"""What each file is: told by how it begins, and for pictures and recordings by its ending first."""

import codecs

from dshub.errors import DshubError
from dshub.publishing.authoring.survey import PICTURES, RECORDINGS, Entry

TABLES = {"delimited", "json", "lines", "parquet", "arrow"}
ARRAYS = {"idx", "npz"}
_BEGINNINGS = {
    b"\xff\xd8\xff": "picture",
    b"\x89PNG": "picture",
    b"GIF8": "picture",
    b"fLaC": "recording",
    b"\x93NUMPY": "npz",
    b"PAR1": "parquet",
    b"ARROW1\0\0": "arrow",
    b"\xff\xff\xff\xff": "arrow",  # a stream: the mark of a message, in front of its schema
}
_REFUSED = {
    ".xlsx": "a spreadsheet; save each sheet as CSV",
    ".xls": "a spreadsheet; save each sheet as CSV",
    ".pkl": "a pickle, which could run anything; save it as npz, parquet or CSV",
    ".pickle": "a pickle, which could run anything; save it as npz, parquet or CSV",
    ".pt": "a pickle, which could run anything; save it as npz, parquet or CSV",
    ".h5": "HDF5, which dshub does not read; save it as npz",
    ".hdf5": "HDF5, which dshub does not read; save it as npz",
}
_IDX_TYPES = {0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E}


def form(entry: Entry) -> str:
    """`picture`, `recording`, the reader of the file, or `unknown`.

    Raises:
        ReadError: it cannot be read.
    """
    if entry.suffix in PICTURES | RECORDINGS:
        return "picture" if entry.suffix in PICTURES else "recording"
    head = entry.head()
    known = next((found for begin, found in _BEGINNINGS.items() if head.startswith(begin)), None)
    if known is not None:
        return known
    if head[:2] == b"\0\0" and len(head) > 4 and head[2] in _IDX_TYPES and 0 < head[3] <= 32:
        return "idx"
    if head[:4] == b"RIFF":
        return "recording" if head[8:12] == b"WAVE" else "picture"
    return _form_of_text(entry, head)


def refusal(entry: Entry) -> str:
    """Why a file of a known kind cannot be used; empty where nothing is known."""
    return _REFUSED.get(entry.suffix, "")


def _form_of_text(entry: Entry, head: bytes) -> str:
    text = decoded(head)
    if text is None:
        return "unknown"
    if entry.suffix in {".jsonl", ".ndjson", ".json"} or _looks_like_json(text):
        return "json"
    plain = entry.base.lower()
    if any(end in plain for end in (".csv", ".tsv", ".tab", ".data")):
        return "delimited"
    from dshub.publishing.authoring.dialect import sniff

    try:
        dialect = sniff(text, entry.base)
    except DshubError:
        return "lines"
    return "delimited" if dialect.delimiter == "\t" else "lines"


def _looks_like_json(text: str) -> bool:
    return text.lstrip()[:2] in {'{"', "{}", "[{"} or text.lstrip()[:1] == "{"


def decoded(head: bytes) -> str | None:
    """The text that a file begins with, perhaps cut within a character; None where it is none."""
    if b"\0" in head:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None
