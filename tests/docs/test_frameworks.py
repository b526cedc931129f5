"""The oldest versions in docs/frameworks.md are tested, and are the minimums of the extras."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNTESTED = {"torch": "2.2", "pyarrow": "16", "numpy": "1.26"}  # minimums of packages, not tested
PINS = dict(
    re.findall(r"^([\w-]+)\S*==(\S+)", (ROOT / "requirements/oldest.txt").read_text(), re.MULTILINE)
)


def minimums() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [item for group in project["optional-dependencies"].values() for item in group]
    lines = "\n".join([*extras, *project["dependencies"]])
    return dict(re.findall(r"^([\w-]+)\S*?>=([\d.]+)", lines, re.MULTILINE))


def test_documented_versions_are_tested() -> None:
    page = (ROOT / "docs/frameworks.md").read_text().partition("## Supported versions")[2]
    documented = dict(re.findall(r"^\| (\w+) \| ([\d.]+)[ ,]", page, re.MULTILINE))
    pins = {name.removesuffix("-cpu"): version for name, version in PINS.items()}
    assert documented == {name: version for name, version in pins.items() if name != "jaxlib"}


def test_minimums_of_the_extras_are_tested() -> None:
    required = minimums()
    for name, version in PINS.items():
        package = name.removesuffix("-cpu")
        if package in UNTESTED:
            assert required[package] == UNTESTED[package]
        elif package != "jaxlib":
            assert f"{version}.0".startswith(required[package]), package
