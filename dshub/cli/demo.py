"""Command `dshub demo`: run a demo with a synthetic dataset."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from PIL import Image

from dshub.catalog.manifest import Manifest
from dshub.catalog.registry import Registry
from dshub.cli import _screen
from dshub.datasets.dataset import Dataset
from dshub.datasets.rendering.images import blocks, sheet, terminal_can_show
from dshub.hub.hub import Hub
from dshub.mirrors.serve.server import serving
from dshub.progress import Silent, size
from dshub.settings import Settings
from dshub.synthetic.synthesize import synthesize

TRAIN_ROWS, EPOCHS, BATCH, RATE = 6000, 3, 128, 0.3


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the files of the demo (default: demo/ in the cache).",
)
def command(folder: Path | None) -> None:
    """Run a demo without a network.

    \b
      dshub demo

    The demo generates a synthetic MNIST in its original format, serves it over HTTP on this
    machine, fetches and loads it, shows some images, and trains a small classifier.
    """
    began = time.monotonic()
    folder = folder or Settings.read().cache / "demo"
    for part in ("upstream", "cache"):
        shutil.rmtree(folder / part, ignore_errors=True)

    _screen.echo(f"{_screen.bold('dshub demo')}  runs without a network and writes files to")
    _screen.echo(f"{_screen.short_path(folder)}\n")

    upstream = Hub(settings=Settings(cache=folder / "upstream"), progress=Silent())
    manifest = _make(upstream)
    train, test = _fetch(manifest, upstream, folder / "cache")
    _show(train, folder)
    _learn(train, test)

    _screen.echo(f"\nDone in {time.monotonic() - began:.1f} s. Next, try real data:\n")
    _screen.echo("  dshub list                   list datasets")
    _screen.echo("  dshub fetch fashion-mnist    download a dataset and prepare it for loading")
    _screen.echo("  dshub cache ls               list cached items")


def _step(number: int, title: str) -> None:
    _screen.echo(f"{_screen.bold(f'{number}  {title}')}")


def _say(text: str) -> None:
    _screen.echo(f"   {text}")


def _make(upstream: Hub) -> Manifest:
    _step(1, "Generate a synthetic MNIST from its manifest")
    manifest = synthesize(upstream.registry.manifest("mnist"), upstream.store, rows=TRAIN_ROWS)
    rows = ", ".join(f"{name} {split.rows:,}" for name, split in manifest.splits.items())
    _say(f"{rows} synthetic rows, with the original file names and formats:")
    for resource in manifest.resources.values():
        _say(f"{resource.name:28} {size(resource.size):>8}   {resource.digest.short}")
    return manifest


def _fetch(manifest: Manifest, upstream: Hub, cache: Path) -> tuple[Dataset, Dataset]:
    with serving(upstream.store.root) as url:
        _step(2, "Serve it as a mirror, and fetch it from the mirror")
        _say(f"DSHUB_MIRROR={url} dshub fetch mnist")
        hub = Hub(
            settings=Settings(cache=cache, mirrors=(url,)),
            registry=Registry(manifests=[manifest], built_in=False),
            progress=Silent(),
        )
        began = time.monotonic()
        fetched = hub.fetch("mnist")
        total = sum(item.job.resource.size or 0 for item in fetched)
        seconds = time.monotonic() - began
        _say(f"{len(fetched)} files, {size(total)}, verified and prepared in {seconds:.2f} s")
    _step(3, 'Load it: train = load("mnist", split="train")')
    began = time.monotonic()
    train, test = hub.load("mnist", "train"), hub.load("mnist", "test")
    _say(f"{train}")
    _say(f"memory-mapped two splits in {1000 * (time.monotonic() - began):.1f} ms")
    return train, test


def _show(train: Dataset, folder: Path) -> None:
    images = [Image.fromarray(pixels[:, :, 0]) for pixels in train[:30]["image"]]
    path = folder / "images.png"
    sheet(images, side=84, columns=10, gap=6).save(path)
    if terminal_can_show():
        preview = sheet(images[:12], side=28, columns=6, gap=2)
        width = min(_screen.terminal_width() - 6, 90)
        for line in blocks(preview, width, _screen.painted).splitlines():
            _say(line)
    _say(f"the first synthetic images: {_screen.short_path(path)}")


def _learn(train: Dataset, test: Dataset) -> None:
    _step(4, f"Train a softmax classifier in NumPy: train.batches({BATCH}, shuffle=True)")
    for epoch, loss, accuracy, rate in _epochs(train, test):
        _say(
            f"epoch {epoch}   loss {loss:5.3f}   test accuracy {100 * accuracy:5.1f} %"
            f"   {rate:,.0f} rows/s"
        )


def _epochs(train: Dataset, test: Dataset) -> Iterator[tuple[int, float, float, float]]:
    """Train, and yield the epoch, mean loss, test accuracy and rows per second of each epoch."""
    weights = np.zeros((28 * 28 + 1, 10), np.float32)
    x_test, y_test = _inputs(test[:]["image"]), test["label"]
    loader = train.batches(BATCH, shuffle=True, seed=0)
    for epoch in range(1, EPOCHS + 1):
        began, losses = time.monotonic(), []
        for batch in loader:
            x, y = _inputs(batch["image"]), batch["label"]
            probabilities = _softmax(x @ weights)
            losses.append(-np.log(probabilities[np.arange(len(y)), y] + 1e-9).mean())
            probabilities[np.arange(len(y)), y] -= 1
            weights -= RATE / len(y) * (x.T @ probabilities)
        rate = len(train) / (time.monotonic() - began)
        accuracy = float(((x_test @ weights).argmax(axis=1) == y_test).mean())
        yield epoch, float(np.mean(losses)), accuracy, rate


def _inputs(images: np.ndarray) -> np.ndarray:
    """Return images as float32 vectors from -0.5 to 0.5, with a constant 1 for the bias."""
    flat = images.reshape(len(images), -1).astype(np.float32) / 255 - 0.5
    return np.concatenate([flat, np.ones((len(flat), 1), np.float32)], axis=1)


def _softmax(scores: np.ndarray) -> np.ndarray:
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))
