"""Recognize the format of a file: images and audio by suffix, all others by content."""

import codecs
import re

from dshub.datasets.folders import AUDIO, IMAGES
from dshub.errors import DshubError
from dshub.publishing.authoring.dialect import sniff
from dshub.publishing.authoring.survey import Entry

_SIGNATURES = {
    b"\xff\xd8\xff": "image",
    b"\x89PNG": "image",
    b"GIF8": "image",
    b"fLaC": "audio",
    b"\x93NUMPY": "npz",
    b"PAR1": "parquet",
    b"ARROW1\0\0": "arrow",
    b"\xff\xff\xff\xff": "arrow",  # a stream: the marker in front of its schema
}
_IDX = re.compile(rb"\0\0[\x08\x09\x0b-\x0e][\x01-\x20].", re.DOTALL)
_JSON = re.compile(r"\s*(\{|\[\{)")
_UNSUPPORTED = {
    "a spreadsheet; save each sheet as CSV": {".xlsx", ".xls"},
    "a pickle, which can run code; save it as npz, parquet or CSV": {".pkl", ".pickle", ".pt"},
    "HDF5, which dshub does not read; save it as npz": {".h5", ".hdf5"},
}


def form(entry: Entry) -> str:
    """Name the format of a file: `image`, `audio`, a reader, or `unknown`.

    Raises:
        ReadError: the file cannot be read.
    """
    if entry.suffix in IMAGES + AUDIO:
        return "image" if entry.suffix in IMAGES else "audio"
    head = entry.head()
    for signature, name in _SIGNATURES.items():
        if head.startswith(signature):
            return name
    if _IDX.match(head):
        return "idx"
    if head[:4] == b"RIFF":
        return "audio" if head[8:12] == b"WAVE" else "image"
    return _form_of_text(entry, decoded(head))


def advice(entry: Entry) -> str:
    """Name the format of an unsupported file, and a better one; empty if its suffix is unknown."""
    return next((text for text, suffixes in _UNSUPPORTED.items() if entry.suffix in suffixes), "")


def _form_of_text(entry: Entry, text: str | None) -> str:
    if text is None:
        return "unknown"
    if entry.suffix in {".jsonl", ".ndjson", ".json"} or _JSON.match(text):
        return "json"
    if any(suffix in entry.base.lower() for suffix in (".csv", ".tsv", ".tab", ".data")):
        return "delimited"
    try:
        dialect = sniff(text, entry.base)
    except DshubError:
        return "lines"
    return "delimited" if dialect.delimiter == "\t" else "lines"


def decoded(head: bytes) -> str | None:
    """The text of a file's first bytes, even if cut inside a character; None if not UTF-8."""
    if b"\0" in head:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None
