"""Rebuild the published Fashion-MNIST files from a Debian package.

    python real_fashion_mnist.py FOLDER

Debian's package `dataset-fashion-mnist` lacks the time and the file name in each gzip header. This
script restores both and compares the result with the checksums in the built-in manifest. It writes
the published files to FOLDER, and the files of the package to FOLDER/debian.
"""

import argparse
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from dshub import info
from dshub.checksums import Digest

PACKAGE = "dataset-fashion-mnist"
HEADER = 10  # bytes in a gzip header without a file name
HAS_NAME, UNIX = 8, 3  # flag and system number, from RFC 1952
TIMES = {"train": 1504176606, "t10k": 1504176627}  # from the published gzip headers


def published(debian: bytes, name: str) -> bytes:
    """Return the published bytes of a file from the Debian package."""
    stem = name.removesuffix(".gz")
    time = TIMES[stem.partition("-")[0]]
    header = struct.pack("<HBBIBB", 0x8B1F, 8, HAS_NAME, time, 0, UNIX)
    return header + stem.encode() + b"\0" + debian[HEADER:]


def main() -> None:
    """Rebuild, check and write the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--deb", type=Path, help="package file to use instead of downloading it")
    args = parser.parse_args()
    (args.folder / "debian").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        package = args.deb
        if package is None:
            subprocess.run(["apt-get", "-qq", "download", PACKAGE], cwd=scratch, check=True)
            package = next(Path(scratch).glob("*.deb"))
        subprocess.run(["dpkg", "-x", str(package.absolute()), f"{scratch}/x"], check=True)
        unpacked = Path(scratch) / "x/usr/share/datasets/fashion-mnist"
        for resource in info("fashion-mnist").resources.values():
            debian = (unpacked / resource.name).read_bytes()
            data = published(debian, resource.name)
            if Digest.of_bytes(data) != resource.digest:
                raise SystemExit(f"{resource.name}: the rebuilt file has the wrong checksum")
            (args.folder / resource.name).write_bytes(data)
            (args.folder / "debian" / resource.name).write_bytes(debian)
            sys.stdout.write(f"{resource.name}: {len(data):,} bytes, {resource.digest}\n")


if __name__ == "__main__":
    main()
