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


def test_public_names_are_listed() -> None:
    assert dshub.__all__ == NAMES
    assert set(NAMES) <= set(dir(dshub))


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_a_docstring(name: str) -> None:
    result = getattr(dshub, name)
    assert result.__doc__
    if name != "Feature":
        assert result.__name__ == name
        assert result.__module__.startswith("dshub.")


@pytest.mark.parametrize("name", NAMES)
def test_no_public_name_is_a_module(name: str) -> None:
    assert not (PACKAGE / f"{name}.py").exists()
    assert name not in {path.name for path in PACKAGE.iterdir()}


def test_star_import_imports_the_public_names() -> None:
    result: dict[str, object] = {}
    exec("from dshub import *", result)  # `import *` is not allowed inside a function
    assert sorted(result.keys() - {"__builtins__"}) == NAMES


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'dshub' has no attribute 'lod'"):
        dshub.lod  # noqa: B018


def test_import_and_names_load_no_large_packages() -> None:
    code = (
        "import sys, dshub; dshub.names(), dshub.info('mnist'), dir(dshub);"
        "print(*sorted({'numpy', 'pyarrow', 'torch', 'tensorflow', 'tqdm'} & sys.modules.keys()))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert answer.stdout.split() == []
