"""`dshub cite`: citations as BibTeX and CFF."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dshub import Registry
from dshub.catalog.citations import bibtex, cff, references
from dshub.catalog.manifest import Citation

Run = Callable[..., subprocess.CompletedProcess[str]]


def with_citations(own: Path, member: str, *lines: str) -> None:
    path = own / "tiny" / member / "1.0.0.toml"
    entries = "".join(f'\n[[citations]]\ntype = "article"\nyear = 2001\n{line}\n' for line in lines)
    path.write_text(path.read_text() + entries)


def test_bibtex_has_the_facts_of_the_manifest(dshub: Run) -> None:
    done = dshub("cite", "fashion-mnist")
    assert done.stdout.startswith("% fashion-mnist 1.0.0\n@article{")
    (citation,) = Registry().manifest("fashion-mnist").citations
    assert f"author = {{{' and '.join(citation.author)}}}" in done.stdout
    assert f"year = {{{citation.year}}}" in done.stdout
    assert "{Fashion-MNIST:}" in done.stdout  # which no style may write small


def test_keys_are_unique(dshub: Run, own: Path) -> None:
    """A paper of two datasets comes once; two papers of one key get different keys."""
    same = 'key = "a b"\ntitle = "One"\nauthor = ["Doe, Jane"]'
    other = 'key = "A b"\ntitle = "Another"\nauthor = ["Doe, Jane"]'
    with_citations(own, "one", same)
    with_citations(own, "two", same, other)
    answer = json.loads(dshub("cite", "tiny", "--json").stdout)["citations"]
    assert [(item["key"], item["title"], item["datasets"]) for item in answer] == [
        ("a-b", "One", ["tiny/one@1.0.0", "tiny/two@1.0.0"]),
        ("A-bb", "Another", ["tiny/two@1.0.0"]),
    ]
    keys = re.findall(r"@\w+\{(.*),", dshub("cite", "tiny").stdout)
    assert keys == ["a-b", "A-bb"]


def test_dataset_is_cited_once(dshub: Run) -> None:
    done = dshub("cite", "emnist/letters", "emnist/letters@1.0.0", "emnist")
    assert done.returncode == 0
    for line in done.stdout.splitlines():
        if line.startswith("% "):
            named = line.removeprefix("% ").split(", ")
            assert len(set(named)) == len(named)


def test_dataset_without_a_paper_is_cited_by_its_homepage(dshub: Run, own: Path) -> None:
    done = dshub("cite", "tiny/one")
    assert "title = {Tiny}" in done.stdout
    assert "url = {https://data.example/}" in done.stdout
    assert "author" not in done.stdout
    refused = dshub("cite", "tiny/one", "--format", "cff")
    assert refused.returncode == 1
    assert "has authors" in refused.stderr


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
def test_commands_of_tex_are_escaped(text: str, shown: str) -> None:
    url = "https://data.example/~me/a_b?x=1&y=%20#z"
    citation = Citation(type="misc", key="k", title=text, author=(text,), url=url)
    written = bibtex(citation)
    assert f"title = {{{shown}}}" in written
    assert f"url = {{{url}}}" in written


def schema() -> dict[str, Any]:
    """The schema of CFF in the package cffconvert."""
    package = pytest.importorskip("cffconvert")
    folder = Path(package.__file__).parent / "schemas" / "1.2.0"
    found: dict[str, Any] = json.loads((folder / "schema.json").read_text("utf-8"))
    return found


def test_cff_is_valid() -> None:
    """The file of each dataset with authors fits the schema."""
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
    yaml = pytest.importorskip("yaml")
    with_citations(own, "one", f'key = "k"\ntitle = "T"\nauthor = ["{name}"]')
    found = yaml.safe_load(cff(Registry([own]).manifest("tiny/one")))
    assert found["authors"] == [parts]
