"""TensorBoard: a dataset's images, audio, texts, distributions and loading speed.

``log(load("mnist", split="train"), "runs/mnist/train")``, then ``tensorboard --logdir runs``

The log of a dataset has these tags:

- `dataset` and `rows` (Text): facts with the number of rows per class, and a few rows.
- `image/CLASS` (Images): a grid of images per class.
- `audio/CLASS` (Audio): the first seconds of a few rows per class, in mono.
- `classes/COLUMN`, `numbers/COLUMN` and `lengths/COLUMN` (Histograms): class numbers, numbers, and
  lengths of texts (characters) and lists (values).
- `rows` (Projector): rows as points, with class names and, for images, a sprite.
- `throughput/rows_per_second` (Scalars): speed of one epoch by the number of rows that were read.

Logs are written by tensorboardX, or by any writer with its methods, such as the `SummaryWriter` of
`torch.utils.tensorboard`.
"""

import math
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dshub._validate import called, flag, whole
from dshub.cache.disk import disk_faults
from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    TextFeature,
)
from dshub.datasets.dataset import Dataset
from dshub.datasets.rendering.cells import markdown, markdown_table, to_rgb, words
from dshub.datasets.rendering.images import sheet
from dshub.datasets.rendering.showing import is_synthetic
from dshub.datasets.splitting import balanced, evenly
from dshub.errors import ArgumentError, needs
from dshub.loading.transforms.transform import Batch
from dshub.progress import Task, choose
from dshub.settings import Settings
from dshub.tables.missing import present

CLASSES = 100  # maximum number of classes with images or audio
NO_CLASS = -1  # number of rows without a class
GRID = 5  # rows and columns of a grid of images
CLIPS = 2  # rows per class to listen to
SECONDS = 10  # length of a clip
ROWS = 20  # rows to read
BINS = 30  # bins of a histogram, as many as TensorBoard draws
VALUES = 100_000  # maximum number of rows in a histogram of numbers or lengths
STEPS = 20  # points of the curve of an epoch
BLOCK = 32  # images to decode at a time
BATCH = 128  # rows per batch of the epoch
MAX_POINTS = 10_000  # TensorBoard computes t-SNE from at most 10,000 points
THUMBNAIL = 48  # side of an image in the sprite; the largest one has 4,800 of 8,192 pixels
EMBEDDED = 16  # side of an image that becomes a point

_KINDS = ("audio", "embedding", "histogram_raw", "image", "scalar", "text")
_METHODS = tuple(f"add_{kind}" for kind in _KINDS)
_SUFFIX = ".dshub"  # ends the names of event files of this module
_POINTS = "rows"  # name of the projection
_NOT_IN_TAGS = re.compile(r"[^-\w.]+")


@dataclass(frozen=True)
class Logged:
    """Contents of a log.

    Attributes:
        tags: tags by kind: `images`, `audio`, `texts`, `histograms`, `scalars`.
        points: number of points in the projector.
        rows_per_second: speed of the epoch; None if none was read.
    """

    tags: Mapping[str, Sequence[str]]
    points: int
    rows_per_second: float | None


def log(
    dataset: Dataset,
    writer: Any,
    *,
    prefix: str = "",
    points: int = 1024,
    embed: Callable[[Batch], Any] | None = None,
    epoch: bool = True,
) -> Logged:
    """Write images, audio, texts, distributions and the speed of an epoch for TensorBoard.

    Args:
        dataset: rows to log. Classes are those of its supervised label, or of its first label.
        writer: folder of the run, where an earlier log of dshub is replaced; or an open
            `SummaryWriter`, or an object with the same methods.
        prefix: beginning of each tag, such as `train`, if a writer gets several datasets.
        points: maximum number of rows in the projector, from each class equally. A smaller square
            number of rows is used, so that they fill the sprite. 0 leaves the projector out.
        embed: function that takes columns of several rows and returns their points as an array
            (rows, dimensions), such as the features of a model. By default, points are the pixels
            of small images, or else numbers with mean 0 and deviation 1; a dataset with neither has
            no points.
        epoch: whether to read all rows once and log the speed.

    Returns:
        The written tags, and the speed.

    Raises:
        ArgumentError: an argument has an invalid value, or `embed` does not return points.
        MissingExtraError: `writer` is a folder, and tensorboardX is not installed.
        StoreError: the folder cannot be written.
    """
    points = whole("points", points, least=0, most=MAX_POINTS)
    timed = flag("epoch", epoch)
    if embed is not None:
        called("embed", embed, "columns of several rows")
    with _opened(writer) as opened:
        board = _Board(dataset, opened, f"{prefix.strip('/')}/".lstrip("/"))
        board.text()
        board.distributions()
        board.media()
        number = board.projection(points, embed) if points and len(dataset) else 0
        speed = board.epoch() if timed and len(dataset) else None
        return Logged(board.tags, number, speed)


def summary_writer() -> Any:
    """Return the class of tensorboardX that writes to a folder.

    Raises:
        MissingExtraError: tensorboardX, or soundfile, which it writes audio with, is not installed.
    """
    with needs("tensorboardX", extra="tensorboard"):
        import soundfile  # noqa: F401
        import tensorboardX
    return tensorboardX.SummaryWriter


@contextmanager
def _opened(writer: Any) -> Iterator[Any]:
    """Yield a writer, which is closed if it was opened for a folder."""
    if not isinstance(writer, str | Path):
        missing = [name for name in _METHODS if not callable(getattr(writer, name, None))]
        if missing:
            expected = f"a folder, or a writer with the method {missing[0]}"
            raise ArgumentError(name="writer", value=writer, expected=expected)
        yield writer
        return
    open_folder, folder = summary_writer(), Path(writer)
    with disk_faults(folder, "write", hint="choose another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        _remove_earlier(folder)
        with open_folder(str(folder), filename_suffix=_SUFFIX) as opened:
            yield opened


def _remove_earlier(folder: Path) -> None:
    """Remove the files that an earlier call wrote, but not those of other programs."""
    for path in folder.glob(f"events.out.tfevents.*{_SUFFIX}"):
        path.unlink()
    config = folder / "projector_config.pbtxt"
    if config.is_file():
        text = config.read_text("utf-8")
        if text.count("embeddings {") == text.count(f'tensor_name: "{_POINTS}:'):
            config.unlink()
    shutil.rmtree(folder / "00000" / _POINTS, ignore_errors=True)


class _Board:
    """The log of a dataset."""

    def __init__(self, dataset: Dataset, writer: Any, prefix: str) -> None:
        self._rows, self._writer, self._prefix = dataset, writer, prefix
        kinds = ("texts", "images", "audio", "histograms", "scalars")
        self.tags: dict[str, list[str]] = {kind: [] for kind in kinds}
        self._label = _label_of(dataset)
        classes = dataset[self._label] if self._label else np.zeros(len(dataset), np.int64)
        self._classes = np.ma.filled(classes, NO_CLASS)

    def _tag(self, kind: str, group: str, name: str = "") -> str:
        """Return a new tag of a kind."""
        tag = self._prefix + "/".join(filter(None, [group, _NOT_IN_TAGS.sub("_", name)]))
        if tag in self.tags[kind]:  # classes whose names differ only in punctuation
            tag = f"{tag}-{len(self.tags[kind])}"
        self.tags[kind].append(tag)
        return tag

    def _of(self, *kinds: type[Feature]) -> dict[str, Feature]:
        """Return the columns of some kinds of features."""
        return {name: item for name, item in self._rows.features.items() if isinstance(item, kinds)}

    def text(self) -> None:
        """Write the facts of the dataset and a few rows."""
        self._writer.add_text(self._tag("texts", "dataset"), self._facts(), 0)
        shown = {
            name: item
            for name, item in self._rows.features.items()
            if not isinstance(item, ImageFeature | MaskFeature | AudioFeature)
        }
        if shown and len(self._rows):
            numbers = evenly(np.arange(len(self._rows)), ROWS).tolist()
            view = self._rows.columns(list(shown))
            lines = []  # not a table, because TensorBoard breaks words in narrow columns
            for number in numbers:
                row = view[number]
                cells = {name: words(row[name], item) for name, item in shown.items()}
                parts = [f"**{markdown(name)}:** {markdown(cell)}" for name, cell in cells.items()]
                lines.append(f"- {number:,} · {' · '.join(parts)}")
            self._writer.add_text(self._tag("texts", "rows"), "\n".join(lines), 0)

    def _facts(self) -> str:
        """Describe the dataset and count its classes, in Markdown."""
        manifest = self._rows.manifest
        facts = [["rows", f"{len(self._rows):,}"], ["columns", ", ".join(self._rows.features)]]
        if manifest is not None:
            facts = [["name", manifest.identifier], ["title", manifest.title], *facts]
        parts = ["**Synthetic, not real data.**"] if is_synthetic(manifest) else []
        parts.append(markdown_table(["dataset", ""], facts))
        for name in self._of(LabelFeature):
            counts = self._rows.counts(name)
            shown = [[str(key), f"{count:,}"] for key, count in list(counts.items())[:CLASSES]]
            parts += [f"**{len(counts):,} classes:**", markdown_table([name, "rows"], shown)]
        return "\n\n".join(parts)

    def distributions(self) -> None:
        """Write histograms of classes, numbers and lengths."""
        if not len(self._rows):
            return
        for name, feature in self._of(LabelFeature).items():
            bins = np.arange(len(getattr(feature, "names", ())) + 1) - 0.5
            self._histogram("classes", name, present(self._rows[name]), bins)
        numbers = evenly(np.arange(len(self._rows)), VALUES)
        sample = self._rows.select(numbers)
        for name in self._of(NumberFeature):
            values = np.ma.filled(sample[name].astype(np.float64), np.nan)
            self._histogram("numbers", name, values, BINS)
        for name in self._of(TextFeature, ListFeature):
            self._histogram("lengths", name, self._rows.lengths(name, numbers), BINS)

    def _histogram(self, group: str, name: str, values: np.ndarray, bins: Any) -> None:
        """Write a histogram of an integer number of bins, or of bins between edges.

        `add_histogram` would state the range of the values, and TensorBoard would then draw the
        classes at both ends half as wide and twice as high.
        """
        finite = values[np.isfinite(values)].astype(np.float64)
        if not finite.size:
            return
        counts, edges = np.histogram(finite, bins)
        self._writer.add_histogram_raw(
            self._tag("histograms", group, name),
            min=float(edges[0]),
            max=float(edges[-1]),
            num=finite.size,
            sum=float(finite.sum()),
            sum_squares=float(np.square(finite).sum()),
            bucket_limits=edges[1:].tolist(),
            bucket_counts=counts.tolist(),
            global_step=0,
        )

    def media(self) -> None:
        """Write a grid of images and some clips for each class."""
        images, audio = self._of(ImageFeature), self._of(AudioFeature)
        for name, members in self._each_class() if images or audio else ():
            for column in images:
                tag = self._tag("images", _group("image", column, images), name)
                self._writer.add_image(tag, self._grid(column, members), 0, dataformats="HWC")
            for column, feature in audio.items():
                tag = self._tag("audio", _group("audio", column, audio), name)
                self._clips(tag, column, feature, members)

    def _each_class(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the row numbers of each class, or of all rows without classes."""
        feature = self._rows.features[self._label] if self._label else None
        for number in evenly(np.unique(self._classes), CLASSES).tolist():
            name = words(number, feature) if feature is not None else ""
            name = "no class" if number == NO_CLASS else name
            yield name, np.flatnonzero(self._classes == number)

    def _values(self, column: str, rows: np.ndarray) -> Sequence[Any]:
        """Return the decoded values of a column."""
        return list(self._rows.decode().columns([column]).gather(rows)[column])

    def _grid(self, column: str, members: np.ndarray) -> np.ndarray:
        values = self._values(column, evenly(members, GRID * GRID))
        images = [to_rgb(value) for value in values]
        side = int(np.clip(2 * max(max(image.size) for image in images), 56, 112))
        return np.asarray(sheet(images, side=side, columns=GRID, gap=4))

    def _clips(self, tag: str, column: str, feature: Any, members: np.ndarray) -> None:
        rate = feature.rate
        for step, value in enumerate(self._values(column, evenly(members, CLIPS))):
            clip = value[: rate * SECONDS].astype(np.float32) / 2**15
            mono = clip if clip.ndim == 1 else clip.mean(axis=1)
            if mono.size:
                self._writer.add_audio(tag, mono, step, sample_rate=rate)

    def projection(self, points: int, embed: Callable[[Batch], Any] | None) -> int:
        """Write points for the projector, and return their number."""
        rows = balanced(self._classes, math.isqrt(min(points, len(self._rows))) ** 2)
        images = list(self._of(ImageFeature))[:1]
        sprite = self._thumbnails(images[0], rows) if images else None
        if embed is not None:
            found = _embedded(embed, self._rows.select(rows))
        elif sprite is not None:
            small = [_pixels(Image.fromarray(image), EMBEDDED) for image in sprite]
            found = np.stack(small).reshape(len(rows), -1)
        else:
            found = self._numbers(rows)
        if found.shape[1] < 2:
            return 0
        header, metadata = self._metadata(rows)
        self._writer.add_embedding(
            found,
            metadata=metadata,
            metadata_header=header,
            label_img=None if sprite is None else self._sprite(sprite),
            tag=self._prefix + _POINTS,
            global_step=0,
        )
        return len(rows)

    def _thumbnails(self, column: str, rows: np.ndarray) -> np.ndarray:
        """Return small images, uint8 (rows, side, side, 3), with few large ones in memory."""
        blocks = np.array_split(rows, -(-len(rows) // BLOCK))
        values = (value for block in blocks for value in self._values(column, block))
        return np.stack([_pixels(to_rgb(value), THUMBNAIL) for value in values])

    def _numbers(self, rows: np.ndarray) -> np.ndarray:
        """Return numbers as points (rows, dimensions), each scaled to deviation 1."""
        sample = self._rows.select(rows)
        parts = [np.asarray(sample[name], float) for name in self._of(NumberFeature)]
        flat = [np.nan_to_num(part.reshape(len(rows), -1)) for part in parts]
        joined = np.concatenate([np.empty((len(rows), 0)), *flat], axis=1)
        scale = joined.std(axis=0)
        scaled: np.ndarray = (joined - joined.mean(axis=0)) / np.where(scale > 0, scale, 1)
        return scaled.round(6)

    def _metadata(self, rows: np.ndarray) -> tuple[list[str], list[list[str]]]:
        """Return the names of the fields of points, and the fields of each point."""
        named = self._of(LabelFeature, TextFeature)
        values = {name: self._rows.columns([name]).gather(rows)[name] for name in named}
        fields = [
            [str(row), *(_field(words(values[name][i], item)) for name, item in named.items())]
            for i, row in enumerate(rows.tolist())
        ]
        return ["row", *map(_field, named)], fields

    def _sprite(self, images: np.ndarray) -> Any:
        """Convert images (rows, side, side, 3) to channels first, from 0 to 1."""
        scaled = np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32) / 255
        if type(self._writer).__module__.startswith("torch."):  # accepts only tensors
            return sys.modules["torch"].from_numpy(scaled)
        return scaled

    def epoch(self) -> float:
        """Read all rows once, write the speed at several points, and return the average."""
        tag, total = self._tag("scalars", "throughput", "rows_per_second"), len(self._rows)
        # imports and compiles what a process needs once
        next(iter(self._rows.batches(BATCH, rank=0, world=1)))
        loader = self._rows.batches(BATCH, rank=0, world=1)
        began = last = time.perf_counter()
        done = noted = 0
        with Task(choose(Settings.read().progress), "reading an epoch", total, unit="rows") as task:
            for batch in loader:
                size = len(next(iter(batch.values())))
                done += size
                task.advance(size)
                if done - noted >= total / STEPS or done == total:
                    now = time.perf_counter()
                    self._writer.add_scalar(tag, (done - noted) / max(now - last, 1e-9), done)
                    last, noted = now, done
        return total / max(time.perf_counter() - began, 1e-9)


def _label_of(dataset: Dataset) -> str | None:
    """Return the supervised label, or else the first one."""
    names = [name for name, item in dataset.features.items() if isinstance(item, LabelFeature)]
    target = dataset.supervised[1] if dataset.supervised else None
    return target if isinstance(target, str) and target in names else next(iter(names), None)


def _group(kind: str, column: str, columns: Mapping[str, Feature]) -> str:
    """Return the group of tags of a column, which has its name if there are several."""
    return kind if len(columns) == 1 else _NOT_IN_TAGS.sub("_", column)


def _embedded(embed: Callable[[Batch], Any], rows: Dataset) -> np.ndarray:
    """Return the points of rows as `embed` computes them."""
    parts = list[np.ndarray]()
    for start in range(0, len(rows), BATCH):
        part = np.asarray(embed(rows[start : start + BATCH]))
        size = min(BATCH, len(rows) - start)
        if part.ndim != 2 or len(part) != size or part.dtype.kind not in "fiu":
            expected = f"a function that returns an array of numbers of shape ({size}, dimensions)"
            shown = f"a function that returns {part.dtype} of shape {part.shape}"
            raise ArgumentError(name="embed", value=shown, expected=expected)
        parts.append(part)
    return np.concatenate(parts)


def _pixels(image: Any, side: int) -> np.ndarray:
    """Return an image as a square of RGB pixels, uint8 (side, side, 3)."""
    return np.array(sheet([image], side=side, columns=1, gap=0))


def _field(text: str) -> str:
    """Return text for a cell of a file of tab-separated values."""
    return " ".join(text.split())[:100]
