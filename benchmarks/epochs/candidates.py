"""Loaders that `benchmarks/epoch.py` compares; it starts this script once per package.

``candidates.py GROUP`` prints the installed candidates of a group (`bare`, `numba` or `peers`) as
JSON: names by package. ``candidates.py GROUP FOLDER`` reads a name and a batch size from each line
and feeds an epoch, which stops after four seconds. It prints [images, seconds, CPU seconds],
including worker processes. torch uses one thread, because threads wait for each other on a busy
machine.

A candidate is a function of a folder and a batch size. It returns a function that yields the size
of each batch of an epoch. Batches are normalized float32 unless the name says otherwise.
"""

import importlib.util
import json
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
SECONDS = 4.0
SCALE = np.tile(1 / (255 * np.array(STD)), 1024).astype(np.float32)
BIAS = np.tile(-np.array(MEAN) / np.array(STD), 1024).astype(np.float32)

Epoch = Callable[[], Iterator[int]]
Maker = Callable[[Path, int], Epoch]
Candidates = dict[str, tuple[str, Maker]]
"""Package and maker of each candidate by name."""


def arrays(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, memory-mapped uint8 (rows, 32, 32, 3), and the labels, int64."""
    return np.load(folder / "images.npy", mmap_mode="r"), np.load(folder / "labels.npy")


def sizes(batches: Any) -> Epoch:
    """Build an epoch from an iterable of pairs."""

    def epoch() -> Iterator[int]:
        for x, _ in batches:
            yield len(x)

    return epoch


# dshub's loaders


def dataset(folder: Path) -> Any:
    """Return the images as a dshub dataset."""
    from dshub import Dataset
    from dshub.catalog.features import ImageFeature, LabelFeature

    images, labels = arrays(folder)
    return Dataset.from_arrays(
        {"image": images, "label": labels},
        features={
            "image": ImageFeature(shape=(32, 32, 3)),
            "label": LabelFeature(names=tuple("abcdefghij")),
        },
        supervised=("image", "label"),
    )


def ours(framework: str, kind: str, **options: Any) -> Maker:
    """Build batches with a dshub loader."""

    def make(folder: Path, size: int) -> Epoch:
        from dshub.loading.transforms import Normalize, RandomCrop, RandomHorizontalFlip

        moves = [RandomCrop(padding=4), RandomHorizontalFlip()] if kind == "crop + flip" else []
        transform = [] if kind == "uint8" else [*moves, Normalize(mean=MEAN, std=STD)]
        layout = "chw" if framework == "torch" else "hwc"
        defaults = {"shuffle": True, "supervised": True, "transform": transform, "layout": layout}
        return sizes(dataset(folder).batches(size, **defaults | options).to(framework))

    return make


def our_rows(way: str) -> Maker:
    """Build a DataLoader over pairs: plain, collating by column, or dshub's own.

    Args:
        way: `plain`, `collate` or `loader`.
    """

    def make(folder: Path, size: int) -> Epoch:
        from torch.utils.data import DataLoader

        from dshub.adapters.torch import collate

        rows = dataset(folder).torch(supervised=True)
        if way == "loader":
            return sizes(rows.loader(size, shuffle=True))
        function = collate if way == "collate" else None
        return sizes(DataLoader(rows, batch_size=size, shuffle=True, collate_fn=function))

    return make


def our_workers(folder: Path, size: int) -> Epoch:
    """Build a DataLoader with two workers over dshub's batches."""
    from torch.utils.data import DataLoader

    from dshub.loading.transforms import Normalize

    normalize = Normalize(mean=MEAN, std=STD)
    loader = dataset(folder).batches(
        size, shuffle=True, supervised=True, transform=normalize, layout="chw"
    )
    return sizes(DataLoader(loader.torch(), batch_size=None, num_workers=2))


# Bare loops: lower bounds without a framework


def orders(images: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield the row numbers of each batch of a shuffled epoch."""
    order = np.random.default_rng().permutation(len(images))
    for start in range(0, len(images), size):
        yield order[start : start + size]


def bare_numpy(folder: Path, size: int) -> Epoch:
    """Gather, multiply and add in reused memory."""
    images, labels = arrays(folder)
    flat = images.reshape(len(images), -1)
    gathered, out = np.empty((size, 3072), np.uint8), np.empty((size, 3072), np.float32)

    def epoch() -> Iterator[int]:
        for rows in orders(images, size):
            some, batch = gathered[: len(rows)], out[: len(rows)]
            flat.take(rows, axis=0, out=some, mode="clip")
            np.multiply(some, SCALE, out=batch)
            np.add(batch, BIAS, out=batch)
            labels.take(rows)
            yield len(rows)

    return epoch


def bare_bytes(folder: Path, size: int) -> Epoch:
    """Gather uint8 images in reused memory."""
    images, labels = arrays(folder)
    flat, gathered = images.reshape(len(images), -1), np.empty((size, 3072), np.uint8)

    def epoch() -> Iterator[int]:
        for rows in orders(images, size):
            flat.take(rows, axis=0, out=gathered[: len(rows)], mode="clip")
            labels.take(rows)
            yield len(rows)

    return epoch


def bare_torch(folder: Path, size: int) -> Epoch:
    """Gather, convert and normalize with torch operators in reused memory."""
    import torch

    images, labels = arrays(folder)
    source, targets = torch.from_numpy(images.reshape(len(images), -1)), torch.from_numpy(labels)
    scale, bias = torch.from_numpy(SCALE), torch.from_numpy(BIAS)
    gathered, out = torch.empty((size, 3072), dtype=torch.uint8), torch.empty((size, 3072))

    def epoch() -> Iterator[int]:
        order = torch.randperm(len(images))
        for rows in order.split(size):
            some, batch = gathered[: len(rows)], out[: len(rows)]
            torch.index_select(source, 0, rows, out=some)
            batch.copy_(some)
            torch.addcmul(bias, batch, scale, out=batch)
            targets[rows]
            yield len(rows)

    return epoch


def bare_fused(folder: Path, size: int) -> Epoch:
    """Gather and normalize in one loop compiled by numba."""
    import numba

    @numba.njit(nogil=True, boundscheck=False)  # type: ignore[untyped-decorator, unused-ignore]
    def fill(flat: Any, rows: Any, scale: Any, bias: Any, out: Any) -> None:
        for i in range(len(rows)):
            source, target = flat[rows[i]], out[i]
            for j in range(len(source)):
                target[j] = np.float32(source[j]) * scale[j] + bias[j]

    images, labels = arrays(folder)
    flat, out = images.reshape(len(images), -1), np.empty((size, 3072), np.float32)

    def epoch() -> Iterator[int]:
        for rows in orders(images, size):
            fill(flat, rows, SCALE, BIAS, out)
            labels.take(rows)
            yield len(rows)

    return epoch


# Other libraries


def scaled(images: Any) -> Any:
    """Normalize a batch with NumPy, as users usually write it."""
    mean, std = (np.array(values, np.float32) for values in (MEAN, STD))
    return (np.asarray(images, np.float32) / 255 - mean) / std


def torchvision(workers: int, *, moves: bool) -> Maker:
    """Build torchvision's CIFAR10 with its transforms in a DataLoader."""

    def make(folder: Path, size: int) -> Epoch:
        from torch.utils.data import DataLoader
        from torchvision import transforms
        from torchvision.datasets import CIFAR10

        own = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
        rows = CIFAR10.__new__(CIFAR10)  # skips the check for downloaded files
        images, labels = arrays(folder)
        rows.data, rows.targets, rows.target_transform = np.array(images), labels.tolist(), None
        last = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
        rows.transform = transforms.Compose([*(own if moves else []), *last])
        return sizes(DataLoader(rows, batch_size=size, shuffle=True, num_workers=workers))

    return make


def tensor_dataset(folder: Path, size: int) -> Epoch:
    """Build a TensorDataset of uint8 images, normalized per batch."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    images, labels = arrays(folder)
    planes = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    rows = TensorDataset(planes, torch.from_numpy(labels))
    loader = DataLoader(rows, batch_size=size, shuffle=True)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))

    def epoch() -> Iterator[int]:
        for x, _ in loader:
            yield len(x.float().div_(255).sub_(mean).div_(std))

    return epoch


def tf_data(*, gather: bool) -> Maker:
    """Build a tf.data pipeline that shuffles rows, or shuffles row numbers and gathers batches."""

    def make(folder: Path, size: int) -> Epoch:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
        import tensorflow as tf

        images, labels = (tf.constant(np.array(values)) for values in arrays(folder))
        count = int(images.shape[0])

        def scale(x: Any, y: Any) -> Any:
            return (tf.cast(x, tf.float32) / 255.0 - MEAN) / STD, y

        if gather:
            rows = tf.data.Dataset.range(count).shuffle(count).batch(size)
            rows = rows.map(lambda i: scale(tf.gather(images, i), tf.gather(labels, i)))
        else:
            rows = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(count)
            rows = rows.batch(size).map(scale, num_parallel_calls=tf.data.AUTOTUNE)
        return sizes(rows.prefetch(tf.data.AUTOTUNE))

    return make


def hugging_face(folder: Path, size: int) -> Epoch:
    """Build shuffled batches from an array column of `datasets`."""
    import datasets

    images, labels = arrays(folder)
    place = folder / "datasets"
    if not place.exists():
        shape = datasets.Features(
            {
                "image": datasets.Array3D((32, 32, 3), "uint8"),
                "label": datasets.Value("int64"),
            }
        )
        few = {"image": list(np.array(images)), "label": labels.tolist()}
        datasets.Dataset.from_dict(few, features=shape).save_to_disk(str(place))
    rows = datasets.load_from_disk(str(place)).with_format("numpy")

    def epoch() -> Iterator[int]:
        for batch in rows.shuffle().iter(size):
            yield len(scaled(batch["image"]))

    return epoch


class Indexed:
    """Images and labels for libraries that read row by row."""

    def __init__(self, folder: Path) -> None:
        self.images, self.labels = arrays(folder)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[np.ndarray, int]:
        return self.images[row], int(self.labels[row])


def grain(folder: Path, size: int) -> Epoch:
    """Build a MapDataset of Grain."""
    import grain.python as pygrain

    rows = pygrain.MapDataset.source(Indexed(folder)).shuffle(seed=0).batch(size)
    rows = rows.map(lambda pair: (scaled(pair[0]), pair[1]))
    options = pygrain.ReadOptions(num_threads=2)
    return sizes(rows.to_iter_dataset(options))


def web_dataset(folder: Path, size: int) -> Epoch:
    """Build a WebDataset of shards with raw bytes."""
    import webdataset

    images, labels = arrays(folder)
    if not (folder / "web-0.tar").exists():
        for shard in range(5):
            with webdataset.TarWriter(str(folder / f"web-{shard}.tar")) as writer:
                for row in range(shard, len(images), 5):
                    label = str(labels[row])
                    writer.write({"__key__": str(row), "x": images[row].tobytes(), "y": label})
    places = [str(folder / f"web-{shard}.tar") for shard in range(5)]
    rows = webdataset.WebDataset(places, shardshuffle=5, empty_check=False).shuffle(5000)
    rows = rows.to_tuple("x", "y").map_tuple(
        lambda data: np.frombuffer(data, np.uint8).reshape(32, 32, 3), int
    )

    def epoch() -> Iterator[int]:
        for x, _ in rows.batched(size):
            yield len(scaled(x))

    return epoch


def streaming(folder: Path, size: int) -> Epoch:
    """Build a StreamingDataset of MosaicML in a DataLoader."""
    from streaming import MDSWriter, StreamingDataset
    from torch.utils.data import DataLoader

    place, columns = folder / "streaming", {"x": "ndarray:uint8:32,32,3", "y": "int"}
    if not place.exists():
        with MDSWriter(out=str(place), columns=columns) as writer:
            for x, y in zip(*arrays(folder), strict=True):
                writer.write({"x": np.array(x), "y": int(y)})
    rows = StreamingDataset(local=str(place), shuffle=True, batch_size=size)
    loader = DataLoader(rows, batch_size=size)

    def epoch() -> Iterator[int]:
        for batch in loader:
            yield len(scaled(batch["x"].numpy()))

    return epoch


def litdata(folder: Path, size: int) -> Epoch:
    """Build a StreamingDataset of LitData in its own DataLoader."""
    import litdata as lit

    place = folder / "litdata"
    if not place.exists():
        rows = Indexed(folder)
        options = {"num_workers": 1, "chunk_bytes": "16MB", "output_dir": str(place)}
        lit.optimize(rows.__getitem__, list(range(len(rows))), **options)
    stream = lit.StreamingDataset(str(place), shuffle=True)
    loader = lit.StreamingDataLoader(stream, batch_size=size)

    def epoch() -> Iterator[int]:
        for x, _ in loader:
            yield len(scaled(x.numpy()))

    return epoch


def ffcv(*, moves: bool) -> Maker:
    """Build FFCV's compiled pipeline over raw images, with one worker."""

    def make(folder: Path, size: int) -> Epoch:
        from ffcv.fields import IntField, RGBImageField
        from ffcv.fields.decoders import IntDecoder, SimpleRGBImageDecoder
        from ffcv.loader import Loader, OrderOption
        from ffcv.transforms import (
            NormalizeImage,
            RandomHorizontalFlip,
            RandomTranslate,
            ToTensor,
            ToTorchImage,
        )
        from ffcv.writer import DatasetWriter

        place = folder / "images.beton"
        if not place.exists():
            fields = {"image": RGBImageField(write_mode="raw"), "label": IntField()}
            DatasetWriter(str(place), fields, num_workers=1).from_indexed_dataset(Indexed(folder))
        mean, std = (np.array(values) * 255 for values in (MEAN, STD))
        own = [RandomHorizontalFlip(), RandomTranslate(padding=4)] if moves else []
        last = [NormalizeImage(mean, std, np.float32), ToTensor(), ToTorchImage()]
        pipelines = {
            "image": [SimpleRGBImageDecoder(), *own, *last],
            "label": [IntDecoder(), ToTensor()],
        }
        options = {"order": OrderOption.RANDOM, "pipelines": pipelines, "num_workers": 1}
        return sizes(Loader(str(place), batch_size=size, **options))

    return make


BARE: Candidates = {
    "bare: NumPy take, uint8": ("numpy", bare_bytes),
    "bare: NumPy take, multiply, add": ("numpy", bare_numpy),
    "bare: torch operators": ("torch", bare_torch),
}
OURS: Candidates = {
    **{
        f"dshub {name}, {kind}": (package, ours(framework, kind))
        for name, package, framework in (("NumPy", "numpy", "numpy"), ("torch", "torch", "torch"))
        for kind in ("uint8", "normalized", "crop + flip")
    },
    "dshub torch, normalized, threads=0": ("torch", ours("torch", "normalized", threads=0)),
    "dshub tf, normalized": ("tensorflow", ours("tf", "normalized")),
    "DataLoader(ds.torch()), uint8": ("torch", our_rows("plain")),
    "DataLoader(ds.torch(), collate), uint8": ("torch", our_rows("collate")),
    "ds.torch().loader(), uint8": ("torch", our_rows("loader")),
    "DataLoader(loader.torch()), workers=2": ("torch", our_workers),
}
PEERS: Candidates = {
    "torchvision, workers=0": ("torchvision", torchvision(0, moves=False)),
    "torchvision, workers=2": ("torchvision", torchvision(2, moves=False)),
    "torchvision, crop + flip, workers=0": ("torchvision", torchvision(0, moves=True)),
    "torchvision, crop + flip, workers=2": ("torchvision", torchvision(2, moves=True)),
    "TensorDataset + DataLoader": ("torch", tensor_dataset),
    "tf.data, rows": ("tensorflow", tf_data(gather=False)),
    "tf.data, gathered": ("tensorflow", tf_data(gather=True)),
    "datasets": ("datasets", hugging_face),
    "grain": ("grain", grain),
    "webdataset": ("webdataset", web_dataset),
    "streaming": ("streaming", streaming),
    "litdata": ("litdata", litdata),
    "FFCV": ("ffcv", ffcv(moves=False)),
    "FFCV, crop + flip": ("ffcv", ffcv(moves=True)),
}


def candidates_of(group: str) -> Candidates:
    """Return the candidates of a group."""
    if group == "peers":
        return PEERS
    if group == "bare":  # hide numba from dshub
        sys.modules["numba"] = None  # type: ignore[assignment]
        return {**BARE, **OURS}
    return {
        "bare: one fused loop by numba": ("numba", bare_fused),
        **{
            f"{name} + numba": candidate
            for name, candidate in OURS.items()
            if "ds.torch()" not in name
        },
    }


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def feed(epoch: Epoch) -> tuple[int, float, float]:
    """Run an epoch, and return images, seconds and CPU seconds."""
    wall, cpu, images = time.perf_counter(), cpu_seconds(), 0
    walk = epoch()
    for size in walk:
        images += size
        if time.perf_counter() - wall > SECONDS:
            break
    del walk
    return images, time.perf_counter() - wall, cpu_seconds() - cpu


def installed(candidates: Candidates) -> dict[str, list[str]]:
    """Return the installed candidates by package."""
    names: dict[str, list[str]] = {}
    for name, (package, _) in candidates.items():
        if is_installed(package):
            names.setdefault(package, []).append(name)
    return names


def is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # the parent of a package such as `nvidia.dali` is missing
        return False


def serve(candidates: Candidates, folder: Path) -> None:
    """Answer requests on stdout, and send the output of libraries to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    epochs: dict[str, Epoch] = {}
    for line in sys.stdin:
        name, size = json.loads(line)
        answer: Any
        try:
            if line not in epochs:
                epochs[line] = candidates[name][1](folder, size)
            answer = feed(epochs[line])
        except Exception as error:  # noqa: BLE001  # any library error is reported to the parent process
            answer = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), file=answers, flush=True)


def main(candidates_of: Callable[[str], Candidates]) -> None:
    """Print the installed candidates of a group, or serve requests."""
    os.environ["OMP_NUM_THREADS"] = "1"
    warnings.filterwarnings("ignore")
    group, *folder = sys.argv[1:]
    if folder:
        serve(candidates_of(group), Path(folder[0]))
    else:
        print(json.dumps(installed(candidates_of(group))))


if __name__ == "__main__":
    main(candidates_of)
