"""State facts about the tables that are read."""

import inspect
import warnings
from pathlib import Path
from typing import Any

import pytest

from dshub import Dataset
from dshub.errors import ArgumentError
from tests.independent.own_files import write_text


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


def test_unknown_argument_names_the_method(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"from_csv\(\) got an unexpected keyword argument 'sepp'"):
        Dataset.from_csv(tmp_path, sepp=";")  # type: ignore[call-arg]
    assert "delimiter" in inspect.signature(Dataset.from_csv).parameters
    assert "self" not in inspect.signature(Dataset.from_csv).parameters
