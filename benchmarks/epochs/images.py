"""Loaders of JPEG files that `benchmarks/images.py` compares; see `candidates.py`.

The groups `bare` and `peers` have a candidate for each task and loader, named `task: loader`:

- `resized crop`: RandomResizedCrop(224), flip and normalization of photographs near 500x375
- `center`: Resize(256), CenterCrop(224) and normalization of the same files
- `small`: as `resized crop`, with files of 160 pixels
- `raw`: RandomCrop(224), flip and normalization of a table of 256x256 raw pixels

Batches are normalized float32 of the shape (size, 3, 224, 224), or with channels last where the
library prefers that.
"""

import os
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from candidates import Candidates, Epoch, Maker, main, sizes
from PIL import Image

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE = 224
FOLDERS = {"resized crop": "photos", "center": "photos", "small": "small", "raw": "photos"}
SCALE = (1 / (255 * np.array(STD))).astype(np.float32)
BIAS = (-np.array(MEAN) / np.array(STD)).astype(np.float32)


def files(folder: Path) -> list[Path]:
    """Return the JPEG files of a folder with a folder for each class."""
    return sorted(folder.rglob("*.jpg"))


def label(path: Path) -> int:
    """Return the class of a file."""
    return int(path.parent.name.rpartition("-")[2])


# Decoding alone


def decoding(decode: Callable[[bytes], Any], threads: int, task: str) -> Maker:
    """Build an epoch that decodes files in memory and discards the pixels."""

    def make(folder: Path, size: int) -> Epoch:
        data = [path.read_bytes() for path in files(folder / FOLDERS[task])]

        def epoch() -> Iterator[int]:
            random.shuffle(data)
            with ThreadPoolExecutor(threads) as pool:
                for start in range(0, len(data), size):
                    part = data[start : start + size]
                    yield len(list(pool.map(decode, part)))

        return epoch

    return make


_memory = threading.local()


def with_simplejpeg(data: bytes) -> None:
    """Decode into the reused buffer of this thread."""
    import simplejpeg

    height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    buffer = getattr(_memory, "buffer", None)
    if buffer is None or buffer.size < 3 * height * width:
        buffer = _memory.buffer = np.empty(3 * height * width, np.uint8)
    simplejpeg.decode_jpeg(data, buffer=buffer[: 3 * height * width].reshape(height, width, 3))


def with_pillow(data: bytes) -> None:
    """Decode with Pillow."""
    import io

    Image.open(io.BytesIO(data)).convert("RGB").load()


# dshub


def ours(task: str, framework: str, *, antialias: bool | None = None, **options: Any) -> Maker:
    """Build batches with a dshub loader over a saved folder of encoded files."""

    def make(folder: Path, size: int) -> Epoch:
        from dshub import Dataset
        from dshub.loading import transforms as t

        place = folder / f"dshub-{FOLDERS[task]}"
        if not place.exists():
            Dataset.from_folder(folder / FOLDERS[task]).save(place)
        rows = Dataset.open(place)
        if task == "raw":
            rows = rows.resize(256, encode="raw").cache("benchmark", folder=folder / "cache")
        extra: Any = {} if antialias is None else {"antialias": antialias}
        moves: dict[str, list[Any]] = {
            "center": [t.Resize(256, **extra), t.CenterCrop(SIDE)],
            "raw": [t.RandomCrop(SIDE), t.RandomHorizontalFlip()],
        }
        crop = [t.RandomResizedCrop(SIDE, **extra), t.RandomHorizontalFlip()]
        steps = moves.get(task, crop)
        loader = rows.batches(
            size,
            shuffle=True,
            supervised=("image", "label"),
            transform=[*steps, t.Normalize(mean=MEAN, std=STD)],
            layout="chw" if framework == "torch" else "hwc",
            **options,
        )
        return sizes(loader.to(framework))

    return make


# Other libraries


def sample(image: Any, task: str) -> np.ndarray:
    """Crop, resize, flip and normalize an image with Pillow and NumPy, float32 (224, 224, 3)."""
    if task == "center":
        scale = 256 / min(image.size)
        image = image.resize(
            [round(scale * side) for side in image.size], Image.Resampling.BILINEAR
        )
        left, top = ((side - SIDE) // 2 for side in image.size)
        image = image.crop((left, top, left + SIDE, top + SIDE))
    else:
        area = image.width * image.height * random.uniform(0.08, 1)
        ratio = np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3)))
        width = min(image.width, max(1, round((area * ratio) ** 0.5)))
        height = min(image.height, max(1, round((area / ratio) ** 0.5)))
        left, top = random.randint(0, image.width - width), random.randint(0, image.height - height)
        box = (left, top, left + width, top + height)
        image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    values: np.ndarray = np.asarray(image, np.float32) * SCALE + BIAS
    return values


def opened(path: Path, task: str) -> tuple[np.ndarray, int]:
    """Read and transform a file with Pillow."""
    return sample(Image.open(path).convert("RGB"), task), label(path)


def torchvision(task: str, workers: int) -> Maker:
    """Build an ImageFolder with torchvision's transforms in a DataLoader."""

    def make(folder: Path, size: int) -> Epoch:
        import torch
        from torch.utils.data import DataLoader
        from torchvision import transforms as t
        from torchvision.datasets import ImageFolder

        torch.set_num_threads(1)
        moves = [t.RandomResizedCrop(SIDE), t.RandomHorizontalFlip()]
        if task == "center":
            moves = [t.Resize(256), t.CenterCrop(SIDE)]
        steps = t.Compose([*moves, t.ToTensor(), t.Normalize(MEAN, STD)])
        rows = ImageFolder(str(folder / FOLDERS[task]), steps)
        loader = DataLoader(
            rows, size, shuffle=True, num_workers=workers, persistent_workers=workers > 0
        )
        return sizes(loader)

    return make


def tf_data(task: str) -> Maker:
    """Build a tf.data pipeline that decodes and resizes in parallel."""

    def make(folder: Path, size: int) -> Epoch:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
        import tensorflow as tf

        paths = files(folder / FOLDERS[task])
        box = tf.constant([[[0.0, 0.0, 1.0, 1.0]]])

        def read(path: Any, target: Any) -> Any:
            data = tf.io.read_file(path)
            if task == "center":
                image = tf.io.decode_jpeg(data, 3)
                shape = tf.cast(tf.shape(image)[:2], tf.float32)
                shape = tf.cast(tf.round(shape * 256 / tf.reduce_min(shape)), tf.int32)
                image = tf.image.resize(image, shape, antialias=True)
                image = tf.image.resize_with_crop_or_pad(image, SIDE, SIDE)
            else:
                begin, count, _ = tf.image.sample_distorted_bounding_box(
                    tf.io.extract_jpeg_shape(data), box, area_range=(0.08, 1.0)
                )
                part = tf.stack([begin[0], begin[1], count[0], count[1]])
                image = tf.io.decode_and_crop_jpeg(data, part, 3)
                image = tf.image.resize(image, (SIDE, SIDE), antialias=True)
                image = tf.image.random_flip_left_right(image)
            return image * SCALE + BIAS, target

        rows = tf.data.Dataset.from_tensor_slices(
            (list(map(str, paths)), list(map(label, paths)))
        ).shuffle(len(paths))
        rows = rows.map(read, num_parallel_calls=tf.data.AUTOTUNE)
        return sizes(rows.batch(size).prefetch(tf.data.AUTOTUNE))

    return make


def hugging_face(task: str) -> Maker:
    """Build an image column of `datasets` with `set_transform` in a DataLoader."""

    def make(folder: Path, size: int) -> Epoch:
        import datasets
        from torch.utils.data import DataLoader

        paths = files(folder / FOLDERS[task])
        columns = {"image": list(map(str, paths)), "label": list(map(label, paths))}
        rows = datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image())
        rows.set_transform(partial(transformed, task=task))
        loader = DataLoader(rows, size, shuffle=True, num_workers=2, persistent_workers=True)

        def epoch() -> Iterator[int]:
            for batch in loader:
                yield len(batch["image"])

        return epoch

    return make


def transformed(batch: Any, task: str) -> Any:
    """Transform a batch of `datasets`."""
    images = [sample(image.convert("RGB"), task) for image in batch["image"]]
    return {"image": images, "label": batch["label"]}


def web_dataset(task: str) -> Maker:
    """Build a WebDataset that decodes with Pillow, in a DataLoader."""

    def make(folder: Path, size: int) -> Epoch:
        import webdataset
        from torch.utils.data import DataLoader

        pattern, paths = f"web-{FOLDERS[task]}-%d.tar", files(folder / FOLDERS[task])
        places = [folder / (pattern % shard) for shard in range(4)]
        for shard, place in enumerate(places):
            if place.exists():
                continue
            with webdataset.TarWriter(str(place)) as writer:
                for path in paths[shard::4]:
                    row = {"__key__": path.stem, "jpg": path.read_bytes(), "cls": label(path)}
                    writer.write(row)
        rows = webdataset.WebDataset(
            list(map(str, places)), shardshuffle=4, workersplitter=webdataset.split_by_worker
        )
        rows = rows.shuffle(256).decode("pilrgb").to_tuple("jpg", "cls")
        rows = rows.map_tuple(partial(sample, task=task), int)
        return sizes(DataLoader(rows, size, num_workers=2, persistent_workers=True))

    return make


class Indexed:
    """Files for libraries that read row by row."""

    def __init__(self, folder: Path) -> None:
        self.paths = files(folder)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Path:
        return self.paths[row]


class Stored(Indexed):
    """Pixels and labels, as FFCV's writer reads them."""

    def __getitem__(self, row: int) -> Any:
        return Image.open(self.paths[row]).convert("RGB"), label(self.paths[row])


def grain(task: str) -> Maker:
    """Build a MapDataset of Grain that decodes with Pillow in two threads."""

    def make(folder: Path, size: int) -> Epoch:
        import grain.python as pygrain

        rows = pygrain.MapDataset.source(Indexed(folder / FOLDERS[task])).shuffle(seed=0)
        rows = rows.map(partial(opened, task=task)).batch(size)
        return sizes(rows.to_iter_dataset(pygrain.ReadOptions(num_threads=2)))

    return make


def ffcv(task: str) -> Maker:
    """Build FFCV's pipeline over JPEG files, with two workers."""

    def make(folder: Path, size: int) -> Epoch:
        from ffcv.fields import IntField, RGBImageField
        from ffcv.fields.decoders import (
            CenterCropRGBImageDecoder,
            IntDecoder,
            RandomResizedCropRGBImageDecoder,
        )
        from ffcv.loader import Loader, OrderOption
        from ffcv.transforms import NormalizeImage, RandomHorizontalFlip, ToTensor, ToTorchImage
        from ffcv.writer import DatasetWriter

        place = folder / f"{FOLDERS[task]}.beton"
        if not place.exists():
            fields = {"image": RGBImageField(write_mode="jpg"), "label": IntField()}
            rows = Stored(folder / FOLDERS[task])
            DatasetWriter(str(place), fields, num_workers=1).from_indexed_dataset(rows)
        mean, std = (np.array(values) * 255 for values in (MEAN, STD))
        moves = [RandomResizedCropRGBImageDecoder((SIDE, SIDE)), RandomHorizontalFlip()]
        if task == "center":
            moves = [CenterCropRGBImageDecoder((SIDE, SIDE), SIDE / 256)]
        last = [NormalizeImage(mean, std, np.float32), ToTensor(), ToTorchImage()]
        pipelines = {"image": [*moves, *last], "label": [IntDecoder(), ToTensor()]}
        options = {"order": OrderOption.RANDOM, "pipelines": pipelines, "num_workers": 2}
        return sizes(Loader(str(place), batch_size=size, **options))

    return make


def dali(task: str) -> Maker:
    """Build DALI's pipeline on the CPU, with two threads."""

    def make(folder: Path, size: int) -> Epoch:
        from nvidia.dali import fn, pipeline_def, types

        place = folder / FOLDERS[task]
        count = len(files(place))

        @pipeline_def(batch_size=size, num_threads=2, device_id=None)  # type: ignore[untyped-decorator, unused-ignore]
        def pipeline() -> Any:
            data, labels = fn.readers.file(file_root=str(place), random_shuffle=True)
            if task == "center":
                images = fn.decoders.image(data, device="cpu")
                images = fn.resize(images, resize_shorter=256, antialias=True)
                mirror = 0
            else:
                images = fn.decoders.image_random_crop(
                    data,
                    device="cpu",
                    random_area=[0.08, 1.0],
                    random_aspect_ratio=[3 / 4, 4 / 3],
                )
                images = fn.resize(images, size=[SIDE, SIDE], antialias=True)
                mirror = fn.random.coin_flip()
            images = fn.crop_mirror_normalize(
                images,
                crop=(SIDE, SIDE),
                mirror=mirror,
                dtype=types.FLOAT,
                mean=[255 * value for value in MEAN],
                std=[255 * value for value in STD],
            )
            return images, labels

        built = pipeline()
        built.build()

        def epoch() -> Iterator[int]:
            for _ in range(count // size):
                images, _labels = built.run()
                yield len(images)

        return epoch

    return make


def bare(task: str) -> Candidates:
    """Return the loops that only decode, and dshub."""
    named: Candidates = {}
    if task != "raw":
        for threads in (1, 2):
            ways = (("simplejpeg", with_simplejpeg), ("PIL", with_pillow))
            for package, decode in ways:
                name = package.replace("PIL", "Pillow")
                maker = decoding(decode, threads, task)
                named[f"decoding only, {name}, threads={threads}"] = (package, maker)
    kinds: dict[str, dict[str, Any]] = {
        "threads=2": {"threads": 2},
        "threads=1": {"threads": 1},
        "antialias=False, threads=2": {"antialias": False, "threads": 2},
        "Pillow, threads=2": {"decoder": "pillow", "threads": 2},
        "where=process, threads=2": {"where": "process", "threads": 2},
    }
    if task == "raw":
        kinds = {name: kinds[name] for name in list(kinds) if "thread" in name.split(",")[0]}
    for kind, options in kinds.items():
        named[f"dshub torch, {kind}"] = ("torch", ours(task, "torch", **options))
    named["dshub NumPy, threads=2"] = ("numpy", ours(task, "numpy", threads=2))
    return named


def peers(task: str) -> Candidates:
    """Return other libraries."""
    if task == "raw":  # compared with decoding the files
        return {}
    return {
        "torchvision, workers=0": ("torchvision", torchvision(task, 0)),
        "torchvision, workers=2": ("torchvision", torchvision(task, 2)),
        "tf.data": ("tensorflow", tf_data(task)),
        "datasets, workers=2": ("datasets", hugging_face(task)),
        "webdataset, workers=2": ("webdataset", web_dataset(task)),
        "grain, threads=2": ("grain", grain(task)),
        "FFCV, workers=2": ("ffcv", ffcv(task)),
        "DALI on the CPU, threads=2": ("nvidia.dali", dali(task)),
    }


def candidates_of(group: str) -> Candidates:
    """Return the candidates of a group."""
    kind = peers if group == "peers" else bare
    return {
        f"{task}: {name}": candidate for task in FOLDERS for name, candidate in kind(task).items()
    }


if __name__ == "__main__":
    main(candidates_of)
