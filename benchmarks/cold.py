"""Measure loading from the disk: `python benchmarks/cold.py [--small] [--copies N]`.

A table holds copies of 256 photographs near 500x375. Before each epoch, the system forgets the
table, as it does during training if the table is several times as large as the memory. Batches of
64 are decoded, cropped to 224 pixels and normalized in two threads. "Read ahead" is
`dshub.loading.read_ahead`, which starts to read all files of a batch at once. Medians are of wall
time; CPU time includes that of the system.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from photographs import Photographs

from dshub import Dataset
from dshub.catalog.features import ImageFeature
from dshub.loading import read_ahead
from dshub.loading.transforms import Normalize, RandomResizedCrop

FILES = 256
STEPS = [RandomResizedCrop(224), Normalize(mean=(0.5,) * 3, std=(0.25,) * 3)]


def table(folder: Path, copies: int) -> Dataset:
    """Save copies of photographs, each with its own bytes on the disk."""
    photographs = Photographs()
    files = [photographs.file(500, 375) for _ in range(FILES)]
    rows = Dataset.from_arrays(
        {"image": files * copies}, features={"image": ImageFeature(encoding="jpeg")}
    )
    rows.save(folder)
    return Dataset.open(folder)


def forget(folder: Path) -> None:
    """Drop the files of a folder from the page cache."""
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def epoch(folder: Path, shuffle: Any, *, cold: bool) -> tuple[float, float]:
    """Return the wall and CPU seconds of an epoch of newly opened rows."""
    rows = Dataset.open(folder)
    if cold:
        forget(folder)
    began, cpu = time.perf_counter(), time.process_time()
    for batch in rows.batches(64, shuffle=shuffle, transform=STEPS, threads=2):
        assert batch["image"].dtype == np.float32
    return time.perf_counter() - began, time.process_time() - cpu


def main() -> None:
    """Measure every combination and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="use two copies and one round")
    parser.add_argument("--copies", type=int, default=8, help="copies of 256 photographs")
    options = parser.parse_args()
    copies, rounds = (2, 1) if options.small else (options.copies, 3)
    advice: Callable[[], Any] = read_ahead._madvise  # noqa: SLF001
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name) / "table"
        count = len(table(folder, copies))
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{count:,} files, {size / 1e6:,.0f} MB")
        runs: dict[str, list[tuple[float, float]]] = {}
        for number in range(rounds + 1):
            for shuffle in (True, "blocks"):
                for label, ahead, cold in (
                    ("from disk", False, True),
                    ("from disk, read ahead", True, True),
                    ("from memory", True, False),
                ):
                    read_ahead._madvise = advice if ahead else lambda: None  # type: ignore[assignment]  # noqa: SLF001
                    seconds = epoch(folder, shuffle, cold=cold)
                    if number or rounds == 1:
                        runs.setdefault(f"shuffle={shuffle!r}, {label}", []).append(seconds)
    print(f"{'':42}{'images/s':>10}{'CPU ms/image':>14}")
    for label, figures in runs.items():
        wall, cpu = (median(values) for values in zip(*figures, strict=True))
        print(f"{label:42}{count / wall:10,.0f}{1000 * cpu / count:14.2f}")


if __name__ == "__main__":
    main()
