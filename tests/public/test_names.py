import subprocess
import sys
from pathlib import Path

import pytest

import dshub

PACKAGE = Path(dshub.__file__).parent
NAMES = [
    "Dataset",
    "DshubError",
    "Feature",
    "Hub",
    "Loader",
    "Manifest",
    "Registry",
    "Resource",
    "Settings",
    "Split",
    "fetch",
    "info",
    "load",
    "load_data",
    "names",
]


def test_the_public_names() -> None:
    """Fifteen, and `dir` shows them."""
    assert dshub.__all__ == NAMES
    assert set(NAMES) <= set(dir(dshub))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there_and_says_what_it_is(name: str) -> None:
    """It has a docstring; the one union is documented where it stands."""
    found = getattr(dshub, name)
    assert found.__doc__
    if name != "Feature":
        assert found.__name__ == name
        assert found.__module__.startswith("dshub.")


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_also_a_module(name: str) -> None:
    """Importing a module would put it in the place of the name."""
    assert not (PACKAGE / f"{name}.py").exists()
    assert name not in {path.name for path in PACKAGE.iterdir()}


def test_a_star_import_gives_them_all() -> None:
    """And nothing besides."""
    found: dict[str, object] = {}
    exec("from dshub import *", found)  # the statement is what is tested
    assert sorted(found.keys() - {"__builtins__"}) == NAMES


def test_other_names_are_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="'dshub' has no attribute 'lod'"):
        dshub.lod  # noqa: B018


def test_importing_and_listing_load_nothing_heavy() -> None:
    """Neither NumPy nor Arrow nor a framework comes with the import or with `names`."""
    code = (
        "import sys, dshub; dshub.names(), dshub.info('mnist'), dir(dshub);"
        "print(*sorted({'numpy', 'pyarrow', 'torch', 'tensorflow', 'tqdm'} & sys.modules.keys()))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert answer.stdout.split() == []
