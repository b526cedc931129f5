"""Citations as BibTeX, and BibTeX as citations."""

import time

import pytest

from dshub.catalog.citations import bibtex, citations
from dshub.catalog.manifest import Citation


@pytest.mark.parametrize("title", ["A title", "A {B}C", "odd } brace", 'with "quotes"'])
def test_bibtex_is_read_back(title: str) -> None:
    """It can be read back, without the braces of the title."""
    citation = Citation(
        type="inproceedings",
        key="k1",
        title=title,
        author=("Ann B", "Sons and Co"),
        year=1999,
        venue="A Conference",
        arxiv="1234.5678",
        doi="10.1/x",
        url="https://data.example/?a=b",
    )
    text = bibtex(citation)
    assert text.count("{") == text.count("}")
    (found,) = citations(f"Some words.\n{text}\n@comment{{nothing}}")
    plain = " ".join(title.replace("{", "").replace("}", "").split())
    assert found == {
        "type": "inproceedings",
        "key": "k1",
        "title": plain,
        "author": ["Ann B", "Sons and Co"],
        "year": 1999,
        "venue": "A Conference",
        "arxiv": "1234.5678",
        "doi": "10.1/x",
        "url": "https://data.example/?a=b",
    }


@pytest.mark.parametrize(
    "text",
    [
        "@a{b,c={" * 50_000,
        "@a{b," + " " * 200_000,
        "@a{b,c" + " " * 200_000,
        "@" + " " * 200_000,
        "@a{b,title={x},author={" + "a and b " * 50_000 + "}}",
        "@a{b,title={x},author={" + "a b " * 50_000 + "}}",
    ],
)
def test_hostile_bibtex_is_read_in_linear_time(text: str) -> None:
    """Endless braces, blanks and names."""
    began = time.process_time()
    assert len(list(citations(text))) == ("author" in text)
    assert time.process_time() - began < 1


def test_unfinished_entry_does_not_hide_the_next() -> None:
    entry = "@misc{b, title={A title}, author={Ann B}}"
    (found,) = citations(f"@misc{{a, title={{never closed, author={{x}}\n{entry}")
    assert found["key"] == "b"
