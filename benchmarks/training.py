"""Train a small CNN end to end with each decoder: `python benchmarks/training.py [--small]`.

The data have the shape of Imagenette: 9,469 training and 3,925 test images in 10 classes. Each
class is a photograph that scikit-learn or scikit-image ships, and its images are small windows of
it. `dshub new` describes the files, and `epochs/cnn.py` trains through `load`, in a process for
each decoder. Further rows train from smaller stored images, and with another seed, which shows the
noise of the accuracy.

*CPU ms* is the processor time per image, of loading and training, which is more reliable on a busy
machine than images per second. *Growth* is the growth of private memory from the first quarter of
the training to the last. *Resumed* compares a second process that continues from a checkpoint in
the middle of an epoch: its batches and its final weights must be the same, bit by bit. The script
exits with 1 if they are not, if memory grows, or if a decoder changes the accuracy by more than
noise.

Decoders run in this interpreter or in those that DSHUB_BENCH_PEERS names, separated by `:`, if
dshub and torch are installed there.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from photographs import Photographs, photographs

SCRIPT = Path(__file__).parent / "epochs" / "cnn.py"
INTERPRETERS = [sys.executable, *filter(None, os.environ.get("DSHUB_BENCH_PEERS", "").split(":"))]
COUNTS = {"train": 9469, "test": 3925}  # as in Imagenette
CLASSES = 10
SHARE = (0.15, 0.5)  # size of the windows, so that they need more than the colors
MAX_GROWTH = 24  # MB of private memory
STORED = [(160, "jpeg:90"), (96, "jpeg:90"), (96, "raw")]


@dataclass(frozen=True)
class Row:
    """A row of the table: the title, the options of the run, and its interpreter."""

    title: str
    options: dict[str, Any]
    interpreter: str


def write_class(folder: Path, counts: dict[str, int], side: int, number: int) -> None:
    """Write the images of a class: windows of one photograph."""
    windows = Photographs(seed=number, share=SHARE)
    for split, count in counts.items():
        place = folder / split / f"class-{number}"
        place.mkdir(parents=True)
        for index in range(count // CLASSES):
            size = (side, side * 4 // 3) if index % 4 == 3 else (side * 4 // 3, side)
            (place / f"{index:05d}.jpg").write_bytes(windows.file(*size, number))


def write(folder: Path, counts: dict[str, int], side: int) -> None:
    """Write the images of all classes, and their manifest."""
    with ProcessPoolExecutor() as pool:
        write_part = partial(write_class, folder / "photos", counts, side)
        list(pool.map(write_part, range(min(CLASSES, len(photographs())))))
    manifest = folder / "photos.toml"
    command = [sys.executable, "-m", "dshub", "new", str(folder / "photos"), "-o", str(manifest)]
    subprocess.run([*command, "--name", "own/photos"], check=True, capture_output=True)


def table(epochs: int, *, small: bool) -> list[Row]:
    """Return the rows of the table, with each decoder in the first interpreter that has it."""
    rows: dict[str, Row] = {}
    for interpreter in INTERPRETERS:
        done = subprocess.run(
            [interpreter, str(SCRIPT), "--decoders"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"{interpreter}, skipped: {done.stderr.strip().splitlines()[-1][:200]}")
            continue
        for name in json.loads(done.stdout):
            rows.setdefault(name, Row(name, {"decoder": name, "epochs": epochs}, interpreter))
    if not rows:
        sys.exit("install torch to train a model")
    first = next(iter(rows.values()))
    if small:
        return list(rows.values())
    others = [Row(f"{first.title}, another seed", first.options | {"seed": 1}, first.interpreter)]
    for side, encode in STORED:
        options = first.options | {"side": side, "encode": encode}
        others.append(Row(f"stored: {side} pixels, {encode}", options, first.interpreter))
    return [*rows.values(), *others]


def train(folder: Path, row: Row, *, resume: bool = False) -> dict[str, Any]:
    """Run a training in a new process."""
    command = [
        row.interpreter,
        str(SCRIPT),
        str(folder),
        json.dumps(row.options | {"resume": resume}),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "DSHUB_PROGRESS": "off"}
    output = subprocess.check_output(command, env=environment, text=True)
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def growth(memory: list[float]) -> float:
    """Return the growth from the first quarter of the samples to the last."""
    quarter = max(1, len(memory) // 4)
    return median(memory[-quarter:]) - median(memory[:quarter])


def measure(folder: Path, rows: list[Row]) -> tuple[dict[str, dict[str, Any]], dict[str, bool]]:
    """Train each row, print the table, and return the results and which guarantees hold."""
    width = max(len(row.title) for row in rows)
    head = f"{'images/s':>10}{'CPU ms':>10}{'accuracy':>10}{'growth MB':>11}{'resumed':>9}"
    print(f"\n{'':{width}}{head}")
    results, holds = {}, {}
    for row in rows:
        results[row.title] = whole = train(folder, row)
        more, resumed = growth(whole["memory"]), "-"
        if row.title in row.options.values():
            rest = train(folder, row, resume=True)
            same = all(whole[name] == rest[name] for name in ("batches", "weights", "accuracy"))
            holds[f"{row.title}: resumes exactly"] = same
            resumed = "same" if same else "DIFFERS"
        speed, cost = whole["images"] / whole["wall"], 1000 * whole["cpu"] / whole["images"]
        cells = f"{speed:10,.0f}{cost:10.2f}{whole['accuracy']:10.3f}{more:11.1f}{resumed:>9}"
        print(f"{row.title:{width}}{cells}", flush=True)
        if whole["images"] >= sum(COUNTS.values()):  # fewer images only fill buffers
            holds[f"{row.title}: memory is flat"] = more < MAX_GROWTH
    return results, holds


def compare(results: dict[str, dict[str, Any]], rows: list[Row], tests: int) -> dict[str, bool]:
    """Print how much the accuracy varies, and return whether decoders stay within noise."""
    decoders = [results[row.title]["accuracy"] for row in rows if row.title in row.options.values()]
    seeds = [results[row.title]["accuracy"] for row in rows[:1] + rows[len(decoders) :][:1]]
    middle = sum(decoders) / len(decoders)
    error = (2 * middle * (1 - middle) / tests) ** 0.5  # of the difference of two accuracies
    spread, between = max(decoders) - min(decoders), abs(seeds[0] - seeds[1])
    noise = 3 * error + between
    print(f"\naccuracy: decoders differ by {spread:.3f}, seeds by {between:.3f}", end="; ")
    print(f"the standard error of a difference is {error:.3f}")
    return {"decoders: accuracy within noise": spread <= noise}


def main() -> None:
    """Make the images, train, and check the guarantees."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="use a few hundred images")
    parser.add_argument("--epochs", type=int, default=2, help="number of epochs")
    parser.add_argument("--side", type=int, default=240, help="shorter side of the images")
    parser.add_argument("--in", dest="place", type=Path, help="folder to keep the images in")
    options = parser.parse_args()
    counts = {"train": 400, "test": 100} if options.small else COUNTS
    side = 120 if options.small else options.side
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    if not Path("/proc/self/status").exists():
        sys.exit("this system has no /proc, which reports private memory")
    with tempfile.TemporaryDirectory() as name:
        folder = options.place or Path(name)
        os.environ["DSHUB_CACHE"] = str(folder / "cache")
        rows = table(options.epochs, small=options.small)
        if not (folder / "photos.toml").exists():
            write(folder, counts, side)
        sizes = [path.stat().st_size for path in (folder / "photos").rglob("*.jpg")]
        print(f"{len(sizes):,} files of {sum(sizes) / len(sizes) / 1000:.1f} KB")
        results, holds = measure(folder, rows)
        if not options.small:
            holds |= compare(results, rows, counts["test"])
    failed = [words for words, ok in holds.items() if not ok]
    print(*(f"DOES NOT HOLD: {words}" for words in failed), sep="\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
