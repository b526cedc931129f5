"""Measure how fast this machine reads, decodes and batches a dataset, and what limits it."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dshub.catalog.features import ImageFeature
from dshub.datasets.dataset import Dataset
from dshub.loading.cores import available_cores
from dshub.loading.transforms import Normalize, RandomHorizontalFlip, RandomResizedCrop
from dshub.loading.transforms.transform import AnyTransform

SIDE = 224  # height and width of batches of image files
HALF = 0.5  # decoding binds if it takes more than this share of the loop
CLOSE = 0.8  # share of a speed that counts as different, or of a core that counts as used

Part = Literal["disk", "decoder", "cores", "loop", "step"]


@dataclass(frozen=True)
class Stage:
    """Speed of one part of the work.

    Attributes:
        name: short name of the stage.
        rows: rows per second.
        bytes: bytes per second; None if they mean nothing for this stage.
    """

    name: str
    rows: float
    bytes: float | None = None


@dataclass(frozen=True)
class Speed:
    """Speeds of a dataset on this machine.

    Attributes:
        stages: measured stages, in the order of the work.
        cores: number of cores that this process can use.
        decoder: libraries that decode images; empty if there are no image files.
        transform: transforms of the loop.
        binds: the part that limits training.
    """

    stages: Sequence[Stage]
    cores: int
    decoder: str
    transform: str
    binds: Part

    @property
    def advice(self) -> str:
        """A way to make the limiting part faster."""
        loop = "rows are only copied into batches, so larger batches help"
        if self.transform:
            loop = (
                "transforms take longer than reading and decoding: remove the slowest, or move "
                "them to the device"
            )
        faster = "" if "simplejpeg" in self.decoder else "`pip install 'dshub[fast]'`, or "
        return {
            "disk": "the first epoch waits for the disk: copy the cache to a faster disk, or train "
            'with shuffle="blocks" if the data are larger than memory',
            "decoder": f"use {faster}`dshub prepare NAME --image-size 256` for smaller images",
            "cores": "more cores help, and so does `dshub prepare NAME --image-size 256`",
            "loop": loop,
            "step": "the training step is slower than the loader, so a faster loader does not help",
        }[self.binds]


def measure(
    rows: Dataset, *, size: int = 64, seconds: float = 2.0, step: float | None = None
) -> Speed:
    """Measure the speed of each part of the work.

    Args:
        rows: dataset to measure; rows must not have been read in this process.
        size: rows per batch.
        seconds: time for each stage.
        step: seconds that a training step takes without its loader, or None.

    Raises:
        DshubError: rows cannot be read or decoded.
    """
    stages, cores = list(_reading(rows, size, seconds)), available_cores()
    files = rows.columns(rows.encoded_images) if rows.encoded_images else None
    if files is not None:
        for threads in dict.fromkeys((1, cores)):
            speed, _ = _rate(files.batches(size, shuffle=True, threads=threads), seconds)
            stages.append(Stage(f"decode, {threads} thread{'s' * (threads > 1)}", speed))
    transform = _transform(rows)
    speed, _ = _rate(rows.batches(size, shuffle=True, transform=transform), seconds)
    stages.append(Stage("loop", speed))
    if step is not None:
        stages.append(Stage("step", size / step))
    decoder = rows.decoding.decoder.name if files is not None else ""
    return Speed(
        stages=stages,
        cores=cores,
        decoder=decoder,
        transform=", ".join(type(item).__name__ for item in transform),
        binds=binding({stage.name: stage.rows for stage in stages}, cores, decoder),
    )


def _reading(rows: Dataset, size: int, seconds: float) -> Iterator[Stage]:
    """Measure reading stored rows from the disk, if the system can forget them, and from memory."""
    loader = rows.decode(on=False).batches(size, shuffle=True, threads=1)
    if _forget(rows):
        loader.epoch = 1
        yield Stage("read from disk", *_rate(loader, seconds, epochs=1))
    for _ in range(2):  # the first round reads the rows of the second into memory
        loader.epoch = 0
        loader.epoch = 1
        stage = Stage("read from memory", *_rate(loader, seconds))
    yield stage


def _forget(rows: Dataset) -> bool:
    """Drop the files of a dataset from the page cache; return False if that is impossible."""
    if not rows.files or not hasattr(os, "posix_fadvise"):
        return False
    for path in rows.files:
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
    return True


def _rate(loader: Any, seconds: float, *, epochs: int | None = None) -> tuple[float, float]:
    """Return the rows and bytes per second of a loader, after a first batch that is not counted.

    Args:
        loader: loader to measure.
        seconds: time to measure.
        epochs: maximum number of epochs.
    """
    batches = loader.repeat(epochs)
    first: dict[str, Any] = next(batches, {})
    count = size = 0
    began = time.perf_counter()
    for batch in batches:
        count += len(next(iter(batch.values())))
        size += sum(map(_bytes, batch.values()))
        if time.perf_counter() - began > seconds:
            break
    if not count:  # the only batch
        count, size = len(next(iter(first.values()), ())), sum(map(_bytes, first.values()))
    taken = max(time.perf_counter() - began, 1e-6)
    return count / taken, size / taken


def _bytes(values: Any) -> int:
    if isinstance(values, np.ndarray):
        return values.nbytes
    return sum(len(value) if isinstance(value, bytes | str) else 8 for value in values)


def _transform(rows: Dataset) -> list[AnyTransform]:
    """Return usual transforms for the images of a dataset, or none without images."""
    kinds = [rows.features[name] for name in rows.image_columns]
    images = [kind for kind in kinds if isinstance(kind, ImageFeature)]
    if not images:
        return []
    channels = images[0].shape[2] if images[0].shape else 3
    normalize = Normalize(mean=(0.5,) * channels, std=(0.25,) * channels)
    if all(kind.shape for kind in images):
        return [RandomHorizontalFlip(), normalize]
    return [RandomResizedCrop(SIDE), RandomHorizontalFlip(), normalize]


def binding(speeds: Mapping[str, float], cores: int, decoder: str) -> Part:
    """Return the part that limits training.

    Args:
        speeds: rows per second of each stage, by name.
        cores: number of available cores.
        decoder: libraries that decode images.
    """
    loop = speeds["loop"]
    if speeds.get("step", np.inf) < loop:
        return "step"
    if speeds.get("read from disk", np.inf) < CLOSE * loop:
        return "disk"
    decoding = [speed for name, speed in speeds.items() if name.startswith("decode")]
    if not decoding or loop < HALF * decoding[-1]:
        return "loop"
    one, several = decoding[0], decoding[-1]
    scales = cores > 1 and several > CLOSE * cores * one
    return "cores" if scales and decoder != "pillow" else "decoder"
