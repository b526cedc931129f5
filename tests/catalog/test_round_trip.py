"""Test that manifests survive TOML and JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import Registry
from dshub.catalog.parsing import from_json, parse, to_json
from dshub.errors import ManifestError

KEYS = st.from_regex(r"[a-z0-9]{1,8}(?:[_-][a-z0-9]{1,8})?", fullmatch=True)
WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
LABELS = st.fixed_dictionaries(
    {"kind": st.just("label"), "names": st.lists(WORDS, min_size=1, max_size=5, unique=True)},
    optional={"first": st.integers(1, 5)},  # JSON leaves out defaults
)
NUMBERS = st.fixed_dictionaries(
    {"kind": st.just("number"), "dtype": st.sampled_from(["uint8", "int64", "float32"])},
    optional={"shape": st.lists(st.integers(1, 9), min_size=1, max_size=3)},
)
IMAGES = st.fixed_dictionaries(
    {"kind": st.just("image"), "shape": st.lists(st.integers(1, 99), min_size=3, max_size=3)}
)
FEATURES = st.one_of(LABELS, NUMBERS, IMAGES, st.just({"kind": "text"}))


def toml(value: object) -> str:
    """Format a value as TOML on one line."""
    if isinstance(value, dict):
        inside = (f"{json.dumps(key)} = {toml(item)}" for key, item in value.items())
        return f"{{ {', '.join(inside)} }}"
    if isinstance(value, list):
        return f"[{', '.join(toml(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@st.composite
def contents(draw: st.DrawFn) -> dict[str, object]:
    """Draw the content of a valid manifest."""
    sums = draw(st.dictionaries(KEYS, HEX, min_size=1, max_size=4))
    resources = {
        name: {"urls": [f"https://data.example/{name}"], "sha256": value}
        for name, value in sums.items()
    }
    files = {f"part{i}": name for i, name in enumerate(resources)}
    rows = draw(st.dictionaries(KEYS, st.integers(1, 2**52), min_size=1, max_size=3))
    words = {key: draw(WORDS) for key in ("title", "summary", "task")}
    words["homepage"] = f"https://data.example/{draw(WORDS)}"
    return {
        "schema": 1,
        "name": draw(st.sampled_from(["tiny", "family/member", "a-b.c_d"])),
        "version": ".".join(str(draw(st.integers(0, 99))) for _ in range(3)),
        **words,
        "tags": draw(st.lists(WORDS, max_size=3)),
        "resources": resources,
        "features": draw(st.dictionaries(KEYS, FEATURES, min_size=1, max_size=4)),
        "splits": {
            name: {"rows": count, "reader": {"format": "idx"}, "files": files}
            for name, count in rows.items()
        },
    }


@given(contents())
def test_manifest_survives_toml_and_json(content: dict[str, object]) -> None:
    text = "\n".join(f"{key} = {toml(value)}" for key, value in content.items())
    manifest = parse(text, source="made.toml")
    parsed = from_json(to_json(manifest))
    assert parsed == manifest
    assert parsed.digest == manifest.digest
    plain = json.loads(to_json(parsed))
    assert {key: plain.get(key, []) for key in content} == content
    for key in ("resources", "features", "splits"):
        table = content[key]
        assert isinstance(table, dict)
        assert list(getattr(parsed, key)) == list(table)


@pytest.mark.parametrize("name", Registry().names())
def test_built_in_manifests_keep_their_order(name: str) -> None:
    manifest = Registry().manifest(name)
    parsed = from_json(to_json(manifest))
    assert parsed == manifest
    assert list(parsed.splits) == list(manifest.splits)
    assert list(parsed.features) == list(manifest.features)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b'{"schema": 2}'], ids=repr)
def test_invalid_json_is_a_manifest_error(data: bytes) -> None:
    with pytest.raises(ManifestError):
        from_json(data)
