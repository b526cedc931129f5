"""What is to be cited, and which licences there are."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dshub import Registry
from dshub.catalog.bibtex import bibtex, citations
from dshub.catalog.cff import cff, references
from dshub.catalog.manifest import Citation

Run = Callable[..., subprocess.CompletedProcess[str]]


def with_citations(own: Path, member: str, *lines: str) -> None:
    path = own / "tiny" / member / "1.0.0.toml"
    entries = "".join(f'\n[[citations]]\ntype = "article"\nyear = 2001\n{line}\n' for line in lines)
    path.write_text(path.read_text() + entries)


def test_bibtex_has_the_facts_of_the_manifest(dshub: Run) -> None:
    """One entry for each paper, under a line that says whose it is; BibTeX passes that by."""
    done = dshub("cite", "fashion-mnist")
    assert done.stdout.startswith("% fashion-mnist 1.0.0\n@article{")
    (found,) = citations(done.stdout)
    (wanted,) = Registry().manifest("fashion-mnist").citations
    assert found["title"] == wanted.title
    assert tuple(found["author"]) == wanted.author
    assert found["year"] == wanted.year
    assert "{Fashion-MNIST:}" in done.stdout  # which no style may write small


def test_keys_are_unique(dshub: Run, own: Path) -> None:
    """A paper of two datasets comes once; two papers with one key get a key each."""
    same = 'key = "a b"\ntitle = "One"\nauthor = ["Doe, Jane"]'
    other = 'key = "A b"\ntitle = "Another"\nauthor = ["Doe, Jane"]'
    with_citations(own, "one", same)
    with_citations(own, "two", same, other)
    answer = json.loads(dshub("cite", "tiny", "--json").stdout)["citations"]
    assert [(item["key"], item["title"], item["datasets"]) for item in answer] == [
        ("a-b", "One", ["tiny/one@1.0.0", "tiny/two@1.0.0"]),
        ("A-bb", "Another", ["tiny/two@1.0.0"]),
    ]
    assert json.loads(dshub("cite", "tiny", "--format", "json").stdout)["citations"] == answer
    keys = re.findall(r"@\w+\{(.*),", dshub("cite", "tiny").stdout)
    assert keys == ["a-b", "A-bb"]


def test_a_dataset_that_is_named_twice_is_cited_once(dshub: Run) -> None:
    """By its name, its family, and its version: it is one dataset."""
    done = dshub("cite", "emnist/letters", "emnist/letters@1.0.0", "emnist")
    assert done.returncode == 0
    for line in done.stdout.splitlines():
        if line.startswith("% "):
            named = line.removeprefix("% ").split(", ")
            assert len(set(named)) == len(named)


def test_a_dataset_without_a_paper_is_cited_by_its_page(dshub: Run, own: Path) -> None:
    """Nothing is made up: a title and an address. CFF needs authors, and says so."""
    done = dshub("cite", "tiny/one")
    assert "title = {Tiny}" in done.stdout
    assert "url = {https://data.example/}" in done.stdout
    assert "author" not in done.stdout
    refused = dshub("cite", "tiny/one", "--format", "cff")
    assert refused.returncode == 1
    assert "names no authors" in refused.stderr


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Cats & dogs", r"Cats \& dogs"),
        ("100% of $5", r"100\% of \$5"),
        ("a_b #1", r"a\_b \#1"),
        ("~ and ^", r"\textasciitilde{} and \textasciicircum{}"),
        ("back\\slash", r"back\textbackslash{}slash"),
        ("the MNIST data", "the {MNIST} data"),
        ("for AT&T", r"for {AT\&T}"),
    ],
)
def test_what_tex_would_take_for_a_command(text: str, shown: str) -> None:
    """It is escaped in titles and names, and read back as it was; addresses are left alone."""
    url = "https://data.example/~me/a_b?x=1&y=%20#z"
    citation = Citation(type="misc", key="k", title=text, author=(text,), url=url)
    written = bibtex(citation)
    assert f"title = {{{shown}}}" in written
    assert f"url = {{{url}}}" in written
    (found,) = citations(written)
    assert (found["title"], found["author"], found["url"]) == (text, [text], url)


def schema() -> dict[str, Any]:
    """The schema of CFF, as the package cffconvert has it."""
    package = pytest.importorskip("cffconvert")
    folder = Path(package.__file__).parent / "schemas" / "1.2.0"
    found: dict[str, Any] = json.loads((folder / "schema.json").read_text("utf-8"))
    return found


def test_cff_is_valid() -> None:
    """Each dataset of the registry that names authors makes a file that fits the schema."""
    wanted = schema()
    jsonschema, yaml = pytest.importorskip("jsonschema"), pytest.importorskip("yaml")
    manifests = [item for item in Registry().manifests() if item.citations]
    for manifest in manifests:
        document = yaml.safe_load(cff(manifest))
        jsonschema.validate(document, wanted)
        assert document["title"] == manifest.title
        assert document["preferred-citation"]["title"] == manifest.citations[0].title
    project = {"cff-version": "1.2.0", "title": "x", "message": "x", "authors": [{"name": "x"}]}
    jsonschema.validate(project | yaml.safe_load(references(manifests)), wanted)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("LeCun, Yann", {"family-names": "LeCun", "given-names": "Yann"}),
        ("Han Xiao", {"family-names": "Xiao", "given-names": "Han"}),
        ("Jan van der Berg", {"family-names": "van der Berg", "given-names": "Jan"}),
        ("others", {"name": "others"}),
        (
            "Frank E. Harrell Jr.",
            {"family-names": "Harrell", "given-names": "Frank E.", "name-suffix": "Jr."},
        ),
    ],
)
def test_names_in_cff(own: Path, name: str, parts: dict[str, str]) -> None:
    """Family and given names are told apart in both ways of writing them."""
    yaml = pytest.importorskip("yaml")
    with_citations(own, "one", f'key = "k"\ntitle = "T"\nauthor = ["{name}"]')
    found = yaml.safe_load(cff(Registry([own]).manifest("tiny/one")))
    assert found["authors"] == [parts]


def set_license(own: Path, member: str, spdx: str) -> None:
    path = own / "tiny" / member / "1.0.0.toml"
    path.write_text(f'{path.read_text()}\n[license]\nspdx = "{spdx}"\nredistribution = "yes"\n')


def test_licenses_as_the_manifests_state_them(dshub: Run, own: Path) -> None:
    """A line for each dataset; what no source states is not made up."""
    set_license(own, "one", "CC-BY-NC-4.0")
    lines = dshub("licenses", "tiny").stdout.splitlines()[1:]
    assert [line.split()[:3] for line in lines] == [
        ["tiny/one", "CC-BY-NC-4.0", "yes"],
        ["tiny/two", "not", "stated"],
    ]
    answer = json.loads(dshub("licenses", "tiny", "--json").stdout)
    assert [item["spdx"] for item in answer["licenses"]] == ["CC-BY-NC-4.0", None]
    assert answer["denied"] == []


@pytest.mark.parametrize(
    ("spdx", "deny", "refused"),
    [
        ("CC-BY-NC-4.0", "nc", True),
        ("CC-BY-NC-4.0", "CC-BY-NC-4.0", True),
        ("CC-BY-4.0", "nc", False),
        ("LicenseRef-non-commercial", "NC", True),
        ("MIT AND GPL-3.0-only", "gpl", True),
        ("MIT", "unknown", False),
    ],
)
def test_denied_licenses(dshub: Run, own: Path, spdx: str, deny: str, refused: bool) -> None:
    """The exit code is for CI, the word that was denied for a person."""
    set_license(own, "one", spdx)
    done = dshub("licenses", "tiny/one", "--deny", deny)
    assert done.returncode == (1 if refused else 0)
    assert (f"and {deny} is denied" in done.stdout) == refused


def test_a_licence_that_is_not_stated(dshub: Run, own: Path) -> None:
    """It passes with a remark, unless `unknown` is denied."""
    passed = dshub("licenses", "tiny", "--deny", "nc")
    assert passed.returncode == 0
    assert "of 2 no source states the licence" in passed.stderr
    answer = json.loads(dshub("licenses", "tiny", "--deny", "unknown", "--json").stdout)
    assert answer["denied"] == ["tiny/one", "tiny/two"]


def test_whose_licenses_are_meant(dshub: Run, own: Path, tmp_path: Path) -> None:
    """The project's datasets; without those what is locked; without that what is in the cache."""

    def named() -> list[str]:
        answer = json.loads(dshub("licenses", "--json").stdout)
        return [item["name"] for item in answer["licenses"]]

    assert named() == []
    dshub("fetch", "tiny/two")
    assert named() == ["tiny/two"]
    dshub("lock", "tiny/one")
    assert named() == ["tiny/one"]
    (tmp_path / "work" / "pyproject.toml").write_text('[tool.dshub]\ndatasets = "mnist, tiny"\n')
    assert named() == ["mnist", "tiny/one", "tiny/two"]
