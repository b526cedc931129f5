"""Test aligning class numbers to another order of names."""

import pickle
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import Feature, LabelFeature, ListFeature
from dshub.errors import SchemaError, UnknownNameError

CAT_DOG_OWL = LabelFeature(names=("cat", "dog", "owl"), codes=("n1", "n2", "n3"))


def dataset_with(**features: Feature) -> Dataset:
    """Return five rows of label columns or lists of labels."""
    columns: dict[str, Any] = {
        name: [[0, 2], [], [1], [2, 2], [0]]
        if isinstance(feature, ListFeature)
        else np.array([0, 1, 2, 2, 1])
        for name, feature in features.items()
    }
    return Dataset.from_arrays(columns, features=features)


def names_of(dataset: Dataset, column: str) -> list[str]:
    feature = dataset.features[column]
    assert isinstance(feature, LabelFeature)
    return [feature.str(number) for number in dataset[column]]


@pytest.mark.parametrize(
    ("names", "numbers", "expected"),
    [
        (["owl", "dog", "cat"], [2, 1, 0, 0, 1], ("owl", "dog", "cat")),
        (["n3", "n2", "n1"], [2, 1, 0, 0, 1], ("owl", "dog", "cat")),
        (["n3", "dog", "cat"], [2, 1, 0, 0, 1], ("owl", "dog", "cat")),
        (["cow", "owl", "cat", "pig", "dog"], [2, 4, 1, 1, 4], ("cow", "owl", "cat", "pig", "dog")),
        (["n0", "n3", "n2", "n1"], [3, 2, 1, 1, 2], ("n0", "owl", "dog", "cat")),
        (["cow", "cow", "cat", "dog", "owl"], [2, 3, 4, 4, 3], ("cow", "cow", "cat", "dog", "owl")),
    ],
    ids=str,
)
def test_align_labels_renumbers_classes(
    names: list[str], numbers: list[int], expected: tuple[str, ...]
) -> None:
    before = dataset_with(label=CAT_DOG_OWL)
    after = before.align_labels(names)
    feature = after.features["label"]
    assert isinstance(feature, LabelFeature)
    assert (after["label"].tolist(), feature.names) == (numbers, expected)
    assert names_of(after, "label") == names_of(before, "label")
    assert feature.int("cat") == feature.int("n1") == numbers[0]
    assert after[2] == {"label": numbers[2]}
    assert before["label"].tolist() == [0, 1, 2, 2, 1]


def test_align_labels_renumbers_lists() -> None:
    after = dataset_with(tags=ListFeature(of=CAT_DOG_OWL)).align_labels(["owl", "cat", "dog"])
    assert [row.tolist() for row in after["tags"]] == [[1, 0], [], [2], [0, 0], [1]]
    feature = after.features["tags"]
    assert isinstance(feature, ListFeature)
    assert isinstance(feature.of, LabelFeature)
    assert feature.of.names == ("owl", "cat", "dog")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cat"], r"2 of 3 classes missing or ambiguous: 'dog' \(n2\), 'owl' \(n3\)"),
        (["Cat", "dog", "owl"], r"1 of 3 classes missing or ambiguous: 'cat' \(n1\)"),
        (["cat", "dog", "owl", "dog"], r"1 of 3 classes missing or ambiguous: 'dog' \(n2\)"),
        ([], "3 of 3 classes missing or ambiguous: "),
    ],
    ids=str,
)
def test_missing_and_repeated_classes_are_listed(names: list[str], message: str) -> None:
    with pytest.raises(SchemaError, match=rf"column label: .*{message}"):
        dataset_with(label=CAT_DOG_OWL).align_labels(names)


def test_code_distinguishes_classes_of_one_name() -> None:
    cranes = LabelFeature(names=("crane", "owl", "crane"), codes=("n1", "n2", "n3"))
    with pytest.raises(SchemaError, match=r"2 of 3 classes .*: 'crane' \(n1\), 'crane' \(n3\)"):
        dataset_with(label=cranes).align_labels(["crane", "owl"])
    after = dataset_with(label=cranes).align_labels(["n3", "n1", "n2"])
    assert after["label"].tolist() == [1, 2, 0, 0, 2]


def test_align_labels_finds_the_column() -> None:
    columns = {"x": np.arange(2), "a": np.array([0, 1]), "b": np.array([1, 0])}
    label = LabelFeature(names=("cat", "dog"))
    features: dict[str, Feature] = {"a": label, "b": label}
    both = Dataset.from_arrays(columns, features=features)
    with pytest.raises(UnknownNameError) as caught:
        both.align_labels(["dog", "cat"])
    assert caught.value.known == ("a", "b")
    with pytest.raises(UnknownNameError, match="'x'"):
        both.align_labels(["dog", "cat"], column="x")
    assert both.align_labels(["dog", "cat"], column="b")[0] == {"x": 0, "a": 0, "b": 0}
    pairs = Dataset.from_arrays(columns, features=features, supervised=("x", "a"))
    assert pairs.align_labels(["dog", "cat"])[0] == {"x": 0, "a": 1, "b": 1}
    with pytest.raises(TypeError):
        both.align_labels("dog", column="b")


def test_aligned_view_supports_all_views(prepared: Any) -> None:
    dataset = prepared.dataset()
    after = dataset.align_labels(["owl", "cat", "dog"])
    unpickled = pickle.loads(pickle.dumps(after.shuffle(1)))
    expected = [[1, 2, 0][number] for number in dataset.shuffle(1)["label"]]
    assert unpickled["label"].tolist() == expected
    assert np.concatenate([b["label"] for b in unpickled.batches(7)]).tolist() == expected
    assert after.align_labels(["cat", "dog", "owl"])["label"].tolist() == dataset["label"].tolist()
    assert after.manifest == dataset.manifest
    assert after.supervised == ("image", "label")
    prints = {
        view.fingerprint for view in (dataset, after, dataset.align_labels(["dog", "owl", "cat"]))
    }
    assert len(prints) == 3
    assert dataset.align_labels(["owl", "cat", "dog"]).fingerprint == after.fingerprint
    assert after.columns(["text"]).features == dataset.columns(["text"]).features
