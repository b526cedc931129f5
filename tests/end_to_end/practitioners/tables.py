"""Tables: CSV of pandas, spreadsheets, UCI, MovieLens and Kaggle; JSON; Parquet; other files.

1. CSV of pandas with its index
2. CSV of a German spreadsheet: `;`, decimal commas, cp1252
3. TSV with quotes in fields
4. CSV of a spreadsheet in UTF-8 with a byte order mark
5. "Unicode text" of a spreadsheet: tabs in UTF-16
6. CSV with gaps in 64-bit ids
7. CSV of ZIP codes with leading zeros
8. CSV with years as names of columns
9. UCI file without a header, with a blank line at the end
10. MovieLens ratings, separated by `::`
11. UCI table separated by blanks
12. CSV with blanks after commas
13. lines that end with a delimiter
14. Kaggle train.csv and test.csv, where the test has no label
15. CSV with line breaks and long texts in quotes
16. CSV of text with `NA` and empty fields
17. Parquet of pandas with nulls, bools and dates
18. Parquet of pandas with a categorical column
19. Parquet folders `year=2023`
20. Parquet with a column of embeddings
21. Parquet shards of a Hugging Face dataset, with images
22. JSON Lines with a byte order mark and Windows line ends
23. JSON list of records, with null and missing keys
24. LIBSVM file
25. ARFF file
26. spreadsheet
27. pointer of Git LFS in place of a CSV file
28. bool and yes/no columns
29. CSV with two columns of the same name
30. an empty CSV file
"""

import datetime as dt
import io
import zipfile
from json import dumps
from typing import Any

import pyarrow as pa

from tests.end_to_end.practitioners.case import Case, Solid, from_
from tests.end_to_end.practitioners.files import both, parquet, solid, text, tree


def csv(name: str, **options: Any) -> Any:
    return lambda folder: from_.from_csv(folder / name, **options)


def json(name: str) -> Any:
    return lambda folder: from_.from_json(folder / name)


def from_parquet(name: str) -> Any:
    return lambda folder: from_.from_parquet(folder / name)


def images(*grays: int) -> pa.Table:
    """Return a table of images and classes, with the features as Hugging Face writes them."""
    rows = [{"bytes": solid((4, 5), (gray,) * 3), "path": f"{gray}.png"} for gray in grays]
    labels = [number % 2 for number in range(len(grays))]
    features = {
        "image": {"_type": "Image"},
        "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
    }
    info = dumps({"info": {"features": features}})
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table({"image": pa.array(rows, kind), "label": pa.array(labels, pa.int64())})
    return table.replace_schema_metadata({"huggingface": info})


def spreadsheet() -> bytes:
    """Return the files of a spreadsheet, which is a zip of XML files."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name in ("[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"):
            archive.writestr(name, '<?xml version="1.0"?><a/>')
    return sink.getvalue()


LONG = "x" * 150_000
WINDOWS: Any = {"encoding": "utf-8-sig", "end": "\r\n"}
BIG = 9_007_199_254_740_993  # 2**53 + 1

CASES = [
    Case(
        "CSV of pandas with its index",
        text("data.csv", ",height,name", "0,1.5,Ada", "1,2.5,Bob", "2,3.5,Cy"),
        {"train": {"height": [1.5, 2.5, 3.5], "name": ["Ada", "Bob", "Cy"]}},
        ("{}/data.csv",),
        csv("data.csv"),
        asks="counts rows, as the index of pandas",
    ),
    Case(
        "CSV of a German spreadsheet: ;, decimal commas, cp1252",
        text("preise.csv", "Ort;Preis", "Köln;1.234,50", "Münster;0,5", encoding="cp1252"),
        {"train": {"ort": ["Köln", "Münster"], "preis": [1234.5, 0.5]}},
        ("{}/preise.csv", "--encoding", "cp1252", "--decimal-comma", "Preis"),
        csv("preise.csv", encoding="cp1252", decimal=","),
        elsewhere={"train": {"Ort": ["Köln", "Münster"], "Preis": [1234.5, 0.5]}},
    ),
    Case(
        "TSV with quotes in fields",
        text("s.tsv", "text\tn", 'a 5" disk\t1', '"quoted ""b"""\t2', "plain\t3"),
        {"train": {"text": ['a 5" disk', 'quoted "b"', "plain"], "n": [1, 2, 3]}},
        ("{}/s.tsv",),
        csv("s.tsv"),
    ),
    Case(
        "CSV of a spreadsheet in UTF-8 with a byte order mark",
        text("bom.csv", "id,höhe", "1,2", "2,3", encoding="utf-8-sig", end="\r\n"),
        {"train": {"id": [1, 2], "hohe": [2, 3]}},
        ("{}/bom.csv",),
        csv("bom.csv"),
        elsewhere={"train": {"id": [1, 2], "höhe": [2, 3]}},
    ),
    Case(
        "Unicode text of a spreadsheet: tabs in UTF-16",
        text("export.txt", "city\tn", "Łódź\t1", "Æbeltoft\t2", encoding="utf-16", end="\r\n"),
        {"train": {"city": ["Łódź", "Æbeltoft"], "n": [1, 2]}},
        ("{}/export.txt",),
        csv("export.txt"),
    ),
    Case(
        "CSV with gaps in 64-bit ids",
        text("users.csv", "user,score", f"{BIG},1.5", ",2.5", f"{BIG + 2},"),
        {"train": {"user": [BIG, None, BIG + 2], "score": [1.5, 2.5, None]}},
        ("{}/users.csv",),
        csv("users.csv"),
    ),
    Case(
        "CSV of ZIP codes with leading zeros",
        text("zip.csv", "zip,n", "02134,1", "10001,2", "94105,3"),
        {"train": {"zip": ["02134", "10001", "94105"], "n": [1, 2, 3]}},
        ("{}/zip.csv",),
        csv("zip.csv"),
    ),
    Case(
        "CSV with years as names of columns",
        text("gdp.csv", "2019,2020,2021", "1.5,2.5,3.5", "4.5,5.5,6.5"),
        {"train": {"2019": [1.5, 4.5], "2020": [2.5, 5.5], "2021": [3.5, 6.5]}},
        ("{}/gdp.csv",),
        csv("gdp.csv"),
        asks="header",
    ),
    Case(
        "UCI file without a header, with a blank line at the end",
        text("iris.data", "5.1,3.5,setosa", "7.0,3.2,versicolor", "6.3,3.3,setosa", ""),
        {
            "train": {
                "column_1": [5.1, 7.0, 6.3],
                "column_2": [3.5, 3.2, 3.3],
                "column_3": ["setosa", "versicolor", "setosa"],
            }
        },
        ("{}/iris.data", "--no-header"),
        csv("iris.data", header=False),
    ),
    Case(
        "MovieLens ratings, separated by ::",
        text("ratings.dat", "1::1193::5::978300760", "1::661::3::978302109", "2::914::3::97830"),
        {
            "train": {
                "column_1": [1, 1, 2],
                "column_2": [1193, 661, 914],
                "column_3": [5, 3, 3],
                "column_4": [978300760, 978302109, 97830],
            }
        },
        ("{}/ratings.dat",),
        csv("ratings.dat", delimiter="::", header=False),
    ),
    Case(
        "UCI table separated by blanks",
        text("seeds.txt", "15.26  14.84  1", "14.88   4.57  2", " 1.29  14.09  1"),
        {
            "train": {
                "column_1": [15.26, 14.88, 1.29],
                "column_2": [14.84, 4.57, 14.09],
                "column_3": [1, 2, 1],
            }
        },
        ("{}/seeds.txt", "--delimiter", "blanks", "--no-header"),
        csv("seeds.txt", delimiter="blanks", header=False),
    ),
    Case(
        "CSV with blanks after commas",
        text("adult.csv", "age, job", "39, clerk", "50, boss"),
        {"train": {"age": [39, 50], "job": ["clerk", "boss"]}},
        ("{}/adult.csv",),
        csv("adult.csv"),
    ),
    Case(
        "lines that end with a delimiter",
        text("cars.csv", "name|mpg|", "a|18.5|", "b|15|"),
        {"train": {"name": ["a", "b"], "mpg": [18.5, 15.0]}},
        ("{}/cars.csv",),
        csv("cars.csv"),
    ),
    Case(
        "Kaggle train.csv and test.csv, where the test has no label",
        both(
            text("train.csv", "PassengerId,Age,Survived", "1,22,0", "2,38,1", "3,,1", "4,35,0"),
            text("test.csv", "PassengerId,Age", "5,34.5", "6,"),
        ),
        {
            "train": {
                "passengerid": [1, 2, 3, 4],
                "age": [22.0, 38.0, None, 35.0],
                "survived": ["0", "1", "1", "0"],
            },
            "test": {"passengerid": [5, 6], "age": [34.5, None]},
        },
        ("{}", "--label", "Survived"),
        asks="split test has no column survived",
    ),
    Case(
        "CSV with line breaks and long texts in quotes",
        text("posts.csv", "id,body", '1,"two\nlines, ""quoted"""', f'2,"{LONG}"'),
        {"train": {"id": [1, 2], "body": ['two\nlines, "quoted"', LONG]}},
        ("{}/posts.csv",),
        csv("posts.csv"),
    ),
    Case(
        "CSV of text with NA and empty fields",
        text("survey.csv", "country,n", "NA,1", ",2", "Namibia,NA", "None,4"),
        {"train": {"country": ["NA", "", "Namibia", "None"], "n": [1, 2, None, 4]}},
        ("{}/survey.csv",),
        csv("survey.csv"),
        asks="NA",
    ),
    Case(
        "Parquet of pandas with nulls, bools and dates",
        parquet(
            "events.parquet",
            lambda: pa.table(
                {
                    "n": pa.array([1, None, 3], pa.int64()),
                    "ok": pa.array([True, None, False]),
                    "day": pa.array([dt.date(2024, 2, 29), None, dt.date(1999, 1, 1)]),
                    "x": pa.array([0.5, float("nan"), None]),
                }
            ),
        ),
        {
            "train": {
                "n": [1, None, 3],
                "ok": [True, None, False],
                "day": [dt.date(2024, 2, 29), None, dt.date(1999, 1, 1)],
                "x": [0.5, None, None],
            }
        },
        ("{}/events.parquet",),
        from_parquet("events.parquet"),
    ),
    Case(
        "Parquet of pandas with a categorical column",
        parquet(
            "animals.parquet",
            lambda: pa.table(
                {
                    "animal": pa.DictionaryArray.from_arrays(
                        pa.array([2, 0, 1], pa.int8()), pa.array(["cat", "dog", "emu"])
                    ),
                    "kg": pa.array([40.0, 4.5, 9.0]),
                }
            ),
        ),
        {"train": {"animal": ["emu", "cat", "dog"], "kg": [40.0, 4.5, 9.0]}},
        ("{}/animals.parquet",),
        from_parquet("animals.parquet"),
    ),
    Case(
        "Parquet folders year=2023",
        both(
            parquet("sales/year=2023/part-0.parquet", lambda: pa.table({"n": [1, 2]})),
            parquet("sales/year=2024/part-0.parquet", lambda: pa.table({"n": [3]})),
        ),
        {"train": {"n": [1, 2, 3], "year": [2023, 2023, 2024]}},
        ("{}/sales",),
        from_parquet("sales"),
    ),
    Case(
        "Parquet with a column of embeddings",
        parquet(
            "vectors.parquet",
            lambda: pa.table(
                {
                    "id": [1, 2],
                    "vector": pa.array([[0.5, 1.5], [2.5, 3.5]], pa.list_(pa.float32())),
                }
            ),
        ),
        {"train": {"id": [1, 2], "vector": [[0.5, 1.5], [2.5, 3.5]]}},
        ("{}/vectors.parquet",),
        from_parquet("vectors.parquet"),
    ),
    Case(
        "Parquet shards of a Hugging Face dataset, with images",
        both(
            parquet("data/train-00000-of-00001.parquet", lambda: images(10, 20)),
            parquet("data/test-00000-of-00001.parquet", lambda: images(30)),
        ),
        {
            "train": {
                "image": [Solid((4, 5), (10,) * 3), Solid((4, 5), (20,) * 3)],
                "label": ["cat", "dog"],
            },
            "test": {"image": [Solid((4, 5), (30,) * 3)], "label": ["cat"]},
        },
    ),
    Case(
        "JSON Lines with a byte order mark and Windows line ends",
        text("a.jsonl", '{"t": "é", "n": 1}', '{"t": "b", "n": 2}', **WINDOWS),
        {"train": {"t": ["é", "b"], "n": [1, 2]}},
        ("{}/a.jsonl",),
        json("a.jsonl"),
    ),
    Case(
        "JSON list of records, with null and missing keys",
        text("r.json", '[{"a": 1, "b": "x"}, {"a": null, "b": "y"}, {"b": "z"}]'),
        {"train": {"a": [1, None, None], "b": ["x", "y", "z"]}},
        ("{}/r.json",),
        json("r.json"),
    ),
    Case(
        "LIBSVM file",
        text("a1a.svm", "+1 1:0.5 3:1", "-1 2:2", "+1 3:0.5"),
        {
            "train": {
                "label": ["1", "-1", "1"],
                "values": [[0.5, 0.0, 1.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.5]],
            }
        },
        ("{}/a1a.svm",),
        asks="numbers are read as classes",
        classes={"label": ("-1", "1")},
    ),
    Case(
        "ARFF file",
        text("w.arff", "@relation w", "@attribute t numeric", "@data", "1", "2"),
        arguments=("{}/w.arff",),
        refused="ARFF",
    ),
    Case(
        "spreadsheet",
        tree({"t.xlsx": spreadsheet}),
        arguments=("{}/t.xlsx",),
        refused="a spreadsheet; save each sheet as CSV",
    ),
    Case(
        "pointer of Git LFS in place of a CSV file",
        text(
            "train.csv",
            "version https://git-lfs.github.com/spec/v1",
            "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393",
            "size 12345",
        ),
        arguments=("{}/train.csv",),
        opened=csv("train.csv"),
        refused="git lfs pull",
        refused_by_from="a Git LFS pointer",
    ),
    Case(
        "bools as True and False, and yes/no classes",
        text("b.csv", "ok,smoker", "True,yes", "False,no", "True,no"),
        {"train": {"ok": [True, False, True], "smoker": ["yes", "no", "no"]}},
        ("{}/b.csv", "--label", "smoker"),
        csv("b.csv"),
    ),
    Case(
        "CSV with two columns of the same name",
        text("d.csv", "x,x,y", "1,2,3"),
        arguments=("{}/d.csv",),
        refused="x",
    ),
    Case(
        "an empty CSV file",
        text("e.csv"),
        arguments=("{}/e.csv",),
        opened=csv("e.csv"),
        refused="empty",
        refused_by_from="empty",
    ),
]
