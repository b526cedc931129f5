"""State facts about the tables that are read."""

import inspect
import warnings
from pathlib import Path
from typing import Any

import pytest

from dshub import Dataset
from dshub.errors import ArgumentError, ReadError
from tests.independent.own_files import write_text
from tests.publishing.authoring.conftest import New


def test_facts_of_csv_can_be_stated(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("ä;1,5\nb;2.000,25\n".encode("cp1252"))
    ds = Dataset.from_csv(
        tmp_path / "a.txt", header=False, delimiter=";", encoding="windows-1252", decimal=","
    )
    assert ds[:]["column_1"] == ["ä", "b"]
    assert ds["column_2"].tolist() == [1.5, 2000.25]


def test_uncertain_facts_of_csv_are_warnings_at_the_caller(tmp_path: Path) -> None:
    write_text(tmp_path / "a.csv", "ab,cd\nef,gh\nij,kl\n")
    with pytest.warns(UserWarning, match="pass header=False to change this") as caught:
        Dataset.from_csv(tmp_path / "a.csv")
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(Dataset.from_csv(tmp_path / "a.csv", header=False)) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"header": "yes"}, "header is 'yes'"),
        ({"delimiter": "x"}, "delimiter is 'x'"),
        ({"encoding": "utf-7"}, "encoding is 'utf-7'"),
        ({"decimal": "."}, ""),
        ({"decimal": ";"}, "decimal is ';'"),
        ({"arrays": {"p": "x-y"}}, "array p is 'x-y'"),
    ],
)
def test_invalid_arguments_are_rejected(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    write_text(tmp_path / "a.csv", "x,y\n1,2\n3,4\n")
    if not message:
        assert len(Dataset.from_csv(tmp_path / "a.csv", **options)) == 2
        return
    with pytest.raises(ArgumentError, match=message):
        Dataset.from_csv(tmp_path / "a.csv", **options)


@pytest.mark.parametrize("name", ["", '""', "Unnamed: 0"])
def test_row_numbers_of_pandas_are_left_out(tmp_path: Path, new: New, name: str) -> None:
    write_text(tmp_path / "a.csv", f"{name},x\n0,a\n1,b\n0,c\n")
    with pytest.warns(UserWarning, match="counts rows, as the index of pandas"):
        assert list(Dataset.from_csv(tmp_path / "a.csv").features) == ["x"]
    result = new(tmp_path / "a.csv")
    assert list(result.manifest.features) == ["x"]
    (doubt,) = result.doubts("index of pandas")
    option, column = doubt.partition("; use ")[2].split()[:2]
    again = new(tmp_path / "a.csv", option, column, "--force")
    assert again["train"][column].tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("values", "expected"), [("7 3 5", [7, 3, 5]), ("p q r", ["p", "q", "r"]), ("1.5 2 3", None)]
)
def test_other_index_is_a_column(
    tmp_path: Path, new: New, values: str, expected: list[Any] | None
) -> None:
    lines = [f"{value},{number}\n" for number, value in enumerate(values.split())]
    write_text(tmp_path / "a.csv", "".join([",x\n", *lines]))
    for ds in (Dataset.from_csv(tmp_path / "a.csv"), new(tmp_path / "a.csv")["train"]):
        assert list(ds["index"]) == (expected or [1.5, 2.0, 3.0])


def test_pointer_of_git_lfs_names_the_command(tmp_path: Path) -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
    for name, read in (("a.csv", Dataset.from_csv), ("a.parquet", Dataset.from_parquet)):
        write_text(tmp_path / name, text)
        with pytest.raises(ReadError, match="it is a Git LFS pointer") as caught:
            read(tmp_path / name)
        assert "git lfs pull" in caught.value.hint


def test_token_labels_are_a_doubt(tmp_path: Path) -> None:
    write_text(tmp_path / "a.tsv", "EU\tB-ORG\nrejects\tO\n\nPeter\tB-PER\n")
    with pytest.warns(UserWarning, match=r"a\.tsv looks like token labels"):
        Dataset.from_csv(tmp_path / "a.tsv", header=False)


def test_unknown_argument_names_the_method(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"from_csv\(\) got an unexpected keyword argument 'sepp'"):
        Dataset.from_csv(tmp_path, sepp=";")  # type: ignore[call-arg]
    assert "delimiter" in inspect.signature(Dataset.from_csv).parameters
    assert "self" not in inspect.signature(Dataset.from_csv).parameters
