import json

import pyarrow as pa

from dshub.datasets.tabular.inferring import Inference, stated_classes
from dshub.datasets.tabular.readers import unchanged


def test_negative_numbers_of_an_earlier_batch_count() -> None:
    """No dtype holds -1 and 2**64 - 1, so that the column stays text."""
    for batches in (["-1", "18446744073709551615"], ["18446744073709551615", "-1"]):
        found = Inference()
        for text in batches:
            found.add("train", pa.RecordBatch.from_pydict({"x": [text]}), {})
        found.infer({}, {}, unchanged)
        assert found.features["x"].__class__.__name__ == "TextFeature"


def test_inference_does_not_depend_on_batches() -> None:
    texts = ["1", "2.5", "NA", "x", "007", "", "True"] * 3
    for count in (1, 2, len(texts)):
        found = Inference()
        for start in range(0, len(texts), count):
            some = texts[start : start + count]
            found.add("train", pa.RecordBatch.from_pydict({"x": some, "y": ["1"] * len(some)}), {})
        found.infer({}, {}, unchanged)
        shown = {name: feature.__class__.__name__ for name, feature in found.features.items()}
        assert shown == {"x": "TextFeature", "y": "LabelFeature"}


def test_class_names_in_damaged_metadata_are_ignored() -> None:
    labels = {"_type": "ClassLabel", "names": ["a", "b"]}
    text = json.dumps({"info": {"features": {"y": labels}}}).encode()
    assert stated_classes({b"huggingface": text}, {"y": "z"}) == {"z": ("a", "b")}
    assert stated_classes({b"huggingface": text[:-1]}, {}) == {}
    assert stated_classes({b"huggingface": b"\xff"}, {}) == {}
