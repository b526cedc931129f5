import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from dshub import Dataset, DshubError
from dshub.loading.loader import Loader
from dshub.testing.adapters import BatchesTests, example, unbatched, varied

keras = pytest.importorskip("keras")

backends = pytest.mark.parametrize("backend", ["torch", "tensorflow", "jax"])


def to_numpy(value: Any) -> Any:
    """Convert a value of a batch; text and files are both bytes in TensorFlow."""
    if isinstance(value, np.ndarray):
        return value
    values = value.numpy()
    if values.dtype != object:
        return values
    files = (b"\x89PNG", b"RIFF")
    return [data if data.startswith(files) else data.decode() for data in values.tolist()]


class TestKeras(BatchesTests):
    name = "keras"
    refused = ("photo", "sound", "mono", "tokens", "classes", "boxes", "words")

    def to_numpy(self, value: Any) -> Any:
        return to_numpy(value)

    def next_step(self, dataset: Dataset) -> list[dict[str, Any]]:
        seen: list[Any] = []

        class Model(keras.Model):  # type: ignore[misc,name-defined]
            def train_step(self, data: Any) -> dict[str, Any]:
                seen.append({name: to_numpy(values) for name, values in data.items()})
                return {"loss": keras.ops.zeros(())}

        model = Model()
        model.compile(run_eagerly=True)
        model.fit(dataset.batches(8).to("keras"), shuffle=False, verbose=0)
        return unbatched(seen)

    def steps_of(self, loader: Loader, count: int) -> tuple[list[Any], Mapping[str, Any]]:
        """Step through batches as `fit` does, without prefetching."""
        batches, state = loader.to("keras"), loader.state_dict()
        batches.on_epoch_end()
        taken: list[Any] = []
        while len(taken) < count:
            batches.on_epoch_begin()
            for number in range(min(batches.num_batches, count - len(taken))):
                taken.append(self.plain(batches[number]))
                used = number + 1
            state = loader.state_after(used)
            if used == batches.num_batches:
                batches.on_epoch_end()
                state = loader.state_dict()
        return taken, state


PROGRAM = """
import json, sys
import numpy as np
import keras
from dshub import Dataset

given = json.load(sys.stdin)
rows, size = given["rows"], given["size"]
dataset = Dataset.from_arrays(
    {"x": np.arange(rows, dtype=np.float32)[:, None], "y": np.zeros((rows, 1), np.float32)},
    supervised=("x", "y"),
)
loader = dataset.batches(size, shuffle=True, supervised=True, seed=3,
                         threads=given["threads"])
if given["state"]:
    loader.load_state_dict(given["state"])


class Inputs(keras.metrics.Metric):
    \"\"\"The sum of the inputs of a step.\"\"\"
    def __init__(self):
        super().__init__(name="inputs")
        self.total = self.add_variable((), "zeros", name="total")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign(keras.ops.sum(y_pred))

    def result(self):
        return keras.ops.convert_to_tensor(self.total)

    def reset_state(self):
        pass


class Log(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        steps.append(float(logs["inputs"]))
        states.append(loader.state_after(batch + 1))

    def on_epoch_end(self, epoch, logs=None):
        ends.append(loader.state_dict())


steps, states, ends = [], [], []
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
model.trainable = False
model.compile("sgd", "mse", metrics=[Inputs()])
batches = loader.to("keras")
held = dataset.batches(size, shuffle=True, supervised=True).to("keras")
model.fit(batches, epochs=given["epochs"], shuffle=False, verbose=0, callbacks=[Log()],
          validation_data=held)
predicted = model.predict(dataset.batches(size, supervised=True).to("keras"), verbose=0)
print()
print(json.dumps({
    "backend": keras.backend.backend(), "steps": steps, "states": states, "ends": ends,
    "predicted": predicted[:, 0].tolist(), "held": held.loader.epoch,
}))
"""


def run_fit(backend: str, **options: Any) -> dict[str, Any]:
    """Run `fit` in a subprocess with the given Keras backend and return its report."""
    document = {"rows": 60, "size": 8, "epochs": 3, "threads": 1, "state": None} | options
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(document).encode(),
        env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr.decode()
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert report["backend"] == backend
    return report


def expected_steps(rows: int, size: int, epochs: int) -> list[float]:
    """Return the sum of the inputs of each step, computed without Keras."""
    from dshub import Dataset

    loader = Dataset.from_arrays({"x": np.arange(rows)}).batches(size, shuffle=True, seed=3)
    return [float(batch["x"].sum()) for _ in range(epochs) for batch in loader]


@backends
@pytest.mark.parametrize(("rows", "threads"), [(60, 2), (8, 0)])
def test_fit_trains_on_the_epochs_of_the_loader(backend: str, rows: int, threads: int) -> None:
    expected = expected_steps(rows, 8, 5)
    report = run_fit(backend, rows=rows, threads=threads)
    steps = report["steps"]
    assert steps == expected[: len(steps)]
    assert len(steps) == 3 * -(-rows // 8)
    ends = [(state["epoch"], state["position"]) for state in report["ends"]]
    assert ends == [(1, 0), (2, 0), (3, 0)]
    assert report["predicted"] == list(range(rows))
    assert report["held"] == 3
    used = len(steps) // 2
    state = report["states"][used - 1]
    resumed = run_fit(backend, rows=rows, threads=threads, state=state, epochs=2)
    assert resumed["steps"] == expected[used : used + 2 * -(-rows // 8)]


@pytest.mark.parametrize("rows", [8, 24, 32])
def test_building_a_model_does_not_use_up_an_epoch(rows: int) -> None:
    """Building a model makes Keras take up to three batches and end an epoch."""
    loader = example().take(rows).batches(8, shuffle=True)
    batches = loader.to("keras")
    for taken, epoch in ((3, 0), (4, 1), (4, 2), (0, 2), (4, 3)):
        batches.on_epoch_begin()
        for number in range(min(taken, len(batches))):
            batches[number]
        batches.on_epoch_end()
        assert loader.epoch == epoch


def test_model_learns(hub: Any) -> None:
    keras.utils.set_random_seed(0)
    dataset = hub.load("mnist", "train", synthetic=200)
    layers = [
        keras.Input((28, 28, 1)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    batches = dataset.batches(20, shuffle=True, supervised=True).to("keras")
    validation = dataset.batches(50, supervised=True).to("keras")
    history = model.fit(batches, epochs=5, verbose=0, shuffle=False, validation_data=validation)
    assert history.history["val_accuracy"][-1] > 0.5


def test_rows_of_several_shapes_are_rejected() -> None:
    with pytest.raises(DshubError, match="rows of column tokens can differ in shape") as caught:
        varied().columns(["tokens"]).batches(8).to("keras")
    assert "transform" in caught.value.hint
    with pytest.raises(DshubError, match="the adapter keras does not support rows"):
        example().to("keras")


def test_text_needs_the_backend_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(DshubError, match="rows of column text are text or files") as caught:
        example().batches(8).to("keras")
    assert "transform" in caught.value.hint
