"""Train a small CNN from image files in one process: `cnn.py FOLDER RUN`, or `cnn.py --decoders`.

FOLDER has `photos.toml`, a manifest of image files in classes, and RUN is a `Run` as JSON. The
process prints a `Result` as JSON.
"""

import json
import sys
import time
import zlib
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dshub import Dataset, load
from dshub.loading.transforms import (
    CenterCrop,
    Normalize,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
)

PIXELS, SIZE = 64, 64  # side of the images in batches, and images per batch
NORMALIZE = Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
PACKAGES = {"simplejpeg": "simplejpeg", "opencv": "cv2", "torchcodec": "torchcodec"}
EVERY = 2  # steps between samples of the memory


@dataclass(frozen=True)
class Run:
    """A training.

    Attributes:
        decoder: decoder of the image files.
        epochs: number of epochs.
        seed: seed of the model and of the order.
        side: shorter side of the images to store and train from, or None for the original files.
        encode: encoding of stored images.
        resume: whether to continue from the checkpoint of the same training.
    """

    decoder: str = "pillow"
    epochs: int = 3
    seed: int = 0
    side: int | None = None
    encode: str = "jpeg:90"
    resume: bool = False


@dataclass(frozen=True)
class Result:
    """Results of a training.

    Attributes:
        images: number of images that were loaded for training.
        wall, cpu: seconds of training, including loading.
        accuracy: share of the test images that are classified correctly.
        memory: samples of private memory in MB, in order of time.
        batches: checksum of the batches after the checkpoint.
        weights: checksum of the final weights.
    """

    images: int
    wall: float
    cpu: float
    accuracy: float
    memory: list[float]
    batches: int
    weights: int


def decoders() -> list[str]:
    """Return the decoders that are installed."""
    return [name for name, package in PACKAGES.items() if find_spec(package)] + ["pillow"]


def private_memory() -> float:
    """Return the private memory of this process in MB, which excludes mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000


def model(classes: int) -> nn.Module:
    """Return a CNN with three convolutions, for images of 64x64."""

    def layer(channels: int, outputs: int) -> list[nn.Module]:
        convolution = nn.Conv2d(channels, outputs, 3, 2, 1, bias=False)
        return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]

    layers = [*layer(3, 16), *layer(16, 32), *layer(32, 64)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def split(folder: Path, name: str, run: Run) -> Dataset:
    """Load a split, with smaller images if the run asks for them."""
    dataset = load(str(folder / "photos.toml"), split=name)
    if run.side is None:
        return dataset
    size: Any = (run.side, run.side) if run.encode == "raw" else run.side
    return dataset.resize(size, encode=run.encode).cache()


class Training:
    """A model, its optimizer and its loader.

    Args:
        folder: folder of the manifest and the checkpoints.
        run: training to run.
    """

    def __init__(self, folder: Path, run: Run) -> None:
        torch.manual_seed(run.seed)
        self.run = run
        self.checkpoint = folder / f"{run.decoder}-{run.seed}-{run.side}-{run.encode[:3]}.pt"
        dataset = split(folder, "train", run)
        self.test = split(folder, "test", run)
        self.model = model(len(dataset.unique("label")))
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.05, 0.9, weight_decay=5e-4)
        transforms = [RandomResizedCrop(PIXELS, (0.35, 1)), RandomHorizontalFlip(), NORMALIZE]
        self.loader = dataset.batches(
            SIZE,
            shuffle=True,
            seed=run.seed,
            transform=transforms,
            layout="chw",
            supervised=True,
            decoder=run.decoder,
        ).torch()
        steps = run.epochs * len(self.loader)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, 0.1, steps)
        self.stop = steps - len(self.loader) // 2  # step of the checkpoint, within the last epoch
        self.step, self.images, self.batches = 0, 0, 0
        self.memory: list[float] = []

    def _parts(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "loader": self.loader,
        }

    def save(self) -> None:
        """Write a checkpoint."""
        states = {name: part.state_dict() for name, part in self._parts().items()}
        torch.save(states, self.checkpoint)

    def restore(self) -> None:
        """Continue from the checkpoint."""
        states = torch.load(self.checkpoint)
        for name, part in self._parts().items():
            part.load_state_dict(states[name])
        self.step = self.stop

    def train(self) -> None:
        """Train until the last epoch, with a checkpoint in its middle."""
        self.model.train()
        while self.loader.epoch < self.run.epochs:
            for x, y in self.loader:
                if self.step >= self.stop:
                    for tensor in (x, y):
                        self.batches = zlib.crc32(tensor.contiguous().numpy(), self.batches)
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                self.schedule.step()
                self.step, self.images = self.step + 1, self.images + len(x)
                if self.step % EVERY == 0:
                    self.memory.append(private_memory())
                if self.step == self.stop and not self.run.resume:
                    self.save()

    def accuracy(self) -> float:
        """Return the share of the test images that are classified correctly."""
        self.model.eval()
        transforms = [Resize(PIXELS + 8), CenterCrop(PIXELS), NORMALIZE]
        loader = self.test.batches(
            256, transform=transforms, layout="chw", supervised=True, decoder=self.run.decoder
        )
        with torch.no_grad():
            correct = [int((self.model(x).argmax(1) == y).sum()) for x, y in loader.torch()]
        return sum(correct) / len(self.test)

    def weights(self) -> int:
        """Return a checksum of the weights."""
        checksum = 0
        for tensor in self.model.state_dict().values():
            checksum = zlib.crc32(tensor.contiguous().numpy(), checksum)
        return checksum


def result(folder: Path, run: Run) -> Result:
    """Train a model and test it."""
    training = Training(folder, run)
    if run.resume:
        training.restore()
    wall, cpu = time.perf_counter(), time.process_time()
    training.train()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    accuracy, memory = training.accuracy(), training.memory
    return Result(
        training.images, wall, cpu, accuracy, memory, training.batches, training.weights()
    )


def main() -> None:
    if sys.argv[1] == "--decoders":
        print(json.dumps(decoders()))
        return
    torch.set_num_threads(1)  # sums in one order, so that weights can be compared
    print(json.dumps(asdict(result(Path(sys.argv[1]), Run(**json.loads(sys.argv[2]))))))


if __name__ == "__main__":
    main()
