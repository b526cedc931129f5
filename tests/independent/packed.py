"""Write tar and zip archives with the standard library."""

import io
import tarfile
import zipfile
from collections.abc import Mapping


def tarred(files: Mapping[str, bytes]) -> bytes:
    """Pack files into a tar in the order of the mapping."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Pack files into a zip in the order of the mapping."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return sink.getvalue()
