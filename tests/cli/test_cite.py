"""Test `dshub cite`: print citations as BibTeX and CFF."""

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


def with_citations(registry: Path, member: str, *lines: str) -> None:
    path = registry / "tiny" / member / "1.0.0.toml"
    entries = "".join(f'\n[[citations]]\ntype = "article"\nyear = 2001\n{line}\n' for line in lines)
    path.write_text(path.read_text() + entries)


def test_bibtex_has_the_citation_of_the_manifest(dshub: Run) -> None:
    done = dshub("cite", "fashion-mnist")
    assert done.stdout.startswith("% fashion-mnist 1.0.0\n@article{")
    (citation,) = Registry().manifest("fashion-mnist").citations
    assert f"author = {{{' and '.join(citation.author)}}}" in done.stdout
    assert f"year = {{{citation.year}}}" in done.stdout
    assert "{Fashion-MNIST:}" in done.stdout  # braces keep bibliography styles from changing case


def test_keys_are_unique(dshub: Run, registry: Path) -> None:
    """A shared paper is listed once, and different papers with one key get different keys."""
    same = 'key = "a b"\ntitle = "One"\nauthor = ["Doe, Jane"]'
    other = 'key = "A b"\ntitle = "Another"\nauthor = ["Doe, Jane"]'
    with_citations(registry, "one", same)
    with_citations(registry, "two", same, other)
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


def test_dataset_without_a_paper_is_cited_by_its_homepage(dshub: Run, registry: Path) -> None:
    done = dshub("cite", "tiny/one")
    assert "title = {Tiny}" in done.stdout
    assert "url = {https://data.example/}" in done.stdout
    assert "author" not in done.stdout
    refused = dshub("cite", "tiny/one", "--format", "cff")
    assert refused.returncode == 1
    assert "has authors" in refused.stderr


@pytest.mark.parametrize(
    ("text", "printed"),
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
def test_tex_commands_are_escaped(text: str, printed: str) -> None:
    url = "https://data.example/~me/a_b?x=1&y=%20#z"
    citation = Citation(type="misc", key="k", title=text, author=(text,), url=url)
    citation_text = bibtex(citation)
    assert f"title = {{{printed}}}" in citation_text
    assert f"url = {{{url}}}" in citation_text


def schema() -> dict[str, Any]:
    """Return the CFF schema that cffconvert ships."""
    package = pytest.importorskip("cffconvert")
    folder = Path(package.__file__).parent / "schemas" / "1.2.0"
    content: dict[str, Any] = json.loads((folder / "schema.json").read_text("utf-8"))
    return content


def test_cff_is_valid() -> None:
    cff_schema = schema()
    jsonschema, yaml = pytest.importorskip("jsonschema"), pytest.importorskip("yaml")
    manifests = [item for item in Registry().manifests() if item.citations]
    for manifest in manifests:
        document = yaml.safe_load(cff(manifest))
        jsonschema.validate(document, cff_schema)
        assert document["title"] == manifest.title
        assert document["preferred-citation"]["title"] == manifest.citations[0].title
    project = {"cff-version": "1.2.0", "title": "x", "message": "x", "authors": [{"name": "x"}]}
    jsonschema.validate(project | yaml.safe_load(references(manifests)), cff_schema)


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
def test_author_names_are_split_in_cff(registry: Path, name: str, parts: dict[str, str]) -> None:
    yaml = pytest.importorskip("yaml")
    with_citations(registry, "one", f'key = "k"\ntitle = "T"\nauthor = ["{name}"]')
    document = yaml.safe_load(cff(Registry([registry]).manifest("tiny/one")))
    assert document["authors"] == [parts]
