"""Test citations in BibTeX; `tests/cli/test_cite.py` covers CFF."""

import pytest

from dshub.catalog.citations import bibtex
from dshub.catalog.manifest import Citation


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("A title", "A title"),
        ("A {B}C", "A {B}C"),
        ("odd } brace", "odd  brace"),
        ('with "quotes"', 'with "quotes"'),
    ],
)
def test_bibtex_has_every_fact_and_balanced_braces(title: str, expected: str) -> None:
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
    assert bibtex(citation).splitlines() == [
        "@inproceedings{k1,",
        f"  title = {{{expected}}},",
        "  author = {Ann B and {Sons and Co}},",
        "  year = {1999},",
        "  booktitle = {A Conference},",
        "  doi = {10.1/x},",
        "  eprint = {1234.5678},",
        "  eprinttype = {arxiv},",
        "  url = {https://data.example/?a=b}",
        "}",
    ]
