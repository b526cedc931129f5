"""Detect the format of a file.

Images and audio files are recognized by suffix, and all other formats by content.
"""

import codecs
import re
from collections.abc import Callable

from dshub.cache.pointers import pointer_in
from dshub.datasets.audio_files import encoding_of
from dshub.datasets.media import AUDIO, IMAGES
from dshub.datasets.tabular.dialects import sniff
from dshub.datasets.tabular.texts import is_text
from dshub.errors import DshubError
from dshub.formats.recordio import MAGIC
from dshub.formats.tfrecord.records import is_tfrecord
from dshub.publishing.authoring.survey import Entry

_SIGNATURES = {
    b"\xff\xd8\xff": "image",
    b"\x89PNG": "image",
    b"GIF8": "image",
    b"\x93NUMPY": "npz",
    b"PAR1": "parquet",
    b"ARROW1\0\0": "arrow",
    MAGIC: "recordio",
    b"\xff\xff\xff\xff": "arrow",  # the first message of an Arrow stream
}
_IDX = re.compile(rb"\0\0[\x08\x09\x0b-\x0e][\x01-\x20].", re.DOTALL)
_JSON = re.compile(r"\s*(\{|\[\{)")
_TESTS: dict[str, Callable[[bytes], object]] = {
    "tfrecord": is_tfrecord,
    "idx": _IDX.match,
    "audio": lambda head: encoding_of(head[:12]),
    "image": lambda head: head[:4] == b"RIFF",  # WebP
}
_UNSUPPORTED = {
    "a spreadsheet; save each sheet as CSV": {".xlsx", ".xlsm", ".xls", ".ods"},
    "a document; save its text in UTF-8": {".docx", ".doc", ".odt", ".pptx", ".pdf", ".epub"},
    "a pickle, which can run code; save it as npz, parquet or CSV": {
        ".pkl",
        ".pickle",
        ".pt",
        ".pth",
    },
    "an HDF5 file, which has no reader; open it with Dataset.from_hdf5, or save it as npz": {
        ".h5",
        ".hdf5",
    },
}
_MARKUP = {
    "<?xml": "an XML file, which dshub cannot read; save its rows as CSV or JSON",
    "<!doctype html": "an HTML page; download the file that it describes",
    "<html": "an HTML page; download the file that it describes",
}
_ARFF = "an ARFF file, which dshub cannot read; save it as CSV"
_LIBSVM = "a LIBSVM file whose labels are not integers; save it as CSV or npz"
_PAIR = re.compile(r"\d{1,9}:\S{1,40}")
_LABEL = re.compile(r"[+-]?\d{1,9}")
_TABLES = (".csv", ".tsv", ".tab", ".data", ".dat")


def form(entry: Entry) -> str:
    """Return the format of a file: `image`, `audio`, the name of a reader, or `unknown`.

    Raises:
        ReadError: the file cannot be read.
    """
    if entry.suffix in IMAGES + AUDIO:
        return "image" if entry.suffix in IMAGES else "audio"
    head = entry.head()
    for signature, name in _SIGNATURES.items():
        if head.startswith(signature):
            return name
    return next((name for name, test in _TESTS.items() if test(head)), "") or _form_of_text(
        entry, head
    )


def advice(entry: Entry) -> str:
    """Name an unsupported format and suggest a supported one; empty for an unknown format.

    Raises:
        ReadError: the file cannot be read.
    """
    named = (text for text, suffixes in _UNSUPPORTED.items() if entry.suffix in suffixes)
    return next(named, "") or _foreign(entry.head())


def _form_of_text(entry: Entry, head: bytes) -> str:
    is_table = any(suffix in entry.base.lower() for suffix in _TABLES)
    text = decoded(head, guess=is_table or entry.suffix == ".txt")
    if text is not None and _has_classes(text):
        return "libsvm"
    if text is None or _foreign(head):
        return "unknown"
    if entry.suffix in {".jsonl", ".ndjson", ".json"} or _JSON.match(text):
        return "json"
    if is_table:
        return "delimited"
    try:
        dialect = sniff(text[: text.rfind("\n") + 1] or text, entry.base)
    except DshubError:
        return "lines"
    return "delimited" if dialect.delimiter == "\t" else "lines"


def _foreign(head: bytes) -> str:
    """Name a text format that dshub cannot read, and say what to do; empty for other formats."""
    if (pointer := pointer_in(head)) is not None:
        return f"{pointer.name}, not the file itself; run `{pointer.command}` in its repository"
    text = (decoded(head[:4096]) or "").lstrip("\ufeff \t\r\n")
    for start, name in _MARKUP.items():
        if text[: len(start)].lower() == start:
            return name
    lines = [line.strip() for line in text.splitlines()[:20]]
    first = next((line for line in lines if line and not line.startswith("%")), "")
    if first.lower().startswith("@relation"):
        return _ARFF
    return _LIBSVM if _is_libsvm(lines) else ""


def _is_libsvm(lines: list[str]) -> bool:
    """Return True if every line has a label and then pairs such as `3:0.5`."""
    rows = [line.split() for line in lines[:-1] or lines if line]
    pairs = [word for row in rows for word in row[1:]]
    return bool(pairs) and all(map(_PAIR.fullmatch, pairs)) and all(":" not in r[0] for r in rows)


def _has_classes(text: str) -> bool:
    """Return True for LIBSVM files whose labels are integers."""
    lines = [line.strip() for line in text[:4096].splitlines()[:20]]
    labels = [line.split()[0] for line in lines[:-1] or lines if line]
    return _is_libsvm(lines) and all(map(_LABEL.fullmatch, labels))


def decoded(head: bytes, *, guess: bool = False) -> str | None:
    """Decode the first bytes of a file; return None if they are not text.

    Args:
        head: first bytes, which can end in the middle of a character.
        guess: whether bytes that are not UTF-8 can be cp1252.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head[: len(head) // 2 * 2].decode("utf-16", "replace") if guess else None
    if b"\0" in head:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return head.decode("cp1252", "replace") if guess and is_text(head) else None
