"""Test that all faults of a manifest are reported at once, with line numbers."""

import time
import tracemalloc
from pathlib import Path

import pytest

from dshub.catalog.manifest import Limits
from dshub.catalog.parsing import parse, read
from dshub.errors import ManifestError
from tests.catalog.faulty import ADDRESS, GOOD, faults_of


def test_faults_of_all_kinds_are_reported_together() -> None:
    changes = {
        "schema": ("schema = 1", "schema = 2"),
        "homepage": ("homepage = ", "homepag = "),
        "license.redistribution": ('redistribution = "yes"', 'redistribution = "perhaps"'),
        "resources.train-images.size": ("size = 26421880", "size = -1"),
        "resources.train-labels.sha256": ('sha256 = "a04f', 'sha256 = "zzzz'),
        "features.label.names": ('"Trouser"', '"T-shirt/top"'),
        "features.image.shape": ("[28, 28, 1]", "[28, 28]"),
        "splits.train.rows": ("rows = 60000", 'rows = "many"'),
        "splits.test.figures.image-sum": ("image-sum = 573469082", "image-sum = [1]"),
        "citations[0].year": ("year = 2017", 'year = "2017"'),
    }
    text = GOOD
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new, 1)
    faults = faults_of(text)
    assert faults.keys() == changes.keys() | {"homepag"}
    assert "did you mean homepage?" in faults["homepag"].message
    assert faults["homepage"].message == "is missing"
    lines = text.splitlines()
    for place in changes.keys() - {"homepage", "features.label.names"}:
        line = faults[place].line
        assert line is not None
        assert changes[place][1].split()[0] in lines[line - 1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title = ", 'name = "again"\ntitle = '),
        ("[splits.test]", "[splits.train]"),
        ("rows = 60000", f"rows = {'9' * 5000}"),
        ("rows = 60000", "rows = 60000.0"),
        ("rows = 60000", "rows = true"),
        ("size = 26421880", f"size = {10**30}"),
        ('format = "idx"', 'format = "../idx"'),
        ('format = "idx"', 'format = ["idx"]'),
        ('format = "idx"', "transpose = []"),
        ('kind = "image"', 'kind = ["image"]'),
        ("[features.image]", '[features."a]b."]\nkind = "text"\n[features.image]'),
        ("files = {", 'files = { "x." = 3, '),
        ("files = {", 'files = { "x[0]." = 3, '),
        ("label-counts = [6000, 6000", "label-counts = [-1, 12001"),
        ("rows = 60000", 'without = ["label"]\nrows = 60000'),
        (ADDRESS, "http://[::1"),
        (ADDRESS, "https://data.example:port/file.gz"),
        (ADDRESS, "https:///file.gz"),
        (ADDRESS, "https://data.example/a b.gz"),
        (ADDRESS, "https://data.example/%2e%2e%2fpasswd"),
        (ADDRESS, "https://data.example/file%0a.gz"),
    ],
    ids=lambda text: text[:40],
)
def test_invalid_value_is_a_fault(old: str, new: str) -> None:
    assert old in GOOD
    assert faults_of(GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("limits", "field", "message"),
    [
        ("{ ratio = 0 }", ".ratio", "must be at least 1"),
        ("{ members = -5, ratio = 10 }", ".members", "must be at least 1"),
        ("{ unpacked = 9007199254740992 }", ".unpacked", "below 2**53"),
        ('{ unpacked = "1 TB" }', ".unpacked", "expected `int`"),
        ("{ ratio = 1.5 }", ".ratio", "expected `int`"),
        ("{ member = 10 }", ".member", "unknown field; did you mean members?"),
        ("1000", "", "expected a table"),
    ],
)
def test_invalid_limit_is_a_fault_with_its_line(limits: str, field: str, message: str) -> None:
    text = GOOD.replace("size = 26421880", f"size = 26421880\nlimits = {limits}", 1)
    faults = faults_of(text)
    assert list(faults) == [f"resources.train-images.limits{field}"]
    (fault,) = faults.values()
    assert message in fault.message
    assert fault.line is not None
    assert text.splitlines()[fault.line - 1] == f"limits = {limits}"


def test_unnamed_limits_keep_their_defaults() -> None:
    text = GOOD.replace("size = 26421880", "size = 26421880\nlimits = { ratio = 2_000 }", 1)
    resources = parse(text, source="own.toml").resources
    assert resources["train-images"].limits == Limits(ratio=2000)
    assert resources["train-labels"].limits == Limits()


@pytest.mark.parametrize("depth", [300, 10_000])
@pytest.mark.parametrize("form", ["a = {open}{close}", "[{dots}a]", "{dots}a = 1"])
def test_deep_nesting_is_a_fault(form: str, depth: int) -> None:
    depth = min(depth, 3000) if form == "{dots}a = 1" else depth
    assert faults_of(form.format(open="[" * depth, close="]" * depth, dots="a." * depth))


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.toml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ManifestError, match="too large"):
        read(path)


def test_position_of_invalid_utf8_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'title = "caf\xe9"')
    with pytest.raises(ManifestError, match="byte 12 "):
        read(path)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.toml"):
        with pytest.raises(ManifestError) as caught:
            read(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("line", ["[" + " " * 6_000, "a" * 200_000, " " * 200_000 + "["])
def test_lines_are_found_in_linear_time(line: str) -> None:
    text = GOOD.replace("title = ", f"x = '''\n{line}\n'''\ntitle = ", 1)
    began = time.process_time()
    assert faults_of(text).keys() == {"x"}
    assert time.process_time() - began < 1


def test_lines_are_found_in_little_memory() -> None:
    """A long table name is not copied for each of its lines."""
    fields = "\n".join(f"a{i} = 1" for i in range(20_000))
    tracemalloc.start()
    try:
        assert len(faults_of(f"{GOOD}\n[{'x' * 100_000}]\n{fields}\n")) == 1
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()
