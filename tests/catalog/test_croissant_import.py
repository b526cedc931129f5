"""Croissant documents of others, as manifests."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from dshub.catalog.bibtex import bibtex, citations
from dshub.catalog.croissant.importing import Imported, from_croissant, read_croissant
from dshub.catalog.manifest import Citation
from dshub.errors import ManifestError

SHA = "ab" * 32


def file(name: str, kind: str, **more: Any) -> dict[str, Any]:
    """A file with an address and a checksum."""
    url = f"https://data.example/{name}"
    node = {"@type": "cr:FileObject", "@id": name, "contentUrl": url, "encodingFormat": kind}
    return node | {"sha256": SHA} | more


def field(name: str, kind: Any, source: str, *, of: str = "fileObject", **extract: str) -> Any:
    """A field that is taken out of a file."""
    place = {of: {"@id": source}, "extract": extract}
    return {"@type": "cr:Field", "@id": f"rows/{name}", "dataType": kind, "source": place}


def read(files: list[Any], *fields: Any, **more: Any) -> Imported:
    """What a document of some files and one record set says."""
    rows = {"@type": "cr:RecordSet", "@id": "rows", "field": list(fields)}
    document = {"@type": "sc:Dataset", "name": "Own Set", "distribution": files}
    extra = more.pop("recordSet", [])
    return from_croissant(document | {"recordSet": [*extra, rows]} | more, source="test")


def told(imported: Imported) -> dict[str, str]:
    """All that is told of each `@id`."""
    found: dict[str, str] = {}
    for note in imported.notes + imported.missing:
        found[note.id] = f"{found.get(note.id, '')}\n{note.message}"
    return found


TABLE = [file("rows.csv", "text/csv", contentSize="1234 B")]


def test_a_table_becomes_a_reader_with_its_columns() -> None:
    """Types, names that no manifest can have, checksum, size and address."""
    found = read(
        TABLE,
        field("Some Text", "sc:Text", "rows.csv", column="Some Text"),
        field("count", ["sc:Integer", "cr:Int16"], "rows.csv", column="N"),
        field("score", "sc:Float", "rows.csv", column="score"),
    )
    assert found.content["name"] == "own-set"
    assert found.content["resources"] == {
        "rows-csv": {"sha256": SHA, "size": 1234, "urls": ["https://data.example/rows.csv"]}
    }
    assert found.content["features"] == {
        "some-text": {"kind": "text"},
        "count": {"kind": "number", "dtype": "int16"},
        "score": {"kind": "number", "dtype": "float64"},
    }
    assert found.content["splits"]["rows"] == {
        "reader": {
            "format": "delimited",
            "header": True,
            "columns": ["Some Text", "N", "score"],
        },
        "files": {"rows": "rows-csv"},
        "steps": [{"step": "rename", "columns": {"Some Text": "some-text", "N": "count"}}],
    }


@pytest.mark.parametrize("kind", ["number", "text"])
def test_classes_come_from_an_enumeration(kind: str) -> None:
    """In the order of their numbers where they have some; texts that files hold become codes."""
    key = {"number": "id", "text": "code"}[kind]
    data = [
        {"kinds/id": 3, "kinds/code": "d", "kinds/name": "dog"},
        {"kinds/id": 2, "kinds/code": "c", "kinds/name": "cat"},
    ]
    kinds = {
        "@type": "cr:RecordSet",
        "@id": "kinds",
        "dataType": "sc:Enumeration",
        "field": [{"@type": "cr:Field", "@id": f"kinds/{name}"} for name in ("id", "code", "name")],
        "data": data,
    }
    label = field("kind", ["sc:Integer", "cr:Label"], "rows.csv", column="kind")
    for link in ({"field": {"@id": f"kinds/{key}"}}, {"@id": f"kinds/{key}"}):
        found = read(TABLE, label | {"references": link}, recordSet=[kinds])
        feature = found.content["features"]["kind"]
        assert feature["names"] == ["cat", "dog"]
        assert feature["codes"] == ["c", "d"]
        assert feature["first"] == 2
    data[0]["kinds/id"] = 7
    found = read(TABLE, label | {"references": {"@id": "kinds/id"}}, recordSet=[kinds])
    assert "gaps" in told(found)["rows/kind"]
    assert found.content["features"]["kind"] == {"kind": "number", "dtype": "int64"}


def test_pictures_in_an_archive_are_read_with_what_their_paths_say() -> None:
    """A regular expression on the path becomes a field of the reader's path."""
    files = [
        file("all.zip", "application/zip"),
        {
            "@type": "cr:FileSet",
            "@id": "pictures",
            "containedIn": {"@id": "all.zip"},
            "encodingFormat": "image/jpeg",
            "includes": "train/*/*.jpg",
        },
    ]
    picture = field("picture", "sc:ImageObject", "pictures", of="fileSet", fileProperty="content")
    kind = field("kind", "sc:Text", "pictures", of="fileSet", fileProperty="fullpath")
    for pattern in (r"^train/([^/]+)/.*\.jpg$", r"^(?:.*/)?train/([^/]+)/[^/]+\.jpg$"):
        kind["source"]["transform"] = {"regex": pattern}
        split = read(files, picture, kind).content["splits"]["rows"]
        assert split["files"] == {"picture": "all-zip:train/*/*.jpg"}
        assert split["reader"] == {"format": "folder", "path": "train/{kind}/{name}.jpg"}
    kind["source"]["transform"] = {"regex": r"train/(?=(x|y))"}
    found = read(files, picture, kind)
    assert "reader" not in found.content["splits"]["rows"]
    assert "choose a reader" in told(found)["rows"]


def test_pictures_within_parquet_are_fields_of_a_struct() -> None:
    """A column and a path in it, as Hugging Face describes them."""
    picture = field("picture", "sc:ImageObject", "rows.parquet", column="image")
    picture["source"]["transform"] = {"jsonPath": "bytes"}
    label = field("label", "sc:Integer", "rows.parquet", column="fine label")
    found = read([file("rows.parquet", "application/x-parquet")], picture, label)
    assert found.content["features"]["picture"] == {"kind": "image", "encoding": "any"}
    columns = {"picture": "image.bytes", "label": "fine label"}
    assert found.content["splits"]["rows"]["reader"] == {"format": "parquet", "columns": columns}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (SHA, SHA),
        (SHA.upper(), SHA),
        (base64.b64encode(bytes.fromhex(SHA)).decode(), SHA),
        ("https://github.com/mlcommons/croissant/issues/80", None),
        ("ab" * 16, None),
    ],
)
def test_only_a_checksum_is_a_checksum(form: str, expected: str | None) -> None:
    """In hexadecimal digits or Base64; a placeholder is none, and is told of with the file's id."""
    files = [file("rows.csv", "text/csv", sha256=form)]
    found = read(files, field("a", "sc:Text", "rows.csv", column="a"))
    assert found.content["resources"]["rows-csv"].get("sha256") == expected
    missing = [note for note in found.missing if "dshub pin" in note.message]
    assert bool(missing) == (expected is None)
    assert ("is no checksum" in told(found).get("rows.csv", "")) == (expected is None)


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"dataType": "sc:GeoCoordinates"}, "rows/b", "data type"),
        ({"dataType": "sc:VideoObject"}, "rows/b", "data type"),
        ({"dataType": "sc:AudioObject"}, "rows/b", "sampling rate"),
        ({"dataType": "sc:ImageObject", "repeated": True}, "rows/b", "no feature"),
        ({"subField": [{"@type": "cr:Field", "@id": "x"}]}, "rows/b", "within a field"),
        ({"source": {"fileObject": {"@id": "other.csv"}}}, "rows/b", "joins"),
        ({"source": {"field": {"@id": "other/b"}}}, "rows/b", "joins"),
        ({"source": {}, "value": "same"}, "rows/b", "same value"),
    ],
)
def test_a_field_that_is_not_understood_is_told_and_left_out(
    change: Any, place: str, words: str
) -> None:
    """The others are read all the same."""
    files = [*TABLE, file("other.csv", "text/csv")]
    good = [field(name, "sc:Text", "rows.csv", column=name) for name in ("a", "c")]
    found = read(files, *good, field("b", "sc:Text", "rows.csv", column="b") | change)
    assert list(found.content["features"]) == ["a", "c"]
    assert words in told(found)[place]
    assert "other-csv" not in str(found.content["splits"])


def test_files_that_are_not_understood_are_told() -> None:
    """A repository, what is excluded, another scheme, a size in megabytes."""
    files = [
        {"@type": "cr:FileObject", "@id": "repo", "encodingFormat": "git+https", "sha256": "x"},
        file("odd.zip", "application/zip", contentUrl="s3://bucket/odd.zip", contentSize="3 MB"),
        {
            "@type": "cr:FileSet",
            "@id": "some",
            "containedIn": {"@id": "odd.zip"},
            "encodingFormat": "text/csv",
            "includes": "*.csv",
            "excludes": "b*.csv",
        },
    ]
    found = read(files, field("a", "sc:Text", "some", of="fileSet", column="a"))
    notes = told(found)
    assert "repository" in notes["repo"]
    assert "excluded" in notes["some"]
    assert "s3://bucket/odd.zip" in notes["odd.zip"]
    assert "3 MB" in notes["odd.zip"]
    assert "files" not in found.content["splits"]["rows"]


def test_the_words_of_the_dataset() -> None:
    """Licences by address, short versions, citations in BibTeX, other spellings of terms."""
    cite = '@Article{key2020, title={A {Title}},\n author = "Ann B and C, D", year=2020,}'
    document: dict[str, Any] = {
        "@context": {"ml": "http://mlcommons.org/schema/"},
        "@type": "https://schema.org/Dataset",
        "sc:name": {"en": "Some Name", "de": "Ein Name"},
        "https://schema.org/description": "Two\n lines.",
        "version": "2.1",
        "license": "https://creativecommons.org/licenses/by-sa/4.0/",
        "cr:citeAs": cite,
        "url": "https://data.example/",
        "ml:recordSet": [],
    }
    content = from_croissant(document, source="test").content
    assert content["name"] == "some-name"
    assert content["version"] == "2.1.0"
    assert content["summary"] == "Two lines."
    assert content["license"]["spdx"] == "CC-BY-SA-4.0"
    (entry,) = content["citations"]
    assert entry == {
        "type": "article",
        "key": "key2020",
        "title": "A Title",
        "author": ["Ann B", "C, D"],
        "year": 2020,
    }
    document |= {"license": "https://data.example/terms", "cr:citeAs": "Ann B, 2020"}
    found = from_croissant(document, source="test")
    assert "spdx" not in found.content["license"]
    assert "https://data.example/terms" in found.content["license"]["note"]
    assert "Ann B, 2020" in told(found)[""]


def test_what_is_no_croissant_is_an_error(tmp_path: Path) -> None:
    """No JSON, another thing, no file, and nesting without end."""
    path = tmp_path / "croissant.json"
    for content in (b"{", b"\xff", b"[]", b"3", b'{"@type": "Person"}', b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(ManifestError, match=r"croissant\.json"):
            read_croissant(path)
    with pytest.raises(ManifestError):
        read_croissant(tmp_path / "nothing.json")
    deep: Any = {}
    for _ in range(5000):
        deep = {"x": deep}
    with pytest.raises(ManifestError, match="deeply"):
        from_croissant({"@type": "sc:Dataset", "x": deep}, source="test")


@pytest.mark.parametrize("title", ["A title", "A {B}C", "odd } brace", 'with "quotes"'])
def test_citations_are_bibtex(title: str) -> None:
    """What is written can be read again, braces that are none of BibTeX's left out."""
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


def test_a_document_of_a_hub_is_told_to_have_no_files_of_its_own() -> None:
    """Hugging Face names one repository and patterns in it: nothing there can be verified."""
    document = {
        "@type": "sc:Dataset",
        "name": "squad",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "repo",
                "contentUrl": "https://huggingface.co/datasets/squad/tree/refs%2Fconvert%2Fparquet",
                "encodingFormat": "git+https",
                "sha256": "https://github.com/mlcommons/croissant/issues/80",
            },
            {
                "@type": "cr:FileSet",
                "@id": "parquet-files",
                "containedIn": {"@id": "repo"},
                "encodingFormat": "application/x-parquet",
                "includes": "plain_text/*/*.parquet",
            },
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "splits",
                "dataType": "cr:Split",
                "field": [{"@type": "cr:Field", "@id": "splits/name", "dataType": "sc:Text"}],
                "data": [{"splits/name": "train"}],
            },
            {
                "@type": "cr:RecordSet",
                "@id": "plain_text",
                "field": [
                    field("split", "sc:Text", "parquet-files", of="fileSet")
                    | {"references": {"field": {"@id": "splits/name"}}},
                    field("title", "sc:Text", "parquet-files", of="fileSet", column="title"),
                ],
            },
        ],
    }
    found = from_croissant(json.loads(json.dumps(document)), source="test")
    notes = told(found)
    assert "repository" in notes["repo"]
    assert "splits" in notes["rows/split"]
    assert found.content["resources"] == {}
    assert found.content["features"] == {"title": {"kind": "text"}}
    reader = {"format": "parquet", "columns": {"title": "title"}}
    assert found.content["splits"]["plain_text"] == {"reader": reader}


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
def test_any_citation_is_read_in_linear_time(text: str) -> None:
    """Braces, blanks and names without end."""
    began = time.process_time()
    assert len(list(citations(text))) == ("author" in text)
    assert time.process_time() - began < 1


def test_an_unfinished_citation_costs_no_other() -> None:
    """The next entry begins anew."""
    entry = "@misc{b, title={A title}, author={Ann B}}"
    (found,) = citations(f"@misc{{a, title={{never closed, author={{x}}\n{entry}")
    assert found["key"] == "b"


def test_any_license_is_read_in_linear_time() -> None:
    """Expressions are kept; what only looks like one becomes a note."""
    cases = {
        "(MIT-0 OR Apache-2.0) AND BSD-3-Clause": True,
        "MIT OR LicenseRef-own WITH Zlib": True,
        "1" * 200_000 + "!": False,
        "(" * 200_000: False,
        "a.1-" * 50_000 + " OR": False,
        "MIT AND " * 50_000: False,
    }
    began = time.process_time()
    for text, right in cases.items():
        found = read(TABLE, license=text).content["license"]
        assert ("spdx" in found) == right
    assert time.process_time() - began < 2


def test_containers_in_containers_are_followed_once() -> None:
    """Sets of files that lie in one another again and again make no more work than text."""
    inside = [{"@id": "s"}] * 50
    files = [
        file("f.zip", "application/zip"),
        {"@type": "FileSet", "@id": "s", "containedIn": inside, "includes": "*.csv"},
    ]
    began = time.process_time()
    found = read(files, field("a", "sc:Text", "s", of="fileSet", column="a"))
    assert "no file that is understood" in told(found)["rows"]
    for i in range(8):
        outer = {"@id": f"s{i - 1}" if i else "f.zip"}
        more = {"containedIn": outer, "includes": [f"{j}.zip" for j in range(10)]}
        files.append({"@type": "FileSet", "@id": f"s{i}"} | more)
    with pytest.raises(ManifestError, match="more members of archives than a manifest can hold"):
        read(files, field("a", "sc:Text", "s7", of="fileSet", column="a"))
    assert time.process_time() - began < 2


def test_a_document_of_many_equal_names_is_read_in_linear_time() -> None:
    """Each file gets a name of its own."""
    files = [file(f"{i}/data.csv", "text/csv") for i in range(5000)]
    began = time.process_time()
    resources = read(files).content["resources"]
    assert len(resources) == 5000
    assert list(resources)[:3] == ["data-csv", "data-csv-2", "data-csv-3"]
    assert time.process_time() - began < 2


def test_more_classes_or_splits_than_a_manifest_can_hold_are_refused() -> None:
    """A product of two long lists is not worked out."""
    data = [{"kinds/name": f"n{i}"} for i in range(5000)]
    kinds = {"@id": "kinds", "dataType": "sc:Enumeration", "data": data}
    kinds["field"] = [{"@type": "cr:Field", "@id": "kinds/name"}]
    link = {"references": {"@id": "kinds/name"}}
    labels = [field(f"a{i}", "sc:Text", "rows.csv", column="a") | link for i in range(5000)]
    with pytest.raises(ManifestError, match="more classes than a manifest can hold"):
        read(TABLE, *labels, recordSet=[kinds])
    sets = [
        {"@id": f"r{i}", "field": [field(f"a{i}", "sc:Text", "rows.csv", column="a")]}
        for i in range(1500)
    ]
    with pytest.raises(ManifestError, match="more record sets and fields"):
        read(TABLE, recordSet=sets)
