"""Test saving and resuming with torch workers, torchdata, ranks, Lightning and Accelerate."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset, DshubError
from dshub.catalog.features import ImageFeature
from dshub.loading.transforms.colors import Normalize
from dshub.loading.transforms.geometry import RandomCrop, RandomHorizontalFlip

torch = pytest.importorskip("torch")
data = pytest.importorskip("torch.utils.data")

ROWS = 53
PIXELS = np.random.default_rng(0).integers(0, 256, (ROWS, 6, 5, 3), dtype=np.uint8)


def shuffled_batches(size: int = 8, **options: Any) -> Any:
    """Return torch batches of an augmented, shuffled dataset with row numbers as `id`."""
    dataset = Dataset.from_arrays(
        {"image": PIXELS, "id": np.arange(ROWS)},
        features={"image": ImageFeature(shape=(6, 5, 3))},
        supervised=("image", "id"),
    )
    transform: list[Any] = [
        RandomCrop(padding=1),
        RandomHorizontalFlip(),
        Normalize(mean=(0.5,) * 3, std=(0.2,) * 3),
    ]
    return dataset.batches(
        size, shuffle=True, seed=7, transform=transform, layout="chw", **options
    ).torch()


def plain(batch: Any) -> tuple[list[int], bytes]:
    return batch["id"].tolist(), batch["image"].numpy().tobytes()


def epochs(count: int) -> list[list[tuple[list[int], bytes]]]:
    """Return the batches of the first `count` epochs."""
    batches = shuffled_batches()
    return [[plain(batch) for batch in batches] for _ in range(count)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("persistent", [False, True])
def test_workers_continue_with_the_next_epoch(method: str, *, persistent: bool) -> None:
    loader = data.DataLoader(
        shuffled_batches(),
        batch_size=None,
        num_workers=2,
        persistent_workers=persistent,
        multiprocessing_context=method,
    )
    assert [[plain(batch) for batch in loader] for _ in range(3)] == epochs(3)


def test_interrupted_epoch_starts_over_in_workers() -> None:
    """Breaking out of an epoch before a worker finishes loses no rows."""
    loader = data.DataLoader(shuffled_batches(2), batch_size=None, num_workers=2, prefetch_factor=1)
    for _ in loader:
        break
    batches = [plain(batch) for batch in loader]
    assert batches == [plain(batch) for batch in shuffled_batches(2)]


def test_device_is_rejected_in_workers() -> None:
    batches = shuffled_batches().loader.torch(device="meta")
    with pytest.raises(DshubError, match="omit `device`"):
        next(iter(data.DataLoader(batches, batch_size=None, num_workers=1)))


# a torch worker that is abandoned while it sends a batch can abort
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("persistent", [False, True])
def test_workers_follow_a_new_epoch(method: str, *, persistent: bool) -> None:
    batches, expected = shuffled_batches(), epochs(4)
    loader = data.DataLoader(
        batches,
        batch_size=None,
        num_workers=2,
        persistent_workers=persistent,
        multiprocessing_context=method,
    )
    actual = []
    for epoch in (2, 0, 0, 3):
        batches.epoch = epoch
        actual.append([plain(batch) for batch in loader])
    assert actual == [expected[epoch] for epoch in (2, 0, 0, 3)]
    next(iter(loader))
    batches.epoch = 1
    assert [plain(batch) for batch in loader] == expected[1]
    assert [plain(batch) for batch in loader] == expected[2]


def test_persistent_workers_follow_a_loaded_state() -> None:
    batches, expected = shuffled_batches(), epochs(2)
    loader = data.DataLoader(batches, batch_size=None, num_workers=2, persistent_workers=True)
    assert [plain(batch) for batch in loader] == expected[0]
    batches.load_state_dict(batches.state_dict() | {"epoch": 0, "position": 24})
    assert [plain(batch) for batch in loader] == expected[0][3:]
    assert [plain(batch) for batch in loader] == expected[1]


@pytest.mark.parametrize("persistent", [False, True])
def test_epoch_after_a_resumed_one_is_complete(*, persistent: bool) -> None:
    batches, expected = shuffled_batches(), epochs(2)
    batches.load_state_dict(batches.state_dict() | {"epoch": 0, "position": 24})
    loader = data.DataLoader(batches, batch_size=None, num_workers=2, persistent_workers=persistent)
    assert [plain(batch) for batch in loader] == expected[0][3:]
    assert [plain(batch) for batch in loader] == expected[1]


def test_epoch_can_be_set_without_workers() -> None:
    batches = shuffled_batches()
    batches.epoch = 2
    assert [plain(batch) for batch in batches] == epochs(3)[2]
    assert batches.epoch == 3
    with pytest.raises(DshubError, match="epoch is -1"):
        batches.epoch = -1


@pytest.fixture
def stateful() -> Any:
    return pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader


def state_after(loader: Any, steps: int) -> tuple[list[Any], Any]:
    """Return the first `steps` batches, across epochs, and the pickled loader state after them."""
    taken: list[Any] = []
    while True:
        for batch in loader:
            taken.append(plain(batch))
            if len(taken) == steps:
                return taken, pickle.loads(pickle.dumps(loader.state_dict()))


@pytest.mark.filterwarnings("ignore")  # torchdata calls deprecated torch functions
@pytest.mark.parametrize("workers", [0, 2, 3])
@pytest.mark.parametrize("steps", [1, 3, 7, 8, 14])
def test_stateful_data_loader_resumes(stateful: Any, workers: int, steps: int) -> None:
    expected = [batch for epoch in epochs(3) for batch in epoch]
    first = stateful(shuffled_batches(), batch_size=None, num_workers=workers)
    batches, state = state_after(first, steps)
    second = stateful(shuffled_batches(), batch_size=None, num_workers=workers)
    second.load_state_dict(state)
    for _ in range(4):
        batches += [plain(batch) for batch in second] if len(batches) < len(expected) else []
    assert batches == expected


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("workers", [0, 2])
def test_stateful_data_loader_resumes_between_epochs(stateful: Any, workers: int) -> None:
    first = stateful(shuffled_batches(), batch_size=None, num_workers=workers)
    actual = [[plain(batch) for batch in first]]
    state = first.state_dict()
    second = stateful(shuffled_batches(), batch_size=None, num_workers=workers)
    second.load_state_dict(state)
    actual += [[plain(batch) for batch in second] for _ in range(2)]
    assert actual == epochs(3)


RANK = """
import json, sys
import torch.distributed as ranks
sys.path.insert(0, sys.argv[1])
from test_torch_resume import plain, shuffled_batches
rank, world, size, steps = map(int, sys.argv[2:6])
store, state = sys.argv[6:8]
ranks.init_process_group("gloo", init_method="file://" + store, rank=rank, world_size=world)
batches = shuffled_batches(size)
assert (batches.loader.share.rank, batches.loader.share.world) == (rank, world)
if state != "new":
    with open(state) as file:
        batches.load_state_dict(json.load(file))
taken = []
while batches.loader.epoch < 2 and len(taken) < steps:
    for batch in batches:
        numbers, pixels = plain(batch)
        taken.append([[row, image.hex()] for row, image in zip(
            numbers, [pixels[i * 360:(i + 1) * 360] for i in range(len(numbers))])])
        if len(taken) == steps:
            break
ranks.barrier()
print(json.dumps([taken, batches.state_dict()]))
ranks.destroy_process_group()
"""


def run_ranks(folder: Path, world: int, size: int, steps: int, state: str) -> list[Any]:
    """Train in a process group and return the batches and final state of every rank."""
    store = folder / f"store-{world}"
    arguments = [str(size), str(steps), str(store), state]
    folder_of_tests = str(Path(__file__).parent)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, folder_of_tests, str(rank), str(world), *arguments],
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        for rank in range(world)
    ]
    return [json.loads(process.communicate(timeout=300)[0]) for process in processes]


def interleave(ranks: list[Any]) -> list[Any]:
    """Interleave the rows of all ranks, in the order of an epoch without ranks."""
    rows = []
    for steps in zip(*(batches for batches, _ in ranks), strict=True):
        for place in range(max(map(len, steps))):
            rows += [batch[place] for batch in steps if place < len(batch)]
    return rows


def test_three_ranks_resume_from_four(tmp_path: Path) -> None:
    if not torch.distributed.is_available():
        pytest.skip("this torch has no distributed package")
    four = run_ranks(tmp_path, 4, 4, 2, "new")
    state = tmp_path / "state.json"
    state.write_text(json.dumps(four[1][1]))
    assert all(rank[1] == four[0][1] for rank in four)
    three = run_ranks(tmp_path, 3, 5, 1000, str(state))
    loader = shuffled_batches(1).loader
    expected = [
        [int(batch["id"][0]), np.ascontiguousarray(batch["image"]).tobytes().hex()]
        for _ in range(2)
        for batch in loader
    ]
    first_rows = interleave(four)
    assert len(first_rows) == 32
    remaining = interleave(three)  # the remaining 21 rows, then an epoch padded to 54 rows
    assert len(remaining) == (53 - 32) + 54
    assert first_rows + remaining[:-1] == expected
    assert remaining[-1] == expected[53]


class Recorder:
    """Batches that a model was trained on."""

    def __init__(self) -> None:
        self.seen: list[tuple[list[int], bytes]] = []


def model_for(recorder: Recorder) -> Any:
    """Return a small Lightning model that records its training batches."""
    lightning = pytest.importorskip("lightning.pytorch")

    class Model(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(90, 1)

        def training_step(self, batch: Any) -> Any:
            recorder.seen.append(plain(batch))
            return self.layer(batch["image"].flatten(1)).mean()

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    return Model()


def trainer(folder: Path, **options: Any) -> Any:
    lightning = pytest.importorskip("lightning.pytorch")
    quiet = {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": folder,
    }
    return lightning.Trainer(**quiet | options)


@pytest.mark.filterwarnings("ignore")  # warnings from Lightning's dependencies
def test_lightning_trains_and_resumes_from_a_checkpoint(tmp_path: Path) -> None:
    checkpoints = pytest.importorskip("lightning.pytorch.callbacks").ModelCheckpoint
    expected = [batch for epoch in epochs(2) for batch in epoch]
    uninterrupted = Recorder()
    trainer(tmp_path, max_epochs=2, enable_checkpointing=False).fit(
        model_for(uninterrupted), shuffled_batches()
    )
    assert uninterrupted.seen == expected
    first = Recorder()
    saving = checkpoints(dirpath=tmp_path, filename="at", every_n_train_steps=10)
    trainer(tmp_path, max_steps=10, callbacks=[saving]).fit(model_for(first), shuffled_batches())
    second = Recorder()
    resumed = trainer(tmp_path, max_epochs=2, enable_checkpointing=False)
    resumed.fit(
        model_for(second), shuffled_batches(), ckpt_path=tmp_path / "at.ckpt", weights_only=False
    )
    assert first.seen + second.seen == expected


@pytest.mark.filterwarnings("ignore")
def test_accelerate_prepares_a_data_loader() -> None:
    accelerator = pytest.importorskip("accelerate").Accelerator(cpu=True)
    prepared = accelerator.prepare(data.DataLoader(shuffled_batches(), batch_size=None))
    assert [[plain(batch) for batch in prepared] for _ in range(2)] == epochs(2)
    batches = shuffled_batches().loader.torch(device=accelerator.device)
    assert [[plain(batch) for batch in batches] for _ in range(2)] == epochs(2)
    resumed = shuffled_batches()
    resumed.load_state_dict(resumed.state_dict() | {"epoch": 1, "position": 24})
    prepared = accelerator.prepare(data.DataLoader(resumed, batch_size=None))
    assert [plain(batch) for batch in prepared] == epochs(2)[1][3:]
