"""Measure how fast rows arrive in Ray Data: `python benchmarks/ray_data.py [--small]`.

`ds.to("ray")` reads prepared tables, and `ray.data.read_parquet` reads Parquet files of the same
rows, which Ray wrote, with the faster one of Ray's two readers. Both pass them through
`map_batches`, which returns the label and a number computed from each row, and through
`iter_torch_batches`. Photos are JPEG files. Both pass them on as files, and then decoded: dshub
decodes them in its tasks, and a `map_batches` with Pillow decodes those of the Parquet files.

Both run in one cluster on this machine and take turns, in alternating order, after a first round
that is not counted. Tables show medians; a ratio is the median of the ratios in each round. Every
run checks the sum of the labels.
"""

import argparse
import importlib.util
import io
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import Feature, ImageFeature, LabelFeature

BATCH = 256


@dataclass(frozen=True)
class Case:
    """Rows to read.

    Attributes:
        name: title of the table.
        dataset: rows with a column of values and a column `label`.
        value: name of the column of values.
        number: function that computes one number per row of a batch of values.
        decode: function that decodes a batch of the Parquet files, or None.
    """

    name: str
    dataset: Dataset
    value: str
    number: Callable[[Any], Any]
    decode: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None


def images(count: int, folder: Path) -> Case:
    """Return images of 28x28 pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 28, 28, 1), np.uint8)
    dataset = saved(folder, {"image": pixels}, {"image": ImageFeature(shape=(28, 28, 1))})
    return Case("images", dataset, "image", lambda batch: batch.mean((1, 2, 3)))


def texts(count: int, folder: Path) -> Case:
    """Return texts of 5 to 25 words."""
    draw = np.random.default_rng(0)
    lengths = draw.integers(5, 26, count).tolist()
    texts = [" ".join(f"word{number}" for number in draw.integers(0, 9999, n)) for n in lengths]
    return Case("texts", saved(folder, {"text": texts}, {}), "text", lambda b: list(map(len, b)))


def photos(count: int, folder: Path) -> Case:
    """Return JPEG files of 160 to 200 pixels a side."""
    draw = np.random.default_rng(0)
    files = []
    for _ in range(count):
        noise = draw.integers(0, 256, (*draw.integers(20, 26, 2), 3), np.uint8)
        image = Image.fromarray(noise).resize((noise.shape[1] * 8, noise.shape[0] * 8))
        sink = io.BytesIO()
        image.save(sink, "JPEG", quality=90)
        files.append(sink.getvalue())
    dataset = saved(folder, {"photo": files}, {"photo": ImageFeature(encoding="jpeg")})

    def decode(batch: Mapping[str, Any]) -> dict[str, Any]:
        pixels = np.empty(len(batch["photo"]), object)
        pixels[:] = [np.array(Image.open(io.BytesIO(data))) for data in batch["photo"]]
        return {"photo": pixels, "label": batch["label"]}

    def sizes(batch: Any) -> list[int]:
        return [image.shape[0] for image in batch]

    return Case("photos, decoded", dataset, "photo", sizes, decode)


def files(count: int, folder: Path) -> Case:
    """Return the same JPEG files, which are not decoded."""
    dataset = photos(count, folder / "files").dataset
    return Case("photos, as files", dataset.decode(on=False), "photo", lambda b: list(map(len, b)))


def saved(folder: Path, columns: Mapping[str, Any], features: Mapping[str, Feature]) -> Dataset:
    """Save rows with a label, and open them as a memory map."""
    (name, values), *_ = columns.items()
    labels = np.arange(len(values), dtype=np.int64) % 10
    feature = LabelFeature(names=tuple("0123456789"))
    dataset = Dataset.from_arrays(columns, features=features).with_column("label", labels, feature)
    folder.mkdir(exist_ok=True)
    dataset.save(folder / name)
    return Dataset.open(folder / name)


def mapped(rows: Any, case: Case) -> int:
    """Return the sum of the labels after a `map_batches`."""
    value, number = case.value, case.number

    def step(batch: Mapping[str, Any]) -> dict[str, Any]:
        return {"number": number(batch[value]), "label": batch["label"]}

    batches = rows.map_batches(step, batch_size=BATCH).iter_batches(batch_size=BATCH)
    return sum(int(batch["label"].sum()) for batch in batches)


def trained(rows: Any, _: Case) -> int:
    """Return the sum of the labels of torch batches."""
    from dshub.adapters.ray import collate

    batches = rows.iter_torch_batches(batch_size=BATCH, collate_fn=collate)
    return sum(int(batch["label"].sum()) for batch in batches)


def compare(case: Case, folder: Path, rounds: int) -> None:
    """Measure both ways to read the rows and print a table."""
    import ray

    target = tempfile.mkdtemp(dir=folder)
    case.dataset.to("ray", decode=False).write_parquet(target)

    def parquet() -> Any:
        rows = ray.data.read_parquet(target)
        return rows if case.decode is None else rows.map_batches(case.decode, batch_size=BATCH)

    sources = {"dshub": lambda: case.dataset.to("ray"), "read_parquet": parquet}
    expected, count = int(np.asarray(case.dataset["label"]).sum()), len(case.dataset)
    print(f"\n{case.name}: {count:,} rows, {rounds} rounds")
    print(f"{'':34}{'s':>9}{'rows/s':>12}{'of read_parquet':>18}")
    for step in (mapped, trained):
        seconds: dict[str, list[float]] = {name: [] for name in sources}
        for turn in range(rounds + 1):
            for name in list(sources)[:: 1 if turn % 2 else -1]:
                began = time.perf_counter()
                if step(sources[name](), case) != expected:
                    sys.exit(f"{name} read other rows")
                seconds[name].append(time.perf_counter() - began)
        for name, several in seconds.items():
            pairs = list(zip(seconds["read_parquet"], several, strict=True))[1:]
            ratio, middle = median(other / mine for other, mine in pairs), median(several[1:])
            title = f"{name}, {'map_batches' if step is mapped else 'iter_torch_batches'}"
            print(f"{title:34}{middle:9.2f}{count / middle:12,.0f}{ratio:18.2f}", flush=True)


def main() -> None:
    """Measure all cases and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="use few rows and one round")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds")
    parser.add_argument("--in", dest="place", help="folder on the disk to measure")
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    missing = [name for name in ("ray", "torch") if not importlib.util.find_spec(name)]
    if missing:
        print(f"not installed, skipped: {', '.join(missing)}")
        return
    import ray

    ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.use_datasource_v2 = False  # that reader of Parquet takes seconds to list the files
    with tempfile.TemporaryDirectory(dir=options.place) as name:
        folder = Path(name)
        rounds, scale = (1, 1) if options.small else (options.rounds, 50)
        for make, count in ((images, 2000), (texts, 4000), (files, 40), (photos, 40)):
            compare(make(count * scale, folder), folder, rounds)


if __name__ == "__main__":
    main()
