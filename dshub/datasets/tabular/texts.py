"""Find the encoding of a text file, and the lines that show its structure.

The whole file is read once, so that a byte that is not UTF-8, or the first quote, is also noticed
far behind the beginning.
"""

import codecs
from dataclasses import dataclass
from typing import BinaryIO

from dshub.formats import File
from dshub.formats._texts import LARGEST_LINE, Encoding

HEAD = 1 << 16  # bytes that the beginning has at least, if the file is as long
_PIECE = 1 << 20  # bytes per read
_LINES = 3  # lines that the beginning contains at least, if the file has as many
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r\f\x1a")
_NOT_CP1252 = bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D])  # bytes without a character in cp1252


@dataclass(frozen=True)
class Text:
    """Beginning of a text file.

    Attributes:
        encoding: encoding of the file.
        sure: whether the content shows the encoding; False for a guess.
        ascii: whether the file is ASCII, which is the same in most encodings.
        head: whole lines at the beginning, or all lines.
        late: whole lines from the first one with a double quote, if `head` has no quotes.
        complete: whether `head` is the whole file.
    """

    encoding: Encoding
    sure: bool
    ascii: bool
    head: str
    late: str
    complete: bool


def read_text(file: File, encoding: Encoding | None = None) -> Text | None:
    """Read the beginning of a text file; return None if it is not text.

    Args:
        file: file to read.
        encoding: encoding of the file; None to detect it.

    Raises:
        ReadError: the file cannot be read.
    """
    with file.open() as stream:
        head = _beginning(stream)
        if encoding == "utf-16" or (encoding is None and head.startswith(_UTF16)):
            text = head[: len(head) // 2 * 2].decode("utf-16", "replace")
            complete = not stream.read(1)
            shown = _whole(text, complete=complete)
            return Text("utf-16", sure=True, ascii=False, head=shown, late="", complete=complete)
        if not is_text(head):
            return None
        facts = _Rest(head)
        while piece := stream.read(_PIECE):
            facts.add(piece)
    found, sure = (encoding, True) if encoding else facts.encoding()
    text, late = (data.decode(_codec(found), "replace") for data in (head, facts.late))
    shown = _whole(text, complete=facts.complete)
    return Text(found, sure, facts.ascii, shown, _whole(late, complete=False), facts.complete)


def is_text(head: bytes) -> bool:
    """Return True if bytes can be text in UTF-8 or an encoding with one byte per character."""
    if b"\0" in head:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # can end within a character
    except UnicodeDecodeError:
        return head.translate(None, _CONTROLS) == head
    return True


def _codec(encoding: Encoding) -> str:
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _beginning(stream: BinaryIO) -> bytes:
    """Read at least `HEAD` bytes and a few lines, however long they are."""
    head = stream.read(HEAD)
    while head.count(b"\n") < _LINES and len(head) < LARGEST_LINE:
        more = stream.read(3 * len(head))
        if not more:
            break
        head += more
    return head


def _whole(text: str, *, complete: bool) -> str:
    """Drop an incomplete last line."""
    return text if complete else text[: text.rfind("\n") + 1]


class _Rest:
    """Facts about a whole file, collected while it is read.

    Attributes:
        complete: whether nothing follows the beginning.
        late: bytes from the first line with a quote, if the beginning has none.
        ascii: whether all bytes are ASCII.
    """

    def __init__(self, head: bytes) -> None:
        self.complete, self.late, self.ascii = True, b"", True
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_utf8, self._is_cp1252 = True, True
        self._wants_quote = b'"' not in head
        self._line = head[head.rfind(b"\n") + 1 :]  # incomplete line before the next piece
        self._note(head)

    def add(self, piece: bytes) -> None:
        """Add the next bytes of the file."""
        self.complete = False
        self._note(piece)
        if self._wants_quote:
            self._look_for_quote(piece)

    def encoding(self) -> tuple[Encoding, bool]:
        """Return the encoding, and whether the content shows it."""
        if self._is_utf8 and not self._decoder.getstate()[0]:
            return "utf-8", True
        return ("cp1252" if self._is_cp1252 else "latin-1"), False

    def _note(self, piece: bytes) -> None:
        if piece.isascii() and not (self._is_utf8 and self._decoder.getstate()[0]):
            return
        self.ascii = self.ascii and piece.isascii()
        self._is_cp1252 = self._is_cp1252 and piece.translate(None, _NOT_CP1252) == piece
        if self._is_utf8:
            try:
                self._decoder.decode(piece)
            except UnicodeDecodeError:
                self._is_utf8 = False

    def _look_for_quote(self, piece: bytes) -> None:
        lines = (self.late or self._line) + piece
        quote = lines.find(b'"')
        if quote < 0:
            self._line = lines[lines.rfind(b"\n") + 1 :][-HEAD:]
            return
        self.late = lines[lines.rfind(b"\n", 0, quote) + 1 :][:HEAD]
        self._wants_quote = len(self.late) < HEAD
