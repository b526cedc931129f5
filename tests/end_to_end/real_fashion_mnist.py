"""Get the real Fashion-MNIST files without their own hosts: `real_fashion_mnist.py FOLDER`.

Debian's package `dataset-fashion-mnist` holds them with two fields of each gzip header removed: the
time and the name of the file. Putting those back gives the published files, which is checked
against the checksums in the built-in manifest. FOLDER gets them under their upstream names, and in
FOLDER/debian the package's own copies, which are the same content in other bytes.
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
HEADER = 10  # bytes of a gzip header without a name
HAS_NAME, UNIX = 8, 3  # the flag, and the system, of RFC 1952
TIMES = {"train": 1504176606, "t10k": 1504176627}  # as in the published headers


def published(debian: bytes, name: str) -> bytes:
    """The published bytes of a file that Debian stripped."""
    stem = name.removesuffix(".gz")
    time = TIMES[stem.partition("-")[0]]
    header = struct.pack("<HBBIBB", 0x8B1F, 8, HAS_NAME, time, 0, UNIX)
    return header + stem.encode() + b"\0" + debian[HEADER:]


def main() -> None:
    """Rebuild, check, and write the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--deb", type=Path, help="the package, where it is here already")
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
                raise SystemExit(f"{resource.name}: not the published bytes")
            (args.folder / resource.name).write_bytes(data)
            (args.folder / "debian" / resource.name).write_bytes(debian)
            sys.stdout.write(f"{resource.name}: {len(data):,} bytes, {resource.digest}\n")


if __name__ == "__main__":
    main()
