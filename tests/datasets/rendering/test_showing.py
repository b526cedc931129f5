"""Test `ds.show` in terminals and other output; tests/docs tests notebooks."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub.catalog.features import Feature, ImageFeature, LabelFeature
from dshub.datasets.dataset import Dataset
from dshub.datasets.rendering import showing
from dshub.errors import ArgumentError, DshubError


def images(count: int = 3) -> Dataset:
    columns: dict[str, Any] = {
        "image": np.zeros((count, 8, 8, 3), np.uint8),
        "label": np.zeros(count, np.int64),
    }
    features: dict[str, Feature] = {
        "image": ImageFeature(shape=(8, 8, 3)),
        "label": LabelFeature(names=("cat",)),
    }
    return Dataset.from_arrays(columns, features=features)


def test_terminals_show_half_blocks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(showing, "terminal_can_show", lambda: True)
    monkeypatch.setenv("COLORTERM", "truecolor")
    images().show(2)
    assert "\x1b[38;2;0;0;0;48;2;0;0;0m▀\x1b[0m" in capsys.readouterr().out


def test_other_output_gets_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    images().show()
    assert capsys.readouterr().out.count("\n") == 1


def test_dataset_without_images_is_rejected() -> None:
    with pytest.raises(DshubError, match="no images to show"):
        images().without(["image"]).show()
    with pytest.raises(ArgumentError, match="count"):
        images().show(0)


def test_grid_has_captions_and_a_note() -> None:
    ds = images()
    numbers = [0, 2]
    plain = showing.grid(ds, showing.images_of(ds, numbers), numbers, note="")
    noted = showing.grid(ds, showing.images_of(ds, numbers), numbers, note="synthetic")
    assert isinstance(plain, Image.Image)
    assert noted.height > plain.height
