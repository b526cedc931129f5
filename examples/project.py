"""Prepare data, build, train and evaluate a classifier of clothes, and deploy it as a server.

    python examples/project.py

Two epochs on Fashion-MNIST take about a minute on two CPU cores. Saves test images with their
predictions as `project.png`, and the weights, the preprocessing and the classes in the folder
`project-model`. The server needs only this folder; at the end, a client sends it test images.
`python examples/project.py --serve` starts the server alone, with a page to try it.
"""

import argparse
import io
import json
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import requests
import torch
from matplotlib import pyplot as plt
from PIL import Image
from torch import nn

from dshub import Dataset, load
from dshub.loading.transforms import Compose, Normalize, RandomCrop, RandomHorizontalFlip

EPOCHS = 2
MAX_BYTES = 10_000_000  # of an image that a client sends
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Clothes</title>
<style>body { font: 1.1rem sans-serif; margin: 3rem } img { width: 12rem; margin: 1rem 0 }</style>
<h1>What is it?</h1><label>An image, light on black: <input type="file" accept="image/*"></label>
<div><img alt="" hidden></div><output></output>
<script>
document.querySelector("input").onchange = async ({ target: { files: [file] } }) => {
  const image = document.querySelector("img"), output = document.querySelector("output");
  image.src = URL.createObjectURL(file); image.hidden = false;
  const answer = await (await fetch("predict", { method: "POST", body: file })).json();
  output.textContent = answer.error ??
    `${answer.class}, ${Math.round(100 * answer.probability)} % certain`;
};
</script></html>"""


def prepare() -> tuple[Dataset, Dataset, Compose]:
    """Load the data, and choose the transforms of training and serving."""
    train, test = load("fashion-mnist", split=["train", "test"])
    print(train)
    normalize = Normalize(mean=(0.286,), std=(0.353,))
    return train, test, Compose([RandomCrop(padding=2), RandomHorizontalFlip(), normalize])


def build() -> nn.Sequential:
    """Build a network of two convolutions and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 10),
    )


def fit(model: nn.Module, train: Dataset, transforms: Compose) -> None:
    """Train the model on augmented images."""
    batches = train.batches(
        128, shuffle=True, seed=0, transform=transforms, layout="chw", supervised=True
    ).torch()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for x, y in batches.repeat(EPOCHS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


def probabilities(model: nn.Module, transforms: Compose, images: Any) -> torch.Tensor:
    """Return the probability of each class (images, classes); nothing is augmented."""
    x = torch.from_numpy(transforms(images, layout="chw"))
    with torch.no_grad():
        return nn.functional.softmax(model(x), dim=1)


def evaluate(model: nn.Module, test: Dataset, transforms: Compose) -> np.ndarray:
    """Print the test accuracy, save images with predictions, and return all predictions."""
    guesses: np.ndarray = probabilities(model, transforms, test["image"]).argmax(dim=1).numpy()
    print(f"test accuracy {100 * (guesses == test['label']).mean():.1f} %")
    draw(test.take(24), guesses)
    return guesses


def draw(rows: Dataset, guesses: np.ndarray) -> None:
    """Save a grid of images with predictions, and with the right class below wrong ones."""
    names = rows.features["label"].names
    mpl.use("agg")
    figure, grid = plt.subplots(4, 6, figsize=(7.2, 6), layout="constrained")
    for axes, row, guess in zip(grid.flat, rows, guesses, strict=False):
        axes.imshow(row["image"], cmap="gray_r")
        is_right = guess == row["label"]
        title = names[guess] if is_right else f"{names[guess]}\n(is {names[row['label']]})"
        axes.set_title(title, fontsize=8, color="black" if is_right else "#c00000")
        axes.axis("off")
    figure.savefig(output("project.png"), dpi=100)


def save(model: nn.Module, transforms: Compose, classes: Sequence[str], folder: Path) -> None:
    """Save what the server needs."""
    folder.mkdir(exist_ok=True)
    torch.save(model.state_dict(), folder / "weights.pt")
    (folder / "transforms.json").write_text(transforms.to_json(), "utf-8")
    (folder / "classes.json").write_text(json.dumps(classes), "utf-8")


def predictor(folder: Path) -> Callable[[bytes], dict[str, Any]]:
    """Load a saved model, and return a function from an image file to its class."""
    model = build().eval()
    model.load_state_dict(torch.load(folder / "weights.pt"))
    transforms = Compose.from_json((folder / "transforms.json").read_text("utf-8"))
    classes = json.loads((folder / "classes.json").read_text("utf-8"))

    def predict(data: bytes) -> dict[str, Any]:
        image = Image.open(io.BytesIO(data)).convert("L").resize((28, 28))
        (row,) = probabilities(model, transforms, [image])
        best = int(row.argmax())
        return {"class": classes[best], "probability": round(float(row[best]), 3)}

    return predict


def server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of a saved model on this machine; port 0 chooses a free port."""
    predict = predictor(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, "text/html", PAGE)

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            if size > MAX_BYTES:
                self.answer(413, "application/json", json.dumps({"error": "the file is too large"}))
                return
            try:
                answer, code = predict(self.rfile.read(size)), 200
            except (OSError, Image.DecompressionBombError):
                answer, code = {"error": "the file is not an image"}, 400
            self.answer(code, "application/json", json.dumps(answer))

        def answer(self, code: int, kind: str, text: str) -> None:
            data = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_request(self, *_: Any) -> None:
            """Print nothing for each request."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def ask(url: str, image: np.ndarray) -> dict[str, Any]:
    """Send an image (28, 28, 1) as a PNG file, and return the server's answer."""
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0]).save(file, "PNG")
    answer: dict[str, Any] = requests.post(f"{url}/predict", file.getvalue(), timeout=10).json()
    return answer


def output(name: str) -> Path:
    """Return the path of an output file."""
    return Path(os.environ.get("DSHUB_EXAMPLES_OUTPUT", ".")) / name


def main() -> None:
    """Run the five steps, or the server alone."""
    parser = argparse.ArgumentParser(description="Train a classifier of clothes and serve it.")
    parser.add_argument("--serve", action="store_true", help="only serve the saved model")
    folder = output("project-model")
    if parser.parse_args().serve:
        print("serving http://127.0.0.1:8000, until Ctrl-C")
        with server(folder, 8000) as alone, suppress(KeyboardInterrupt):
            alone.serve_forever()
        return
    torch.manual_seed(0)
    train, test, transforms = prepare()
    model = build()
    fit(model, train, transforms)
    guesses = evaluate(model, test, transforms)
    classes = test.features["label"].names
    save(model, transforms, classes, folder)

    samples = test.take(100)
    with server(folder) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{running.server_port}"
        answers = [ask(url, image) for image in samples["image"]]
        running.shutdown()
    assert [answer["class"] for answer in answers] == [classes[guess] for guess in guesses[:100]]
    labels = [classes[number] for number in samples["label"]]
    right = [answer["class"] == label for answer, label in zip(answers, labels, strict=True)]
    first = right.index(True)
    print(f"image {first} shows: {labels[first]}; the server answers: {answers[first]}")
    print(f"result: accuracy of {len(right)} requests {100 * sum(right) / len(right):.0f} %")


if __name__ == "__main__":
    main()
