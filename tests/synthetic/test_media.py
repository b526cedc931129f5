from typing import Any

import numpy as np
import pytest

from dshub import Hub
from dshub.catalog.features import AudioFeature, LabelFeature
from dshub.catalog.registry import Registry
from dshub.datasets.audio import probe, read_audio
from dshub.synthetic.media import audio_file

REGISTRY = Registry(())
IDX = [
    name
    for name in REGISTRY.names()
    if all(split.reader["format"] == "idx" for split in REGISTRY.manifest(name).splits.values())
]


@pytest.mark.parametrize("name", IDX)
def test_images_of_a_class_are_similar(shared: Hub, name: str) -> None:
    real = shared.info(name)
    label = real.features["label"]
    assert isinstance(label, LabelFeature)
    classes = len(label.names)
    dataset = shared.load(name, next(iter(real.splits)), synthetic=60 * classes)
    images = np.asarray(dataset["image"], np.float64).reshape(len(dataset), -1)
    labels = np.asarray(dataset["label"])
    half = len(dataset) // 2
    means = np.stack([images[:half][labels[:half] == i].mean(axis=0) for i in range(classes)])
    distances = (means**2).sum(axis=1) - 2 * images[half:] @ means.T
    right = (distances.argmin(axis=1) == labels[half:]).mean()
    assert right > 0.4  # random guessing reaches at most 0.1


@pytest.mark.parametrize("encoding", ["wav", "flac", "mp3", "ogg", "aiff", "any"])
def test_audio_has_the_encoding_of_its_feature(encoding: Any) -> None:
    if encoding not in {"wav", "any"}:
        pytest.importorskip("soundfile")
    feature = AudioFeature(rate=16_000, channels=2, encoding=encoding)
    data = audio_file(feature, 3, 2)
    found = probe(data)
    assert (found.rate, found.channels) == (16_000, 2)
    assert found.encoding == ("wav" if encoding == "any" else encoding)
    samples, rate = read_audio(data)
    assert abs(len(samples) / rate - 0.75) < 0.1
    assert np.abs(samples).max() > 5000


def test_audio_of_several_rates_is_audio() -> None:
    samples, rate = read_audio(audio_file(AudioFeature(rate=0, channels=0), 1, 0))
    assert (rate, samples.ndim) == (16_000, 1)
