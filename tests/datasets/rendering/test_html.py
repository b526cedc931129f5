"""Test the HTML of datasets, splits, features and loaders in notebooks."""

import io
import re
import wave
from typing import Any

import numpy as np
import pytest

from dshub.catalog.features import AudioFeature, Feature, ImageFeature, LabelFeature
from dshub.datasets.dataset import Dataset
from dshub.datasets.splits import Splits
from dshub.errors import DshubError

CAT_DOG = LabelFeature(names=("cat", "<dog>"))


def small() -> Dataset:
    columns: dict[str, Any] = {
        "image": np.arange(7 * 4 * 4, dtype=np.uint8).reshape(7, 4, 4, 1),
        "label": np.arange(7) % 2,
        "size": np.linspace(0, 1, 7),
    }
    features: dict[str, Feature] = {"image": ImageFeature(shape=(4, 4, 1)), "label": CAT_DOG}
    return Dataset.from_arrays(columns, features=features)


def wav_file(samples: np.ndarray, rate: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, rate, len(samples), "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def test_first_rows_are_shown_with_images_classes_and_numbers() -> None:
    shown = small()._repr_html_()
    assert shown.count("<img") == 5
    assert shown.count('<span class="dshub-chip">cat</span>') == 3
    assert "5 of 7 rows" in shown
    assert "0.166667" in shown


def test_page_needs_no_other_file_and_runs_no_script() -> None:
    shown = small()._repr_html_()
    assert "http" not in shown
    assert "<script" not in shown
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]*)', shown))


def test_texts_and_names_are_escaped() -> None:
    ds = Dataset.from_arrays({"<b>": ["<script>alert(1)</script>\u202e"] * 2, "label": [0, 1]})
    shown = ds.cast({"label": CAT_DOG})._repr_html_()
    assert "<script" not in shown
    assert "<b>" not in shown
    assert "\u202e" not in shown
    assert "&lt;script&gt;" in shown
    assert "&lt;dog&gt;" in shown


def test_long_texts_are_folded_and_cut() -> None:
    shown = Dataset.from_arrays({"text": ["word " * 1000]})._repr_html_()
    assert "<details><summary>" in shown
    assert "3,000 more characters" in shown


def test_audio_has_players_and_large_tables_stay_small() -> None:
    """Audio beyond the limit is shown as a waveform with its length."""
    noise = np.random.default_rng(0).integers(-9999, 9999, 5 * 16000).astype(np.int16)
    files = [wav_file(noise, 16000)] * 5
    ds = Dataset.from_arrays({"audio": files}, features={"audio": AudioFeature(rate=16000)})
    shown = ds._repr_html_()
    assert shown.count("<audio controls") == 1
    assert shown.count("<svg") == 4
    assert len(shown) < 100_000


def test_audio_of_unknown_rate_has_a_waveform_and_no_player() -> None:
    files = [wav_file(np.arange(800, dtype=np.int16), rate) for rate in (8000, 16000)]
    ds = Dataset.from_arrays({"audio": files}, features={"audio": AudioFeature(rate=0)})
    shown = ds._repr_html_()
    assert "<audio" not in shown
    assert shown.count("<svg") == 2
    assert "800 samples" in shown


def test_files_that_are_not_decoded_are_shown_by_size() -> None:
    ds = Dataset.from_arrays(
        {"image": [b"12345"]}, features={"image": ImageFeature(encoding="any")}
    )
    assert "file of 5 bytes" in ds.decode(False)._repr_html_()


def test_damaged_rows_show_the_error_instead_of_raising() -> None:
    ds = Dataset.from_arrays(
        {"image": [b"<12345"]}, features={"image": ImageFeature(encoding="any")}
    )
    with pytest.raises(DshubError):
        ds[0]
    assert "own data" in ds._repr_html_()


def test_features_are_shown_with_classes() -> None:
    shown = small().features._repr_html_()
    assert "image, 4 × 4 × 1, uint8" in shown
    assert "&lt;dog&gt;" in shown


def test_splits_are_shown_without_opening_them() -> None:
    def fail(name: str) -> Dataset:
        raise AssertionError(name)

    shown = Splits("tiny <1>", {"train": 60000, "test": None}, fail)._repr_html_()
    assert "tiny &lt;1&gt;" in shown
    assert "60,000" in shown


def test_loader_is_shown_with_its_rows() -> None:
    shown = small().batches(2, shuffle=True)._repr_html_()
    assert "4 batches of 2 rows, shuffled, epoch 0" in shown
    assert shown.count("<img") == 5


def test_empty_dataset_is_shown() -> None:
    assert "0 of 0 rows" in small().take(0)._repr_html_()
