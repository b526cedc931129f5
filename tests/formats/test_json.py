"""Read JSON and compare the rows with those of an independent reader."""

import json
import re
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import formats
from dshub.errors import ManifestError, ReadError, SchemaError
from dshub.testing.readers import MemoryFile, MemoryOutput, ReaderTests
from tests.independent import json as independent

SQUAD: dict[str, Any] = {
    "lines": False,
    "rows": "data[].paragraphs[].qas[]",
    "columns": {
        "id": "data[].paragraphs[].qas[].id",
        "title": "data[].title",
        "context": "data[].paragraphs[].context",
        "question": "data[].paragraphs[].qas[].question",
        "answers": "data[].paragraphs[].qas[].answers[].text",
        "answer_start": "data[].paragraphs[].qas[].answers[].answer_start",
    },
    "types": {"answer_start": "integer"},
}
RECORD: dict[str, Any] = {
    "rows": "qas[]",
    "columns": {
        "passage": "passage.text",
        "query": "qas[].query",
        "entities": "passage.entities[]",
        "answers": "qas[].answers[].text",
    },
    "spans": {"entities": "passage.text"},
    "distinct": ["entities", "answers"],
}
MULTIRC: dict[str, Any] = {
    "rows": "passage.questions[].answers[]",
    "columns": {
        "paragraph": "passage.text",
        "question": "passage.questions[].question",
        "answer": "passage.questions[].answers[].text",
        "idx_paragraph": "idx",
        "idx_question": "passage.questions[].idx",
        "idx_answer": "passage.questions[].answers[].idx",
        "label": "passage.questions[].answers[].label",
    },
    "types": dict.fromkeys(["idx_paragraph", "idx_question", "idx_answer", "label"], "integer"),
}
FLAT: dict[str, Any] = {"columns": {"text": "text", "label": "label"}, "types": {}}


def json_reader(options: dict[str, Any]) -> formats.Reader:
    """Create a JSON reader."""
    return formats.create({"format": "json"} | options)


def read(options: dict[str, Any], *contents: bytes) -> list[dict[str, Any]]:
    """Read rows and check that the independent reader returns the same rows."""
    files = {"text": [MemoryFile(f"file-{i}", data) for i, data in enumerate(contents)]}
    actual = [row for batch in json_reader(options).read(files) for row in batch.to_pylist()]
    columns = independent.read({"text": [("", data) for data in contents]}, options)
    rows = zip(*columns.values(), strict=True)
    assert actual == [dict(zip(columns, row, strict=True)) for row in rows]
    return actual


def jsonl(*documents: Any) -> bytes:
    """Write one document per line."""
    return "".join(f"{json.dumps(document)}\n" for document in documents).encode()


class TestLines(ReaderTests):
    """Columns of every type."""

    parts: ClassVar = {"text": ("a/train.jsonl", "b.jsonl")}
    detects_damage = False

    def reader(self) -> formats.Reader:
        columns = {"text": "text", "span": "target.span.index", "x": "x", "truth": "truth"}
        types = {"span": "integer", "x": "number", "truth": "boolean"}
        return json_reader({"columns": columns, "types": types})

    def rows(self, count: int) -> pa.RecordBatch:
        numbers = range(count)
        columns = {
            "text": [f'"{i}"\n\\ \u2028 ünï\0' for i in numbers],
            "span": [i - 2**62 for i in numbers],
            "x": [i / 8 for i in numbers],
            "truth": [i % 3 == 0 for i in numbers],
        }
        return pa.RecordBatch.from_pydict(columns)


class TestListOfDocuments(TestLines):
    """Rows are the items of one list."""

    detects_damage = True

    def reader(self) -> formats.Reader:
        columns = {"text": "[].text", "span": "[].a.b", "x": "[].a.c", "truth": "[].truth"}
        types = {"span": "integer", "x": "number", "truth": "boolean"}
        return json_reader({"lines": False, "rows": "[]", "columns": columns, "types": types})


class TestSquad(ReaderTests):
    """Questions in paragraphs of articles, with lists of answers that can be empty."""

    parts: ClassVar = {"text": ("",)}

    def reader(self) -> formats.Reader:
        return json_reader(SQUAD)

    def rows(self, count: int) -> pa.RecordBatch:
        columns = {name: [f"{name} {i}" for i in range(count)] for name in SQUAD["columns"]}
        lists: dict[str, Any] = {
            "answers": [[f"{i} {j}" for j in range(i % 3)] for i in range(count)],
            "answer_start": [list(range(i % 3)) for i in range(count)],
        }
        types = {"answers": pa.list_(pa.string()), "answer_start": pa.list_(pa.int64())}
        arrays = {name: pa.array(values, types[name]) for name, values in lists.items()}
        return pa.RecordBatch.from_pydict(columns | arrays)


class TestRecord(ReaderTests):
    """Columns of substrings, specified by start and end."""

    parts: ClassVar = {"text": ("",)}
    detects_damage = False

    def reader(self) -> formats.Reader:
        return json_reader(RECORD)

    def rows(self, count: int) -> pa.RecordBatch:
        columns: dict[str, Any] = {
            "passage": [f"Ann {i}, Bob {i}" for i in range(count)],
            "query": [f"@placeholder {i}" for i in range(count)],
            "entities": [[f"Ann {i}", f"Bob {i}"] for i in range(count)],
            "answers": [[f"Ann {i}"] for i in range(count)],
        }
        return pa.RecordBatch.from_pydict(columns)


class TestMultiRc(ReaderTests):
    """Missing columns are filled with row numbers."""

    parts: ClassVar = {"text": ("",)}
    detects_damage = False

    def reader(self) -> formats.Reader:
        return json_reader(MULTIRC)

    def rows(self, count: int) -> pa.RecordBatch:
        names = ["paragraph", "question", "answer"]
        return pa.RecordBatch.from_pydict({n: [f"{n} {i}" for i in range(count)] for n in names})


def test_questions_repeat_their_paragraph_and_article() -> None:
    """An unanswerable question in SQuAD 2 has empty lists."""
    paragraphs = [
        {
            "context": " The  context ",  # answer offsets count these spaces
            "qas": [
                {"id": "a", "question": "?", "answers": [{"text": "The", "answer_start": 1}]},
                {"id": "b", "question": "??", "answers": [], "is_impossible": True},
            ],
        },
        {"context": "another", "qas": [{"id": "c", "question": "!", "answers": []}]},
        {"context": "without questions", "qas": []},
    ]
    document = {"version": "v2.0", "data": [{"title": "T", "paragraphs": paragraphs}]}
    rows = read(SQUAD, json.dumps(document).encode())
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert [row["context"] for row in rows] == [" The  context ", " The  context ", "another"]
    assert {row["title"] for row in rows} == {"T"}
    assert [row["answers"] for row in rows] == [["The"], [], []]
    assert [row["answer_start"] for row in rows] == [[1], [], []]


def test_answers_repeat_their_question_and_paragraph() -> None:
    """A row in MultiRC is an answer with the numbers of its paragraph, question and answer."""
    questions = [
        {"question": "Q0", "idx": 0, "answers": [{"text": "A0", "idx": 0, "label": 1}]},
        {
            "question": "Q1",
            "idx": 1,
            "answers": [{"text": "A1", "idx": 1, "label": 0}, {"text": "A2", "idx": 2, "label": 1}],
        },
    ]
    rows = read(MULTIRC, jsonl({"idx": 7, "passage": {"text": "P", "questions": questions}}))
    assert [row["question"] for row in rows] == ["Q0", "Q1", "Q1"]
    numbers = ["idx_paragraph", "idx_question", "idx_answer", "label"]
    assert [[row[name] for name in numbers] for row in rows] == [
        [7, 0, 0, 1],
        [7, 1, 1, 0],
        [7, 1, 2, 1],
    ]


def test_spans_become_pieces_of_the_text() -> None:
    """Spans in ReCoRD include their end, and distinct strings are sorted."""
    text = "Zoë met Ann.\n@highlight\nAnn left"
    spans = [(8, 10), (0, 2), (24, 26)]
    passage = {"text": text, "entities": [{"start": a, "end": b} for a, b in spans]}
    queries = [
        {"query": "@placeholder left", "answers": [{"text": "Zoë"}, {"text": "Ann"}] * 2},
        {"query": "@placeholder met", "answers": [{"text": "Zoë"}]},
    ]
    rows = read(RECORD, jsonl({"passage": passage, "qas": queries}))
    assert [row["entities"] for row in rows] == [["Ann", "Zoë"]] * 2
    assert [row["answers"] for row in rows] == [["Ann", "Zoë"], ["Zoë"]]
    assert [row["passage"] for row in rows] == [text] * 2


def test_missing_spans_are_appended_to_the_text() -> None:
    columns = {
        "passage": ["bob"],
        "query": ["q"],
        "entities": [["ann", "bo"]],
        "answers": [["ann"]],
    }
    rows = json_reader(RECORD).complete(pa.RecordBatch.from_pydict(columns), 1)
    output = MemoryOutput()
    json_reader(RECORD).write(rows, {"text": output})
    (row,) = read(RECORD, output.files[""])
    assert row["entities"] == ["ann", "bo"]
    assert row["passage"] == "bob ann"


def test_values_keep_their_types() -> None:
    options = {
        "columns": {"b": "b", "i": "i", "n": "n", "s": "s", "l": "l[]"},
        "types": {"b": "boolean", "i": "integer", "n": "number", "l": "boolean"},
    }
    rows = read(
        options,
        jsonl(
            {"b": True, "i": 2**63 - 1, "n": 1, "s": "true", "l": [True, False]},
            {"b": False, "i": -(2**63), "n": 0.5, "s": "", "l": []},
        ),
    )
    assert rows[0] == {"b": True, "i": 2**63 - 1, "n": 1.0, "s": "true", "l": [True, False]}
    assert rows[1] == {"b": False, "i": -(2**63), "n": 0.5, "s": "", "l": []}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("string", ["1", "null", "true", "[]", "{}"]),
        ("integer", ['"1"', "1.0", "true", "null", "9223372036854775808", "1" * 400]),
        ("number", ['"1"', "true", "null", "9007199254740993", "1" * 400, "[1]"]),
        ("boolean", ["1", '"true"', "null"]),
    ],
)
def test_value_of_another_type_is_rejected_with_line_and_key(kind: str, values: list[str]) -> None:
    valid = {"string": '""', "integer": "1", "number": "1.5", "boolean": "false"}[kind]
    for value in values:
        data = f'{{"a": {{"k": {valid}}}}}\n{{"a": {{"k": {value}}}}}\n'.encode()
        with pytest.raises(ReadError, match=r"^file-0: line 2: a\.k is "):
            read({"columns": {"c": "a.k"}, "types": {"c": kind}}, data)


@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        (FLAT, '{"text": "", "label": ""}\n{"text": ""}', "line 2: the document has no key"),
        (FLAT, "[]", "line 1: the document is a list, not an object"),
        (FLAT, "null", "line 1: the document is null, not an object"),
        (FLAT, '{"text": "", "label": ""} x', "line 1: JSON is malformed"),
        (FLAT, '{"text": NaN, "label": ""}', "line 1: text is a number, not a string"),
        (SQUAD, '{"data": {}}', "data is an object, not a list"),
        (SQUAD, '{"data": []', "Input data was truncated"),
        (SQUAD, "", "Input data was truncated"),
        (
            SQUAD,
            '{"data": [{"title": "", "paragraphs": [{"context": "", "qas": [{"id": 7}]}]}]}',
            "data[0].paragraphs[0].qas[0].id is a number, not a string",
        ),
        (
            SQUAD,
            '{"data": [{"paragraphs": []}, {"paragraphs": [{"qas": [{"id": ""}]}]}]}',
            "data[1] has no key 'title'",
        ),
        (
            MULTIRC,
            '{"passage": {"questions": [{}]}}',
            "line 1: passage.questions[0] has no key 'answers'",
        ),
    ],
)
def test_mismatch_is_rejected_with_its_path(
    options: dict[str, Any], data: str, message: str
) -> None:
    with pytest.raises(ReadError, match=re.escape(f"file-0: {message}")):
        read(options, data.encode())


@pytest.mark.parametrize("span", [[3, 5], [-1, 0], [2, 1], [0, "1"], [True, 1], [0, 3], [0, None]])
def test_spans_out_of_bounds_are_rejected(span: list[Any]) -> None:
    passage = {"text": "abc", "entities": [{"start": span[0], "end": span[1]}]}
    with pytest.raises(ReadError, match=r"file-0: line 1: passage\.entities"):
        read(RECORD, jsonl({"passage": passage, "qas": [{"query": "", "answers": []}]}))


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":' * 100_000,
        b"[" * 100_000,
        b'{"text": "\xff", "label": ""}',
        b'{"text": "\\ud800", "label": ""}',
        b'{"text": "\0", "label": ""}',
        '{"text": "", "label": ""}'.encode("utf-16"),
        b'{"text": 1e999, "label": ""}',
        bytes(70 << 20),
    ],
    ids=["objects", "lists", "utf-8", "surrogate", "nul", "utf-16", "infinity", "zeros"],
)
def test_hostile_line_is_rejected(data: bytes) -> None:
    with pytest.raises(ReadError, match="file-0: line 1"):
        read(FLAT, data)


def test_blank_lines_are_not_rows() -> None:
    """Blank lines can have Windows line endings."""
    document = b'{"text": "a", "label": "b"}'
    assert len(read(FLAT, b"\n" + document + b"\r\n\n \t\r\n" + document)) == 2


def test_rows_with_shared_text_are_split_into_batches() -> None:
    """A long passage is not repeated for all of its queries in one batch."""
    queries = [{"query": str(i), "answers": []} for i in range(3000)]
    passage = {"text": "x" * 100_000, "entities": []}
    files = {"text": [MemoryFile("file", jsonl({"passage": passage, "qas": queries}))]}
    sizes = [(batch.num_rows, batch.nbytes) for batch in json_reader(RECORD).read(files)]
    assert sum(rows for rows, _ in sizes) == 3000
    assert max(size for _, size in sizes) < 16 << 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {}}, "`columns` is empty"),
        ({"columns": {"a": "a..b"}}, "is not a path"),
        ({"columns": {"a": "a[0]"}}, "is not a path"),
        ({"columns": {"a": "a."}}, "is not a path"),
        ({"columns": {"a": "a[].b[]"}}, "two lists below the row"),
        ({"columns": {"a": "a", "b": "a.b"}}, "one path contains the other"),
        ({"columns": {"a": "a", "b": "a"}}, "have the same path"),
        ({"columns": {"a": "a"}, "rows": "a"}, "must end with a list"),
        ({"columns": {"a": "a"}, "types": {"b": "string"}}, "'b' is not in `columns`"),
        ({"columns": {"a": "a"}, "types": {"a": "text"}}, "types"),
        ({"columns": {"a": "a"}, "distinct": ["a"]}, "not a column of lists"),
        ({"columns": {"a": "a[]"}, "spans": {"a": "text"}}, "path of a text column"),
        ({"columns": {"a": "a[]", "b": "b[]"}, "spans": {"a": "b[]"}}, "path of a text column"),
        (
            {"columns": {"a": "a[]", "b": "b"}, "spans": {"a": "b"}, "types": {"b": "number"}},
            "path of a text column",
        ),
        ({"columns": {"a": "a"}, "lines": False}, "inside the first list"),
        ({"columns": {"a": "x"}, "rows": "a[]", "lines": False}, "inside the first list"),
    ],
)
def test_invalid_options_are_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        json_reader(options)


@pytest.mark.parametrize(
    ("kind", "value"), [("integer", "choice1"), ("boolean", "yes"), ("number", "many")]
)
def test_classes_without_their_codes_are_not_written(kind: str, value: str) -> None:
    """A label is written as the upstream number or boolean, never as the class name."""
    rows = pa.RecordBatch.from_pydict({"label": [value]})
    with pytest.raises(SchemaError, match="column label"):
        json_reader({"columns": {"label": "label"}, "types": {"label": kind}}).write(
            rows, {"text": MemoryOutput()}
        )


def test_lists_of_different_lengths_are_not_written() -> None:
    rows = next(json_reader(SQUAD).read({"text": [MemoryFile("f", json.dumps(ONE).encode())]}))
    i = rows.schema.get_field_index("answer_start")
    longer = rows.set_column(i, "answer_start", pa.array([[1, 2, 3]]))
    with pytest.raises(SchemaError, match="answer_start"):
        json_reader(SQUAD).write(longer, {"text": MemoryOutput()})


ONE = {
    "data": [
        {
            "title": "T",
            "paragraphs": [
                {
                    "context": "C",
                    "qas": [
                        {"id": "a", "question": "?", "answers": [{"text": "C", "answer_start": 0}]}
                    ],
                }
            ],
        }
    ]
}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["data", "text", "label", "qas"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.one_of(st.binary(max_size=60), values.map(lambda value: json.dumps(value).encode())))
def test_any_bytes_are_read_or_rejected(data: bytes) -> None:
    lists = {"lines": False, "rows": "data[]", "columns": {"t": "data[].text"}}
    for options in (FLAT, lists):
        try:
            read(options, data)
        except ReadError as error:
            assert str(error).startswith("file-0: ")  # noqa: PT017


@given(st.integers(0, 400), st.integers(0, 255))
def test_damaged_document_is_read_or_rejected(place: int, byte: int) -> None:
    data = bytearray(json.dumps(ONE).encode())
    data[place % len(data)] = byte
    try:
        read(SQUAD, bytes(data))
    except ReadError as error:
        assert str(error).startswith("file-0: ")  # noqa: PT017


@pytest.mark.parametrize(
    ("options", "data"),
    [
        ({"columns": {"a": "a"}}, b'{"a": "1"}\n{"a": "2"}\n'),
        ({"columns": {"a": "[].a"}, "rows": "[]", "lines": False}, b'[{"a": "1"}, {"a": "2"}]'),
    ],
    ids=["lines", "document"],
)
def test_byte_order_mark_is_ignored(options: dict[str, Any], data: bytes) -> None:
    expected = [{"a": "1"}, {"a": "2"}]
    assert read({"format": "json", **options}, b"\xef\xbb\xbf" + data) == expected


def test_last_value_of_a_repeated_key_counts() -> None:
    data = b'{"a": "1", "a": "2"}'
    assert read({"format": "json", "columns": {"a": "a"}}, data) == [{"a": "2"}]


def test_base64_is_decoded() -> None:
    options = {"format": "json", "columns": {"x": "x"}, "types": {"x": "base64"}}
    file = MemoryFile("x", b'{"x": "AP8="}\n{"x": null}\n{"x": ""}\n')
    (batch,) = formats.create(options).read({"rows": [file]})
    assert batch["x"].to_pylist() == [b"\0\xff", None, b""]
    for text in (b'{"x": "A"}', b'{"x": "A=B"}', b'{"x": 1}', b'{"x": "\xc3\xa9"}'):
        with pytest.raises(ReadError, match="not base64"):
            list(formats.create(options).read({"rows": [MemoryFile("x", text)]}))
