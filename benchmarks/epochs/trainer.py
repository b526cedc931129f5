"""Measure how much a loader slows down a training loop: `trainer.py FOLDER STEPS`.

A step of the loop keeps one core busy for about 0.2 seconds, half in Python and half in NumPy.
Prints the median seconds of a step and of waiting for a batch as JSON: alone, with a loader in
threads, and with one in a child process. The three take turns.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np

STEP = 0.2  # seconds
SIZE = 32


def spin(count: int) -> int:
    """Run Python code, which holds the GIL."""
    total = 0
    for number in range(count):
        total += number & 7
    return total


def calibrated() -> tuple[int, int]:
    """Return the rounds of Python and of NumPy that take half of a step each."""
    matrix = np.ones((256, 256), np.float32)
    counts = []
    for work, rounds in ((spin, 200_000), (lambda n: [matrix @ matrix for _ in range(n)], 20)):
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            work(rounds)
            seconds.append(time.perf_counter() - began)
        counts.append(max(1, round(rounds * STEP / 2 / min(seconds))))
    return counts[0], counts[1]


def batches(folder: Path, where: Any) -> Iterator[Any]:
    """Yield batches of decoded, cropped and normalized photographs forever."""
    from dshub import Dataset
    from dshub.loading import transforms as t

    steps = [
        t.RandomResizedCrop(224),
        t.RandomHorizontalFlip(),
        t.Normalize(mean=(0.5,) * 3, std=(0.25,) * 3),
    ]
    loader: Any = Dataset.open(folder / "dshub-photos").batches(
        SIZE, shuffle=True, transform=steps, threads=2, where=where
    )
    walk: Iterator[Any] = loader.repeat()
    return walk


def main() -> None:
    folder, steps = Path(sys.argv[1]), int(sys.argv[2])
    python, rounds = calibrated()
    matrix = np.ones((256, 256), np.float32)
    loops: dict[str, Iterator[Any]] = {"alone": iter(lambda: None, 0)}
    times: dict[str, list[tuple[float, float]]] = {"alone": [], "thread": [], "process": []}
    for _ in range(3):
        for name, seconds in times.items():
            if name != "alone":
                loops[name] = batches(folder, name)
            next(loops[name])
            for _ in range(steps):
                began = time.perf_counter()
                spin(python)
                for _ in range(rounds):
                    matrix @ matrix
                worked = time.perf_counter()
                next(loops[name])
                seconds.append((worked - began, time.perf_counter() - worked))
            if name != "alone":
                del loops[name]
    print(
        json.dumps(
            {name: list(map(median, zip(*taken, strict=True))) for name, taken in times.items()}
        )
    )


if __name__ == "__main__":
    main()
