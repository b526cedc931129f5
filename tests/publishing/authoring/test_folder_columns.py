from pathlib import Path

from dshub.catalog.features import LabelFeature, NumberFeature, TextFeature
from tests.independent.own_files import write_image
from tests.publishing.authoring.conftest import New


def test_folders_of_key_and_value_are_columns_and_splits(new: New, data: Path) -> None:
    write_image(data / "split=train" / "year=2024" / "label=cat" / "1.png", 1)
    write_image(data / "split=train" / "year=2025" / "label=dog" / "2.png", 2)
    write_image(data / "split=test" / "year=2025" / "label=dog" / "3.png", 3)
    result = new(data)
    assert result.manifest.features["label"] == LabelFeature(names=("cat", "dog"))
    assert result.manifest.features["year"] == NumberFeature(dtype="int64")
    assert result["train"]["year"][:].tolist() == [2024, 2025]
    assert result["train"]["label"][:].tolist() == [0, 1]
    assert result["test"]["label"][:].tolist() == [1]


def test_values_are_decoded_and_classes_can_be_below(new: New, data: Path) -> None:
    write_image(data / "City=S%C3%A3o Paulo" / "cat" / "1.png", 1)
    write_image(data / "City=Rom" / "dog" / "2.png", 2)
    result = new(data)
    assert result.manifest.features["city"] == TextFeature()
    assert list(result["train"]["city"]) == ["Rom", "São Paulo"]
    assert result["train"]["label"][:].tolist() == [1, 0]


def test_split_without_the_folders_lacks_the_column(new: New, data: Path) -> None:
    write_image(data / "train" / "day=1" / "1.png", 1)
    write_image(data / "train" / "day=2" / "1.png", 1)
    write_image(data / "test" / "1.png", 2)
    result = new(data)
    assert result["train"]["day"][:].tolist() == [1, 2]
    assert result.manifest.splits["test"].without == ("day",)
