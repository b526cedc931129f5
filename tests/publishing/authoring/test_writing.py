import gzip
from pathlib import Path

import pytest

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    NumberFeature,
    TextFeature,
)
from dshub.catalog.parsing import parse
from dshub.publishing.authoring.outline import PACKED, Outline, SplitOutline
from dshub.publishing.authoring.writing import (
    Resource,
    manifest_text,
    resource_keys,
    supervised,
    task,
)
from dshub.publishing.measuring import Measured
from tests.independent.own_files import write_text
from tests.publishing.authoring.conftest import New

LABEL = LabelFeature(names=("a", "b"))
NUMBER = NumberFeature(dtype="float64")


def test_written_manifest_parses_into_the_same_facts() -> None:
    """Long lists are wrapped, and special characters survive."""
    names = tuple(f'class "{i}" \\ ü\x7f' for i in range(100))
    split = SplitOutline(
        {"format": "delimited", "columns": ["Text", "label"], "header": True},
        references={"rows": [(Path("data/train.csv.gz"), ""), (PACKED, "more [1]/*.csv")]},
        rename={"Text": "text", "A.b": "a_b"},
        rows=1000,
        figures={"label-counts": (10,) * 100},
    )
    features: dict[str, Feature] = {"text": TextFeature(), "label": LabelFeature(names=names)}
    outline = Outline("delimited text", {"train": split}, features)
    keys = resource_keys(outline, "me/words")
    measured = Measured("0" * 64, 12)
    resources = {path: Resource(key, Path(f"{key}.x"), measured) for path, key in keys.items()}
    text = manifest_text("me/words", "1.0.0", outline, resources)
    manifest = parse(text, source="test")
    assert manifest.features == features
    assert manifest.splits["train"].references("rows") == ("train", "words:more [1]/*.csv")
    assert manifest.splits["train"].reader == split.reader
    assert manifest.splits["train"].figures == split.figures
    assert {key: item.filename for key, item in manifest.resources.items()} == {
        "train": "train.x",
        "words": "words.x",
    }
    wrapped = [line for line in text.splitlines() if line.startswith("    ")]
    assert len(wrapped) > 10
    assert max(map(len, wrapped)) <= 100


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"x": NUMBER}, "unknown"),
        ({"image": ImageFeature(encoding="any"), "label": LABEL}, "image-classification"),
        ({"audio": AudioFeature(rate=8000), "label": LABEL}, "audio-classification"),
        ({"text": TextFeature(), "label": LABEL}, "text-classification"),
        (
            {"x": NUMBER, "y": NUMBER, "text": TextFeature(), "label": LABEL},
            "tabular-classification",
        ),
    ],
)
def test_task_is_derived_from_columns(features: dict[str, Feature], expected: str) -> None:
    """With labels, the type of the other columns determines the task."""
    assert task(features) == expected


def test_supervised_pair_needs_one_label_and_one_other_column() -> None:
    assert supervised({"label": LABEL, "text": TextFeature()}) == ["text", "label"]
    assert supervised({"label": LABEL}) == []
    assert supervised({"label": LABEL, "x": NUMBER, "y": NUMBER}) == []


def test_files_of_one_name_in_several_folders_are_drafted(new: New, data: Path) -> None:
    for number, split in enumerate(("train", "validation", "test")):
        write_text(data / split / "data.csv", f"a,b\n{number},x\n")
    result = new(data)
    names = [resource.filename for resource in result.manifest.resources.values()]
    assert sorted(names) == ["data.csv", "data_2.csv", "data_3.csv"]
    assert {name: int(result[name][0]["a"]) for name in result.splits} == {
        "train": 0,
        "validation": 1,
        "test": 2,
    }


def test_compressed_files_of_one_name_keep_their_endings(new: New, data: Path) -> None:
    for split in ("train", "test"):
        (data / split).mkdir()
        (data / split / "rows.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n{"a": 2}\n'))
    result = new(data)
    names = [resource.filename for resource in result.manifest.resources.values()]
    assert sorted(names) == ["rows.jsonl.gz", "rows_2.jsonl.gz"]
    assert len(result["test"]) == 2
