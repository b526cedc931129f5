from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from dshub.catalog.features import LabelFeature, NumberFeature, TextFeature
from dshub.errors import DshubError
from dshub.publishing.authoring.drafting import publish, staging
from tests.independent.own_files import write_text
from tests.publishing.authoring.conftest import New


def test_options_override_guesses(new: New, data: Path) -> None:
    write_text(data / "a.csv", "x,y,z\n1,2,10\n3,4,20\n")
    write_text(data / "b.csv", "x,y,z\n5,2,20\n")
    files = ("--split", f"train={data / 'a.csv'}", "--split", f"grown-ups={data / 'b.csv'}")
    result = new(*files, "--label", "z", "--text", "x", "--number", "y", "--header")
    assert result.manifest.features == {
        "x": TextFeature(),
        "y": NumberFeature(dtype="int64"),
        "z": LabelFeature(names=("10", "20"), codes=("10", "20")),
    }
    assert result["train"][1] == {"x": "3", "y": 4, "z": 1}
    assert result["grown-ups"][0] == {"x": "5", "y": 2, "z": 1}
    with pytest.raises(DshubError, match="no column 'zz'"):
        new(data / "a.csv", "--label", "zz", "--force")


def test_files_of_several_formats_are_an_error(new: New, data: Path) -> None:
    write_text(data / "train.csv", "a,b\n1,2\n")
    np.save(data / "x.npy", np.zeros((3, 2)))
    with pytest.raises(DshubError, match="several formats: 1 delimited, 1 npz"):
        new(data)


def test_folder_without_files_is_an_error(new: New, data: Path) -> None:
    (data / "train.csv").touch()
    with pytest.raises(DshubError, match="the paths contain no data"):
        new(data)


def test_failed_staging_leaves_no_folders(tmp_path: Path) -> None:
    """New parent folders are removed too; folders with other files are not."""
    with suppress(KeyError), staging(tmp_path / "a" / "b") as folder:
        (folder / "x.tar").touch()
        raise KeyError
    assert not list(tmp_path.iterdir())
    (tmp_path / "mine").touch()
    with staging(tmp_path) as folder:
        publish("text", tmp_path / "1.0.0.toml", folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.0.0.toml", "mine"]
