"""Measure importing, listing and opening: `python benchmarks/startup.py [--small]`.

Each round starts one process per candidate, in a new random order. Opening is measured in new
processes, after imports, on the same 60,000 images: a prepared split for dshub, .npy files for
NumPy, and each peer's own cache. A candidate is done when its arrays exist and it has read a row.
Private memory is the growth of RssAnon of /proc while opening.
"""

import argparse
import gzip
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from statistics import median

import numpy as np
from plots import bars

from dshub.cache.paths import blob_path

ROWS = 60_000

MEASURE = """
import json, time
def anon():
    try:
        lines = open("/proc/self/status").read().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000
    except OSError:
        return float("nan")
{imports}
before, began = anon(), time.perf_counter()
{body}
print(json.dumps([1000 * (time.perf_counter() - began), anon() - before]))
"""

# Pairs of imports, which are not measured, and the measured work.
DSHUB = (
    (
        "import dshub.datasets.dataset, dshub.tables.building, dshub.formats.idx\n"
        "import platformdirs, tomllib\n"
        "from dshub import load"
    ),
    "ds = load('fashion-mnist', split='train'); row = ds[0]['image']; labels = ds['label']",
)
NUMPY = (
    "import numpy as np",
    (
        "x = np.load({folder!r} + '/images.npy', mmap_mode='r')\n"
        "y = np.load({folder!r} + '/labels.npy', mmap_mode='r'); row = np.array(x[0])"
    ),
)
TORCHVISION = (
    "from torchvision.datasets import FashionMNIST",
    "ds = FashionMNIST({folder!r} + '/torchvision'); row = ds[0]",
)
DATASETS = (
    "import datasets",
    "ds = datasets.load_from_disk({folder!r} + '/datasets').with_format('numpy'); row = ds[0]",
)
TFDS = (
    "import tensorflow_datasets as tfds, tensorflow, array_record.python.array_record_data_source",
    (
        "builder = tfds.builder_from_directory({folder!r} + '/tfds/images/1.0.0')\n"
        "ds = builder.as_data_source(split='train'); row = ds[0]"
    ),
)


@cache
def works(package: str) -> bool:
    """Return True if a package is installed and can be imported."""
    command = [sys.executable, "-c", f"import {package}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def run(command: list[str]) -> tuple[float, str]:
    """Run a command, and return its milliseconds and output."""
    began = time.perf_counter()
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=tempfile.gettempdir()
    )
    return 1000 * (time.perf_counter() - began), done.stdout


def rounds(candidates: dict[str, Callable[[], list[float]]], count: int) -> dict[str, list[float]]:
    """Return the medians of each candidate's figures over rounds in random order."""
    runs_by_name: dict[str, list[list[float]]] = {name: [] for name in candidates}
    for i in range(count + 1):
        for name in random.sample(list(candidates), len(candidates)):
            figures = candidates[name]()
            if i:  # the first round is a warm-up
                runs_by_name[name].append(figures)
    return {
        name: [median(values) for values in zip(*runs, strict=True)]
        for name, runs in runs_by_name.items()
    }


def prepare(folder: Path) -> dict[str, tuple[str, str]]:
    """Write the same rows for each installed candidate, and return the candidates."""
    from dshub import Hub, Settings
    from dshub.progress import Silent

    os.environ["DSHUB_CACHE"], os.environ["DSHUB_SYNTHETIC"] = str(folder / "cache"), str(ROWS)
    hub = Hub(settings=Settings.read(), progress=Silent())
    train = hub.load("fashion-mnist", split="train")
    np.save(folder / "images.npy", train["image"])
    np.save(folder / "labels.npy", train["label"])
    candidates = {"dshub load": DSHUB, "np.load(mmap_mode='r')": NUMPY}
    if works("torchvision"):
        raw = folder / "torchvision" / "FashionMNIST" / "raw"
        raw.mkdir(parents=True)
        for resource in hub.info("fashion-mnist").resources.values():
            data = (hub.store.root / blob_path(resource.digest)).read_bytes()
            (raw / resource.name.removesuffix(".gz")).write_bytes(gzip.decompress(data))
        candidates["torchvision FashionMNIST"] = TORCHVISION
    few = {"image": train[: ROWS // 10]["image"][..., 0], "label": train["label"][: ROWS // 10]}
    if works("datasets"):
        import datasets

        datasets.Dataset.from_dict(few).save_to_disk(str(folder / "datasets"))
        candidates["datasets load_from_disk (a tenth of the rows)"] = DATASETS
    if works("tensorflow_datasets") and works("array_record"):
        write_tfds(few, folder)
        candidates["tfds data_source (a tenth of the rows)"] = TFDS
    return candidates


def write_tfds(columns: dict[str, np.ndarray], folder: Path) -> None:
    """Write the rows as TFDS stores them."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    tfds.dataset_builders.store_as_tfds_dataset(
        name="images",
        version="1.0.0",
        data_dir=folder / "tfds",
        split_datasets={"train": tf.data.Dataset.from_tensor_slices(columns)},
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Tensor(shape=(28, 28), dtype=np.uint8),
                "label": tfds.features.ClassLabel(num_classes=10),
            }
        ),
        file_format="array_record",
        disable_shuffling=True,
    )


def table(title: str, head: list[str], rows: dict[str, list[float]], base: str) -> None:
    """Print figures, and the ratio of each first figure to that of `base`."""
    width = max(len(name) for name in rows)
    print(f"\n{title}\n{'':{width}}  " + "  ".join(f"{word:>12}" for word in [*head, "ratio"]))
    for name, figures in rows.items():
        ratio = figures[0] / rows[base][0]
        cells = [f"{figure:12.2f}" for figure in figures] + [f"{ratio:12.2f}"]
        print(f"{name:{width}}  " + "  ".join(cells))


def main() -> None:
    """Measure the candidates and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="use three rounds")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write charts to this folder")
    options = parser.parse_args()
    count = 3 if options.small else 15
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # users have compiled bytecode
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    peers = ("torchvision", "datasets", "tensorflow_datasets")
    missing = [name for name in peers if not works(name)]
    print(f"cannot be imported, skipped: {', '.join(missing) or 'none'}")

    modules = [name for name in ("dshub", "numpy", "pyarrow", *peers) if works(name)]
    commands = {f"import {name}": ["-c", f"import {name}"] for name in modules}
    commands = {"bare Python": ["-c", "pass"], "dshub list": ["-m", "dshub", "list"]} | commands
    with tempfile.TemporaryDirectory() as cache:
        # a checkout needs a cache for the index that an installed dshub includes
        os.environ["DSHUB_CACHE"] = cache
        medians = rounds(
            {name: partial(whole, command) for name, command in commands.items()}, count
        )
    bare = medians["bare Python"][0]
    figures = {name: [values[0], values[0] - bare] for name, values in medians.items()}
    table("Whole processes", ["ms", "over bare"], figures, "bare Python")
    times = {name: values[1] for name, values in figures.items() if name.startswith("import")}
    times = {name.removeprefix("import "): value for name, value in times.items()}
    bars(options.plots, "import", "Importing a package", "ms over bare Python", times)

    with tempfile.TemporaryDirectory() as folder:
        scripts = {
            name: MEASURE.format(imports=imports, body=body.format(folder=folder))
            for name, (imports, body) in prepare(Path(folder)).items()
        }
        medians = rounds({name: partial(inside, code) for name, code in scripts.items()}, count)
    title = f"Opening {ROWS:,} images, after imports, until a row is read"
    table(title, ["ms", "private MB"], medians, "np.load(mmap_mode='r')")
    times = {name: values[0] for name, values in medians.items()}
    bars(options.plots, "open", "Opening 60,000 images", "ms", times)


def whole(arguments: list[str]) -> list[float]:
    """Return the run time of a process in milliseconds."""
    return [run([sys.executable, *arguments])[0]]


def inside(code: str) -> list[float]:
    """Return the figures that a process measured itself."""
    figures: list[float] = json.loads(run([sys.executable, "-c", code])[1].splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
