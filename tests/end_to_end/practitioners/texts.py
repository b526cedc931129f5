"""Texts: documents in folders, lines, token labels, chats, questions, translations.

55. reviews, a file per document, in train and test (IMDb)
56. documents in folders of classes, in cp1252
57. documents without classes
58. lines of a corpus
59. sentences and labels in two columns without a header (SST-2)
60. token labels in columns (CoNLL)
61. chats in JSON Lines, with optional keys
62. instructions in a JSON list (Alpaca)
63. questions with nested answers (SQuAD)
64. preferences: a prompt, and a chosen and a rejected answer
65. translations in JSON Lines
66. columns of pandas (`to_json` without options)
"""

import json
from typing import Any

from tests.end_to_end.practitioners.case import Case, from_
from tests.end_to_end.practitioners.files import jsonl, text, tree

CHATS: Any = [
    {
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hé", "name": "bot"},
        ]
    },
    {"messages": [{"role": "user", "content": "Bye"}], "source": "web"},
]
CHAT_COLUMNS: Any = {
    "messages": [
        [
            {"role": "user", "content": "Hi", "name": None},
            {"role": "assistant", "content": "Hé", "name": "bot"},
        ],
        [{"role": "user", "content": "Bye", "name": None}],
    ],
    "source": [None, "web"],
}
ALPACA: Any = [
    {"instruction": "Add.", "input": "1 2", "output": "3"},
    {"instruction": "Name a color.", "input": "", "output": "red"},
]
SQUAD: Any = {
    "version": "1.1",
    "data": [
        {
            "title": "Rhine",
            "paragraphs": [
                {
                    "context": "The Rhine is long.",
                    "qas": [
                        {
                            "id": "q1",
                            "question": "What is long?",
                            "answers": [{"text": "The Rhine", "answer_start": 0}],
                        }
                    ],
                }
            ],
        }
    ],
}
PREFERENCES: Any = [
    {"prompt": "2+2?", "chosen": "4", "rejected": "5"},
    {"prompt": "3+3?", "chosen": "6", "rejected": "7"},
]
TRANSLATIONS: Any = [
    {"translation": {"en": "Good day", "de": "Guten Tag"}},
    {"translation": {"en": "Bye", "de": "Tschüss"}},
]


def columns(rows: Any) -> dict[str, list[Any]]:
    """Return the values of rows by column."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def from_json(name: str) -> Any:
    return lambda folder: from_.from_json(folder / name)


CASES = [
    Case(
        "reviews, a file per document, in train and test (IMDb)",
        tree(
            {
                "train/neg/0_2.txt": "Bad.<br />Really.",
                "train/pos/0_9.txt": "Good, schön.",
                "test/pos/1_10.txt": "Great.\n",
                "test/neg/1_1.txt": "Awful.",
                "README": "About this data set.",
            }
        ),
        {
            "train": {"text": ["Bad.<br />Really.", "Good, schön."], "label": ["neg", "pos"]},
            "test": {"text": ["Awful.", "Great.\n"], "label": ["neg", "pos"]},
        },
        ("{}/train", "{}/test"),
        lambda folder: {n: from_.from_folder(folder, n) for n in ("train", "test")},
    ),
    Case(
        "documents in folders of classes, in cp1252",
        tree(
            {
                "news/sport/1.txt": "Köln siegt".encode("cp1252"),
                "news/wetter/1.txt": "Schön".encode("cp1252"),
            }
        ),
        {"train": {"text": ["Köln siegt", "Schön"], "label": ["sport", "wetter"]}},
        ("{}/news", "--encoding", "cp1252"),
        lambda folder: from_.from_folder(folder / "news", encoding="cp1252"),
    ),
    Case(
        "documents without classes",
        tree({"docs/a.txt": "First.\nStill first.", "docs/b.txt": "Second."}),
        {"train": {"text": ["First.\nStill first.", "Second."]}},
        ("{}/docs",),
        lambda folder: from_.from_folder(folder / "docs"),
        asks="lines",
    ),
    Case(
        "lines of a corpus",
        text("corpus.txt", "First line.", "", "Third, with a comma.", "Vierte: größer."),
        {"train": {"text": ["First line.", "Third, with a comma.", "Vierte: größer."]}},
        ("{}/corpus.txt",),
    ),
    Case(
        "sentences and labels in two columns without a header (SST-2)",
        text("train.tsv", "hide new secretions\t0", "contains no wit\t0", "a joy\t1"),
        {
            "train": {
                "column_1": ["hide new secretions", "contains no wit", "a joy"],
                "column_2": ["0", "0", "1"],
            }
        },
        ("{}/train.tsv", "--label", "column_2"),
    ),
    Case(
        "token labels in columns (CoNLL)",
        text("ner.conll", "EU B-ORG", "rejects O", "", "Peter B-PER", "Blackburn I-PER", ""),
        {"train": {"text": ["EU B-ORG", "rejects O", "Peter B-PER", "Blackburn I-PER"]}},
        ("{}/ner.conll",),
        asks="token labels",
    ),
    Case(
        "chats in JSON Lines, with optional keys",
        jsonl("chats.jsonl", *CHATS),
        {"train": CHAT_COLUMNS},
        ("{}/chats.jsonl",),
        from_json("chats.jsonl"),
    ),
    Case(
        "instructions in a JSON list (Alpaca)",
        tree({"alpaca.json": json.dumps(ALPACA, indent=4)}),
        {"train": columns(ALPACA)},
        ("{}/alpaca.json",),
        from_json("alpaca.json"),
    ),
    Case(
        "questions with nested answers (SQuAD)",
        tree({"train-v1.1.json": json.dumps(SQUAD)}),
        {"train": columns(SQUAD["data"])},
        ("{}/train-v1.1.json",),
    ),
    Case(
        "preferences: a prompt, and a chosen and a rejected answer",
        jsonl("dpo.jsonl", *PREFERENCES),
        {"train": columns(PREFERENCES)},
        ("{}/dpo.jsonl",),
        from_json("dpo.jsonl"),
    ),
    Case(
        "translations in JSON Lines",
        jsonl("wmt.jsonl", *TRANSLATIONS),
        {"train": columns(TRANSLATIONS)},
        ("{}/wmt.jsonl",),
        from_json("wmt.jsonl"),
    ),
    Case(
        "columns of pandas (`to_json` without options)",
        tree({"frame.json": json.dumps({"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}})}),
        arguments=("{}/frame.json",),
        opened=from_json("frame.json"),
        refused='df.to_json("data.jsonl", orient="records", lines=True)',
        refused_by_from="columns or an index, not rows",
    ),
]
