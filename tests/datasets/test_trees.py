import pytest

from dshub.datasets.labels import class_order
from dshub.datasets.trees import find_classes, find_splits, pair_of
from dshub.importing.walking import Place


def places(*paths: str) -> list[Place]:
    return [tuple(path.split("/")) for path in paths]


def classes(*paths: str) -> dict[str, dict[str, str]]:
    """Return the class of each folder by split."""
    groups = find_splits(places(*paths))
    chosen = {name: groups.places[name] for name in groups.splits} or {"": places(*paths)}
    splits = find_classes(chosen, key=groups.key)
    return {
        name: {"/".join(place): label for place, label in split.labels.items()}
        for name, split in splits.items()
    }


@pytest.mark.parametrize(
    ("paths", "splits", "beside"),
    [
        (["train/cat", "val/cat"], ["train", "val"], []),
        (["data/data/train/cat", "data/data/test"], ["test", "train"], []),
        (["train/cat", "val/cat", "samples"], ["train", "val"], ["samples"]),
        (["seg_train/seg_train/sea", "seg_test/seg_test/sea"], ["seg_test", "seg_train"], []),
        (["training_set/cats", "test_set/cats"], ["test_set", "training_set"], []),
        (["train2017", "val2017"], ["train2017", "val2017"], []),
        (["trainset/a", "testset/a"], ["testset", "trainset"], []),
        (["TrainImages", "TestImages"], ["TestImages", "TrainImages"], []),
        (["train_images", "test"], ["test", "train_images"], []),
        (["train", "test1"], ["test1", "train"], []),
        (["trainA", "trainB", "testA"], ["testA", "trainA", "trainB"], []),
        (["split=train/year=2024", "split=test/year=2024"], ["test", "train"], []),
        (["year=2024/split=train", "year=2025/split=test"], ["test", "train"], []),
        (["train/cat", "train/dog", "holdout/cat"], ["train", "holdout"], []),
        (["train/cat", "train/dog", "samples"], ["train"], ["samples"]),
        (["Train/a", "train/b"], ["Train", "train"], []),
        (["val/a", "valid/b"], ["val", "valid"], []),
        (["train", "bus", "car"], [], []),
        (["cat", "dog"], [], []),
        (["bullet_train", "test_tube", "cat"], [], []),
    ],
)
def test_folders_of_splits_are_recognized(
    paths: list[str], splits: list[str], beside: list[str]
) -> None:
    groups = find_splits(places(*paths))
    assert groups.splits == splits
    assert groups.beside == beside


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["cat", "dog/more"], {"": {"cat": "cat", "dog/more": "dog"}}),
        (["images"], {"": {}}),
        (
            ["cat/persian/1", "cat/siamese"],
            {"": {"cat/persian/1": "persian", "cat/siamese": "siamese"}},
        ),
        (
            ["train/cat", "train/dog", "val/dog", "test"],
            {
                "test": {},
                "train": {"train/cat": "cat", "train/dog": "dog"},
                "val": {"val/dog": "dog"},
            },
        ),
        (
            ["train/images/cat", "train/images/dog", "test/images"],
            {
                "test": {},
                "train": {"train/images/cat": "cat", "train/images/dog": "dog"},
            },
        ),
        (["train/train_images", "test/test_images"], {"test": {}, "train": {}}),
        (["train/train", "test/test1"], {"test": {}, "train": {}}),
        (
            ["split=train/label=cat", "split=test/label=dog"],
            {"test": {}, "train": {}},  # `label` is a column
        ),
    ],
)
def test_single_folder_is_a_class_only_if_another_split_has_it(
    paths: list[str], expected: dict[str, dict[str, str]]
) -> None:
    assert classes(*paths) == expected


def test_values_of_folders_are_columns() -> None:
    tree = find_classes({"": places("year=2024/lang=a%2Fb", "year=2025/lang=c")})[""]
    first, second = places("year=2024/lang=a%2Fb", "year=2025/lang=c")
    assert tree.columns == {
        "year": {first: "2024", second: "2025"},
        "lang": {first: "a/b", second: "c"},
    }
    assert pair_of("year=__HIVE_DEFAULT_PARTITION__") == ("year", "")
    assert pair_of("2024") is None


COMPOSED, DECOMPOSED = "Caf\u00e9", "Cafe\u0301"


def test_class_has_one_name_in_any_unicode_form() -> None:
    trees = find_classes(
        {
            "train": places(f"train/{COMPOSED}", "train/b"),
            "test": places(f"test/{DECOMPOSED}", "test/b"),
        }
    )
    assert set(trees["test"].labels.values()) == set(trees["train"].labels.values())
    assert trees["test"].spellings == {DECOMPOSED: COMPOSED}
    both = find_classes({"": places(COMPOSED, DECOMPOSED, "b")})[""]
    assert set(both.labels.values()) == {COMPOSED, "b"}


def test_class_has_one_name_in_any_case_unless_a_split_has_both() -> None:
    trees = find_classes(
        {"train": places("train/Cat", "train/Dog"), "val": places("val/cat", "val/DOG")}
    )
    assert set(trees["val"].labels.values()) == {"Cat", "Dog"}
    letters = find_classes({"train": places("train/a", "train/A"), "val": places("val/a", "val/A")})
    assert set(letters["val"].labels.values()) == {"a", "A"}


def test_integers_are_in_numeric_order() -> None:
    assert class_order(["10", "9", "-1"]) == ["-1", "9", "10"]
    assert class_order(["10", "9", "x"]) == ["10", "9", "x"]
