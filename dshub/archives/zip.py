"""zip (APPNOTE 6.3), members read by name without unpacking the rest."""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar, cast

from dshub.errors import UnsafeArchiveError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can state: same members, same bytes


class Zip:
    """Members under names."""

    suffix: ClassVar[str] = ".zip"
    errors: ClassVar[tuple[type[Exception], ...]] = (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,  # encrypted, as its own header says and the directory does not
        EOFError,
        ValueError,  # a name that is not in the encoding it claims, an impossible offset
        struct.error,
        lzma.LZMAError,
        zlib.error,
    )

    def matches(self, head: bytes) -> bool:
        return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))

    def members(self, path: Path) -> Sequence[str]:
        with zipfile.ZipFile(path) as file:
            entries = [entry for entry in file.infolist() if not entry.filename.endswith("/")]
        seen: set[str] = set()
        for entry in entries:
            fault = _fault(entry, seen)
            if fault:
                raise UnsafeArchiveError(archive=path.name, member=entry.filename, reason=fault)
            seen.add(entry.filename)
        return [entry.filename for entry in entries]

    def open_member(self, path: Path, member: str) -> BinaryIO:
        file = zipfile.ZipFile(path)  # closed with the member: zipfile counts its readers
        try:
            return cast("BinaryIO", file.open(member))
        finally:
            file.close()

    def write_members(self, path: Path, members: Iterable[tuple[str, Path]]) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
            for name, source in sorted(members):
                file.writestr(zipfile.ZipInfo(name, _EPOCH), source.read_bytes())


def _fault(entry: zipfile.ZipInfo, seen: set[str]) -> str:
    parts = entry.filename.replace("\\", "/").split("/")
    if entry.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
        return "leads out of the archive"
    if not entry.filename:
        return "has no name"
    if entry.filename in seen:
        return "is in it twice"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    return ""


archive = Zip()
