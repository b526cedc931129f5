"""Croissant documents of others, as manifests."""

import base64
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dshub.catalog.croissant.importing import Imported, from_croissant, read_croissant
from dshub.catalog.croissant.vocabulary import CONFORMS, context
from dshub.errors import ManifestError, MissingExtraError

pytest.importorskip("mlcroissant")

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
    extra = more.pop("recordSet", [])
    facts = {"name": "Own Set", "distribution": files, "recordSet": [*extra, rows]}
    return from_croissant(document(**facts, **more), source="test")


def document(**facts: Any) -> dict[str, Any]:
    """A document of version 1.1 that says these things of a dataset."""
    begin = {"@context": context("1.1"), "@type": "sc:Dataset", "conformsTo": f"{CONFORMS}1.1"}
    return begin | facts


def told(imported: Imported) -> dict[str, str]:
    """The notes on each `@id`."""
    found: dict[str, str] = {}
    for note in imported.notes + imported.missing:
        found[note.id] = f"{found.get(note.id, '')}\n{note.message}"
    return found


TABLE = [file("rows.csv", "text/csv", contentSize="1234 B")]


def test_a_table_becomes_a_reader_with_its_columns() -> None:
    """Types, names that no manifest can have, checksum, size and address."""
    found = read(
        TABLE,
        field("a", "sc:Text", "rows.csv", column="Some Text") | {"name": "Some Text"},
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
        "field": [
            {"@type": "cr:Field", "@id": f"kinds/{name}", "dataType": kind}
            for name, kind in {"id": "sc:Integer", "code": "sc:Text", "name": "sc:Text"}.items()
        ],
        "data": data,
    }
    label = field("kind", ["sc:Integer", "cr:Label"], "rows.csv", column="kind")
    label["references"] = {"field": {"@id": f"kinds/{key}"}}
    feature = read(TABLE, label, recordSet=[kinds]).content["features"]["kind"]
    assert feature["names"] == ["cat", "dog"]
    assert feature["codes"] == ["c", "d"]
    assert feature["first"] == 2
    data[0]["kinds/id"] = 7
    found = read(TABLE, label, recordSet=[kinds])
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
    assert ("is not a checksum" in told(found).get("rows.csv", "")) == (expected is None)


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"dataType": "sc:VideoObject"}, "rows/b", "data type"),
        ({"dataType": "sc:AudioObject"}, "rows/b", "sampling rate"),
        ({"dataType": "sc:ImageObject", "repeated": True}, "rows/b", "no feature"),
        ({"subField": [field("x", "sc:Text", "rows.csv", column="b")]}, "rows/b", "within a field"),
        ({"source": {"fileObject": {"@id": "other.csv"}}}, "rows/b", "joins"),
        ({"source": {"field": {"@id": "rows/a"}}}, "rows/b", "joins"),
        ({"source": None, "value": "same"}, "rows/b", "same value"),
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
        file("repo", "git+https", sha256="x"),
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
    assert "excludes" in notes["some"]
    assert "s3://bucket/odd.zip" in notes["odd.zip"]
    assert "3 MB" in notes["odd.zip"]
    assert "files" not in found.content["splits"]["rows"]


def test_the_words_of_the_dataset() -> None:
    """Licences by address, short versions, citations in BibTeX, other spellings of terms."""
    cite = '@Article{key2020, title={A {Title}},\n author = "Ann B and C, D", year=2020,}'
    facts: dict[str, Any] = {
        "name": {"en": "Some Name", "de": "Ein Name"},
        "https://schema.org/description": "Two\n lines.",
        "version": "2.1",
        "license": "https://creativecommons.org/licenses/by-sa/4.0/",
        "cr:citeAs": cite,
        "url": "https://data.example/",
    }
    content = from_croissant(document(**facts), source="test").content
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
    facts |= {"license": "https://data.example/terms", "cr:citeAs": "Ann B, 2020"}
    found = from_croissant(document(**facts), source="test")
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
        from_croissant(document(name="deep", x=deep), source="test")


def test_a_document_of_a_hub_is_told_to_have_no_files_of_its_own() -> None:
    """Hugging Face names one repository and patterns in it: nothing there can be verified."""
    facts: dict[str, Any] = {
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
                    field(
                        "split", "sc:Text", "parquet-files", of="fileSet", fileProperty="fullpath"
                    )
                    | {"references": {"field": {"@id": "splits/name"}}},
                    field("title", "sc:Text", "parquet-files", of="fileSet", column="title"),
                ],
            },
        ],
    }
    found = from_croissant(document(**facts), source="test")
    notes = told(found)
    assert "repository" in notes["repo"]
    assert "splits" in notes["rows/split"]
    assert found.content["resources"] == {}
    assert found.content["features"] == {"title": {"kind": "text"}}
    reader = {"format": "parquet", "columns": {"title": "title"}}
    assert found.content["splits"]["plain_text"] == {"reader": reader}


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
    files = [file("f.zip", "application/zip")]
    for i in range(8):
        outer = {"@id": f"s{i - 1}" if i else "f.zip"}
        more = {"containedIn": outer, "includes": [f"{j}.zip" for j in range(10)]}
        files.append({"@type": "cr:FileSet", "@id": f"s{i}", "encodingFormat": "x/y"} | more)
    began = time.process_time()
    with pytest.raises(ManifestError, match="more members of archives than a manifest can hold"):
        read(files, field("a", "sc:Text", "s7", of="fileSet", column="a"))
    assert time.process_time() - began < 2


def test_container_in_itself_is_an_error() -> None:
    node = {"@type": "cr:FileSet", "@id": "s", "includes": "*", "encodingFormat": "text/csv"}
    with pytest.raises(ManifestError):
        read(
            [node | {"containedIn": {"@id": "s"}}],
            field("a", "sc:Text", "s", of="fileSet", column="a"),
        )


def test_a_document_of_many_equal_names_is_read_in_linear_time() -> None:
    """Each file gets a name of its own."""
    files = [file(f"{i}/data.csv", "text/csv") for i in range(500)]
    began = time.process_time()
    resources = read(files).content["resources"]
    assert len(resources) == 500
    assert list(resources)[:3] == ["data-csv", "data-csv-2", "data-csv-3"]
    assert time.process_time() - began < 2


def test_more_classes_or_splits_than_a_manifest_can_hold_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A product of two long lists is not worked out."""
    for module in ("imported_features", "imported_rows"):
        monkeypatch.setattr(f"dshub.catalog.croissant.{module}._MOST", 900)
    data = [{"kinds/name": f"n{i}"} for i in range(50)]
    kinds = {"@type": "cr:RecordSet", "@id": "kinds", "dataType": "sc:Enumeration", "data": data}
    kinds["field"] = [{"@type": "cr:Field", "@id": "kinds/name", "dataType": "sc:Text"}]
    link = {"references": {"field": {"@id": "kinds/name"}}}
    labels = [field(f"a{i}", "sc:Text", "rows.csv", column="a") | link for i in range(20)]
    with pytest.raises(ManifestError, match="more classes than a manifest can hold"):
        read(TABLE, *labels, recordSet=[kinds])
    sets = [
        {
            "@type": "cr:RecordSet",
            "@id": f"r{i}",
            "field": [field(f"a{i}", "sc:Text", "rows.csv", column="a")],
        }
        for i in range(31)
    ]
    with pytest.raises(ManifestError, match="more record sets and fields"):
        read(TABLE, recordSet=sets)


def test_errors_of_the_library_are_listed() -> None:
    """Each is a fault of the document, by the library's words."""
    bad = file("rows.csv", "text/csv")
    del bad["sha256"]
    with pytest.raises(ManifestError, match="sha256") as error:
        read([bad], field("a", "sc:Text", "rows.csv", column="a"))
    assert "import it again" in error.value.hint


@pytest.mark.parametrize(
    "facts",
    [
        {"@context": "http://127.0.0.1:9/context"},
        {"@context": [{}, "http://127.0.0.1:9/context"]},
        {"@context": {"@import": "http://127.0.0.1:9/context"}},
        {"creator": [{"@context": "http://127.0.0.1:9/context"}]},
        {"@context": {"name": {"@id": "sc:name", "@context": "http://127.0.0.1:9/context"}}},
    ],
)
def test_no_context_is_fetched(facts: dict[str, Any]) -> None:
    """A document that names one elsewhere is refused, wherever it does so."""
    with pytest.raises(ManifestError, match="@context is at a URL"):
        from_croissant(document(name="x") | facts, source="test")


def test_reading_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """References that double the work at each level cost no more than the limit."""
    monkeypatch.setattr("dshub.catalog.croissant.reading._SECONDS", 0.3)
    pairs = [[{"@id": f"{side}{i}"} for side in "ab"] for i in range(18)]
    nodes = [{**a, "x": b} for i, b in enumerate(pairs[1:]) for a in pairs[i]]
    with pytest.raises(ManifestError, match="did not finish"):
        from_croissant(document(name="x", x=pairs[0], y=nodes), source="test")


def test_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlcroissant", None)
    with pytest.raises(MissingExtraError, match=r"mlcroissant is not installed") as error:
        from_croissant(document(name="x"), source="test")
    assert "dshub[croissant]" in error.value.hint
