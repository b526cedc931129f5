"""Features in words."""

import pytest

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
    describe,
)


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (ImageFeature(shape=(28, 28, 1)), "image, 28 x 28 x 1, uint8"),
        (ImageFeature(encoding="jpeg"), "image, JPEG"),
        (ImageFeature(encoding="any"), "image, files of several formats"),
        (AudioFeature(rate=16000), "audio, 16,000 Hz, WAV"),
        (AudioFeature(rate=8000, channels=2, encoding="flac"), "audio, 8,000 Hz, 2 channels, FLAC"),
        (LabelFeature(names=("cat", "dog")), "label, 2 classes"),
        (NumberFeature(dtype="float32"), "number, float32"),
        (NumberFeature(dtype="int64", shape=(2, 3)), "number, 2 x 3, int64"),
        (TextFeature(), "text"),
        (ListFeature(of=TextFeature()), "list of text"),
    ],
)
def test_feature_is_described_in_a_few_words(feature: Feature, words: str) -> None:
    """Facts that a feature does not have are left out."""
    assert describe(feature) == words
