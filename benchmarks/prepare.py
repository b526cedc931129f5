"""Measure preparing tables from archives: `python benchmarks/prepare.py [--small] [--in FOLDER]`.

The first archive resembles CIFAR-10: a compressed tar of six files of records. The second resembles
Imagenette: a compressed tar with one image per row. Each candidate runs in its own process,
prepares all splits from a verified file on the disk of FOLDER, and counts the rows it can read. The
clock starts after imports. For comparison, the tables include the least possible work:
decompressing (`gzip -dc` and Python's zlib) and reading the tar once (`tarfile`, mode `r|gz`).
Neither writes to disk. Candidates run in a new random order each round, and the tables show
medians. Peak memory is private memory (RssAnon), sampled every 5 ms on systems with /proc.

DSHUB_BENCH_PEERS names the interpreter for peers; by default, they run in this one.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import random
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

PEERS = os.environ.get("DSHUB_BENCH_PEERS", sys.executable)
CLASSES = [f"n{i:08}" for i in range(10)]

# Programs read `archive`, write to `folder`, and set `rows` to the number of rows they can read.
FRAME = """
import json, sys, time
archive, folder, manifest = sys.argv[1:]
{imports}
began = time.perf_counter()
{body}
print(json.dumps([time.perf_counter() - began, rows]))
"""
DSHUB = (
    """
from pathlib import Path
import pyarrow, pyarrow.compute, requests, filelock
import dshub.formats.cifar, dshub.formats.folder
from dshub import Hub, Settings
import dshub.datasets.dataset, dshub.tables.building
from dshub.progress import Silent
hub = Hub(settings=Settings.read(environment={}, cache=Path(folder, "cache"), offline=True),
          progress=Silent())
""",
    """
hub.prepare(manifest)
rows = sum(map(len, hub.load(manifest).values()))
""",
)
UNPACK = (
    "import zlib",
    """
decoder, rows = zlib.decompressobj(31), None
with open(archive, "rb") as file:
    while piece := file.read(1 << 16):
        decoder.decompress(piece)
""",
)
STREAM = (
    "import tarfile",
    """
rows = None
with tarfile.open(archive, "r|gz") as tar:
    for info in tar:
        if info.isfile():
            tar.extractfile(info).read()
""",
)
TORCHVISION = (
    """
from torchvision.datasets import ImageFolder
from torchvision.datasets.utils import extract_archive
""",
    """
extract_archive(archive, folder)
rows = sum(len(ImageFolder(f"{folder}/images/{split}")) for split in ("train", "val"))
""",
)
EXAMPLES = {
    "cifar": """
def examples(files):
    import numpy as np
    for _, file in files:
        data = np.frombuffer(file.read(), np.uint8).reshape(-1, 3073)
        images = np.ascontiguousarray(data[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        yield from zip(images, data[:, 0].tolist())
""",
    "images": """
def examples(files):
    for name, file in files:
        yield file.read(), name.split("/")[2]
""",
}
TFDS = """
import os, io
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow_datasets as tfds
tfds.disable_progress_bar()
class BenchmarkArchive(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(FEATURES))
    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(dl_manager, split) for split in SPLITS}
    def _generate_examples(self, dl_manager, split):
        members = dl_manager.iter_archive(archive)
        files = ((name, file) for name, file in members if SPLITS[split] in name)
        for i, (image, label) in enumerate(examples(files)):
            yield i, {"image": image if RAW else io.BytesIO(image), "label": label}
"""
TFDS_BODY = """
builder = BenchmarkArchive(data_dir=folder)
builder.download_and_prepare()
rows = sum(split.num_examples for split in builder.info.splits.values())
"""
DATASETS = """
import tarfile
import datasets
datasets.disable_progress_bars()
def rows_of(split):
    with tarfile.open(archive, "r|gz") as tar:
        members = ((info.name, tar.extractfile(info)) for info in tar if info.isfile())
        files = ((name, file) for name, file in members if SPLITS[split] in name)
        for image, label in examples(files):
            yield {"image": image if RAW else {"bytes": image, "path": None}, "label": label}
"""
DATASETS_BODY = """
splits = [datasets.Dataset.from_generator(rows_of, features=datasets.Features(FEATURES),
                                          cache_dir=folder, gen_kwargs={"split": split})
          for split in SPLITS]
rows = sum(map(len, splits))
"""
MANIFEST = """
schema = 1
name = "{name}"
version = "1.0.0"
title = "Benchmark"
summary = "Generated images."
task = "none"
homepage = "https://data.example"

[resources.data]
filename = "{name}.tar.gz"
urls = ["https://data.example/{name}.tar.gz"]
sha256 = "{sha256}"
size = {size}

[features.image]
kind = "image"
{image}

[features.label]
kind = "label"
names = {classes}
"""
SPLIT = """
[splits.{name}]
rows = {rows}
reader = {{ {reader} }}
files = {{ image = "data:{pattern}" }}
"""


@dataclass(frozen=True)
class Case:
    """An archive and its layout.

    Attributes:
        name: name of the dataset.
        path: path of the archive.
        rows: number of rows in all splits.
        splits: text that the names of each split's files contain.
        raw: True if images are arrays instead of files.
    """

    name: str
    path: Path
    rows: int
    splits: dict[str, str]
    raw: bool

    @property
    def manifest(self) -> Path:
        """Path of the manifest, next to the archive."""
        return self.path.with_name(f"{self.name}.toml")

    @cached_property
    def sha256(self) -> str:
        """Checksum of the archive."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def words(self, features: str) -> str:
        """Return the first lines of the peers' programs."""
        facts = f"SPLITS, RAW = {self.splits!r}, {self.raw!r}\n"
        return facts + EXAMPLES[self.name] + f"FEATURES = {features}\n"


@dataclass(frozen=True)
class Run:
    """Cost of one process.

    Attributes:
        seconds: seconds of the work itself.
        cpu: CPU seconds.
        peak: peak private memory in bytes.
    """

    seconds: float
    cpu: float
    peak: float


Client = Callable[[Path], list[str]]


@cache
def works(package: str) -> bool:
    """Return True if the peers' interpreter can import a package."""
    command = [PEERS, "-c", f"import {package}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def cifar(place: Path, *, small: bool) -> Case:
    """Write an archive of six files; a record is a label and 3,072 values of about 7.4 bits."""
    draw, count = np.random.default_rng(0), 200 if small else 10_000
    path = place / "cifar.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=6) as tar:
        for i in range(6):
            data = draw.normal(128, 40, (count, 3073)).clip(0, 255).astype(np.uint8)
            data[:, 0] = draw.integers(0, 10, count)
            info = tarfile.TarInfo(f"cifar/{f'data_batch_{i}' if i else 'test_batch'}.bin")
            info.size = data.nbytes
            tar.addfile(info, io.BytesIO(data.tobytes()))
    splits = {"train": "/data_batch_", "test": "/test_batch"}
    case = Case("cifar", path, 6 * count, splits, raw=True)
    describe(case, 'format = "cifar"', "shape = [32, 32, 3]", [5 * count, count])
    return case


def images(place: Path, *, small: bool) -> Case:
    """Write an archive of JPEG files of about 115 kB each, 40 of them distinct."""
    draw, count = np.random.default_rng(0), 300 if small else 13_000
    contents = [jpeg(draw) for _ in range(40)]
    packed = [deflated(data + bytes(-len(data) % 512)) for data in contents]
    path = place / "images.tar.gz"
    with path.open("wb") as sink:
        sink.write(b"\x1f\x8b\x08\0\0\0\0\0\0\xff")
        crc = size = 0
        for i in range(count):
            split = "train" if i % 10 else "val"
            info = tarfile.TarInfo(f"images/{split}/{CLASSES[i // 10 % 10]}/{i:08}.JPEG")
            info.size = len(contents[i % 40])
            plain = info.tobuf() + contents[i % 40] + bytes(-info.size % 512)
            sink.write(deflated(plain[:512]) + packed[i % 40])
            crc, size = zlib.crc32(plain, crc), size + len(plain)
        sink.write(deflated(bytes(1024), zlib.Z_FINISH))
        sink.write(struct.pack("<2L", zlib.crc32(bytes(1024), crc), (size + 1024) & 0xFFFFFFFF))
    case = Case("images", path, count, {"train": "/train/", "val": "/val/"}, raw=False)
    reader = 'format = "folder", path = "images/{split}/{label}/{name}.JPEG"'
    describe(case, reader, 'encoding = "jpeg"', [count - count // 10, count // 10])
    return case


def jpeg(draw: np.random.Generator) -> bytes:
    """Encode a noisy image of 500x375, about 115 kB large."""
    smooth = np.linspace(40, 215, 500)[None, :, None] + np.zeros((375, 1, 3))
    values = (smooth + draw.normal(0, 40, smooth.shape)).clip(0, 255).astype(np.uint8)
    sink = io.BytesIO()
    Image.fromarray(values).save(sink, "JPEG", quality=87)
    return sink.getvalue()


def deflated(data: bytes, end: int = zlib.Z_FULL_FLUSH) -> bytes:
    """Compress bytes to a chunk of a deflate stream that does not depend on earlier chunks."""
    encoder = zlib.compressobj(6, zlib.DEFLATED, -15)
    return encoder.compress(data) + encoder.flush(end)


def describe(case: Case, reader: str, image: str, rows: list[int]) -> None:
    """Write the manifest of an archive."""
    splits = [
        SPLIT.format(name=name, rows=count, reader=reader, pattern=f"*{pattern}*")
        for (name, pattern), count in zip(case.splits.items(), rows, strict=True)
    ]
    facts = {"name": case.name, "sha256": case.sha256, "size": case.path.stat().st_size}
    head = MANIFEST.format(**facts, image=image, classes=json.dumps(CLASSES))
    case.manifest.write_text(head + "".join(splits))


def clients(case: Case) -> dict[str, Client]:
    """Return the candidates: the least possible work first, then those that prepare rows."""
    candidates = {"zlib": python(UNPACK, case), "tarfile r|gz": python(STREAM, case)}
    if shutil.which("gzip"):
        candidates["gzip -dc"] = lambda _: ["sh", "-c", f"gzip -dc '{case.path}' > /dev/null"]
    imports, body = DSHUB
    candidates["dshub"] = python(("sys.modules['isal'] = None" + imports, body), case)
    if find_spec("isal"):
        candidates["dshub[fast]"] = python(DSHUB, case)
    names = list(map(str, range(10))) if case.raw else CLASSES
    if works("tensorflow_datasets"):
        image = "Image(shape=(32, 32, 3))" if case.raw else "Image(encoding_format='jpeg')"
        label = f"tfds.features.ClassLabel(names={names})"
        words = case.words(f"{{'image': tfds.features.{image}, 'label': {label}}}")
        candidates["TFDS"] = python((TFDS + words, TFDS_BODY), case, PEERS)
    if works("datasets"):
        image = "Array3D((32, 32, 3), 'uint8')" if case.raw else "Image()"
        label = f"datasets.ClassLabel(names={names})"
        words = case.words(f"{{'image': datasets.{image}, 'label': {label}}}")
        candidates["datasets"] = python((DATASETS + words, DATASETS_BODY), case, PEERS)
    if works("torchvision") and not case.raw:
        candidates["torchvision, extract"] = python(TORCHVISION, case, PEERS)
    return candidates


def python(program: tuple[str, str], case: Case, interpreter: str = sys.executable) -> Client:
    """Return a candidate that runs a program."""
    code = FRAME.format(imports=program[0], body=program[1])
    return lambda folder: [interpreter, "-c", code, *map(str, (case.path, folder, case.manifest))]


def run(name: str, client: Client, case: Case, place: Path) -> Run:
    """Run a candidate and check that it reads every row."""
    with tempfile.TemporaryDirectory(dir=place) as name_:
        folder = Path(name_)
        blob = folder / "cache" / "blobs-v1" / case.sha256[:2] / case.sha256
        blob.parent.mkdir(parents=True)
        os.link(case.path, blob)
        os.sync()  # flush writes of earlier candidates before the clock starts
        with (folder / "out").open("w+") as out:
            began = time.perf_counter()
            process = subprocess.Popen(client(folder), stdout=out, stderr=subprocess.STDOUT)
            cpu, peak = watch(process)
            whole = time.perf_counter() - began
            out.seek(0)
            output = out.read()
        if process.returncode:
            sys.exit(f"{name} ended with {process.returncode}:\n{output}")
        last = output.strip().rpartition("\n")[2]
        seconds, rows = json.loads(last) if last.startswith("[") else (whole, None)
        if rows not in {None, case.rows}:
            sys.exit(f"{name} read {rows} of {case.rows} rows")
        return Run(seconds, cpu, peak)


def watch(process: "subprocess.Popen[bytes]") -> tuple[float, float]:
    """Wait for a process, and return its CPU seconds and peak private memory in bytes."""
    peak, status = 0, Path(f"/proc/{process.pid}/status")
    while True:
        ended, code, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(code)
            return usage.ru_utime + usage.ru_stime, peak
        with suppress(OSError):
            match = re.search(r"RssAnon:\s*(\d+) kB", status.read_text())
            peak = max(peak, int(match[1]) << 10 if match else 0)
        time.sleep(0.005)


def compare(case: Case, place: Path, rounds: int) -> None:
    """Run each candidate `rounds` times and print a table."""
    candidates = clients(case)
    results: dict[str, list[Run]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name in random.sample(list(candidates), len(candidates)):
            results[name].append(run(name, candidates[name], case, place))
    size = case.path.stat().st_size
    print(f"\n{case.name}: {case.rows:,} rows in {size / 1e6:,.0f} MB of tar.gz")
    width = max(map(len, candidates))
    words = ["s", "rows/s", "x zlib", "x gzip", "x tarfile", "CPU s", "peak MB"]
    print(f"{'':{width}}" + "".join(f"{word:>11}" for word in words))
    seconds = {name: median(run.seconds for run in runs) for name, runs in results.items()}
    least = [seconds.get(name, float("nan")) for name in ("zlib", "gzip -dc", "tarfile r|gz")]
    for name, runs in results.items():
        figures = [seconds[name], case.rows / seconds[name]]
        figures += [seconds[name] / other for other in least]
        figures += [median(run.cpu for run in runs), median(run.peak for run in runs) / 1e6]
        print(f"{name:{width}}" + "".join(f"{figure:11,.2f}" for figure in figures), flush=True)


def main() -> None:
    """Measure the candidates and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="use small archives and one round")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds")
    parser.add_argument("--in", dest="place", help="folder on the disk to measure")
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    packages = ["tensorflow_datasets", "datasets", "torchvision"]
    missing = [name for name in packages if not works(name)]
    missing += [] if shutil.which("gzip") else ["gzip"]
    missing += [] if find_spec("isal") else ["isal (the extra `fast`)"]
    print(f"not installed, skipped: {', '.join(missing) or 'none'}")
    with tempfile.TemporaryDirectory(dir=options.place) as name:
        for make in (cifar, images):
            case = make(Path(name), small=options.small)
            compare(case, Path(name), 1 if options.small else options.rounds)
            case.path.unlink()


if __name__ == "__main__":
    main()
