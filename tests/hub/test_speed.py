"""Test the measurement of a dataset's speed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import ImageFeature
from dshub.hub.speed import binding, measure
from tests.datasets.test_resizing import photo, photos


def test_every_part_of_the_work_is_measured(tmp_path: Path) -> None:
    photos([photo(number) for number in range(60)]).save(tmp_path / "saved")
    speed = measure(Dataset.open(tmp_path / "saved"), size=8, seconds=0.05, step=0.004)
    stages = {stage.name: stage for stage in speed.stages}
    assert list(stages)[-2:] == ["loop", "step"]
    assert {"read from memory", "decode, 1 thread"} < set(stages)
    assert all(stage.rows > 0 for stage in speed.stages)
    assert stages["step"].rows == 8 / 0.004
    # files have a known size, so bytes and rows are proportional
    size = np.mean([len(photo(number)) + 8 for number in range(60)])
    reading = stages["read from memory"]
    assert reading.bytes is not None
    assert reading.bytes / reading.rows == pytest.approx(size, rel=0.2)
    assert "pillow" in speed.decoder
    assert speed.transform == "RandomResizedCrop, RandomHorizontalFlip, Normalize"
    assert speed.advice


def test_data_without_files_need_no_decoder() -> None:
    pixels = np.zeros((50, 6, 6, 1), np.uint8)
    ds = Dataset.from_arrays({"image": pixels}, features={"image": ImageFeature(shape=(6, 6, 1))})
    speed = measure(ds, size=8, seconds=0.02)
    assert [stage.name for stage in speed.stages] == ["read from memory", "loop"]
    assert (speed.decoder, speed.binds) == ("", "loop")
    numbers = measure(Dataset.from_arrays({"x": np.arange(5)}), size=8, seconds=0.02)
    assert numbers.transform == ""
    assert "transform" not in numbers.advice


@pytest.mark.parametrize(
    ("changes", "decoder", "part"),
    [
        ({}, "simplejpeg+pillow", "cores"),
        ({}, "pillow", "decoder"),
        ({"decode, 2 threads": 900}, "simplejpeg+pillow", "decoder"),
        ({"read from disk": 300}, "simplejpeg+pillow", "disk"),
        ({"step": 400}, "simplejpeg+pillow", "step"),
        ({"loop": 400}, "simplejpeg+pillow", "loop"),
    ],
    ids=["cores", "pillow", "one-thread", "disk", "step", "transforms"],
)
def test_the_slowest_part_binds(changes: dict[str, Any], decoder: str, part: str) -> None:
    speeds = {
        "read from disk": 5000,
        "read from memory": 90_000,
        "decode, 1 thread": 700,
        "decode, 2 threads": 1300,
        "loop": 1000,
    }
    speeds |= {"loop": 800} if changes.get("decode, 2 threads") else {}
    assert binding(speeds | changes, 2, decoder) == part
