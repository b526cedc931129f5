import pickle
import sys
import time
from types import SimpleNamespace

import pytest

from dshub import Settings
from dshub.display import (
    cause,
    harmless,
    in_notebook,
    one_line,
    redacted,
    shown_url,
    without_secrets,
)
from dshub.errors import DshubError, FetchError, ManualStepError, StoreError, TransportError


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:pw@host.example/x", "https://…@host.example/x"),
        ("https://token@host.example/x", "https://…@host.example/x"),
        ("https://first.last:pw@host/x", "https://…@host/x"),
        ("https://user:p/w@host/x", "https://…@host/x"),
        ("https://user:1/w@host/x", "https://…@host/x"),
        ("https://user:p@w@host/x", "https://…@host/x"),
        ("https://user:p w@host/x", "https://…@host/x"),
        ("https://user:p?w=1@host/x", "https://…@host/x"),
        ("user:pw@host/x", "…@host/x"),
        ("http:/user:pw@host/x", "…@host/x"),
        ("s3://key:sec/ret@bucket/x", "s3://…@bucket/x"),
        ("https://host.example/x?token=abc&sig=d", "https://host.example/x?token=…&sig=…"),
        ("https://host.example/x?abc", "https://host.example/x?…"),
        ("https://localhost/x?mail=a@b", "https://localhost/x?mail=…"),
        ("https://cdn.example/npm/package@1.0/x", "https://cdn.example/npm/package@1.0/x"),
        ("https://host.example:8000/x", "https://host.example:8000/x"),
        ("file:///home/me@work/x", "file:///home/me@work/x"),
        ("/media/me:too@stick", "/media/me:too@stick"),
        ("C:\\me:too@stick", "C:\\me:too@stick"),
    ],
)
def test_address_is_shown_without_its_secrets(address: str, shown: str) -> None:
    """User, password and query values are hidden; an `@` in a path is not."""
    assert shown_url(address) == shown
    assert shown_url(shown) == shown


def test_secrets_of_all_addresses_in_a_message_are_hidden() -> None:
    text = "mirrors ['http://u:pw@a', 'http://b/?k=pw'] and https://c.example/?k=pw: 503 (pw?)"
    assert redacted(text) == (
        "mirrors ['http://…@a', 'http://b/?k=…'] and https://c.example/?k=…: 503 (pw?)"
    )
    assert redacted("Max retries exceeded with url: /x?k=pw (Caused by") == (
        "Max retries exceeded with url: /x?k=… (Caused by"
    )
    assert redacted("why? because a/b=c@1.0") == "why? because a/b=c@1.0"


def test_every_error_hides_secrets() -> None:
    error = DshubError(
        "no http://u:pw@h/x", details=["in http://h/?k=pw"], hint="ask http://u:pw@h"
    )
    message = f"{error} {error.hint} {error.__notes__} {pickle.loads(pickle.dumps(error))}"
    assert "pw" not in message
    assert str(pickle.loads(pickle.dumps(error))) == "no http://…@h/x\n  in http://h/?k=…"
    transport = TransportError(url="s3://k:sec ret@b", reason="bucket 'k:sec ret@b' is no name")
    assert "ret" not in f"{transport} {transport.reason}"
    store = StoreError(path="s3://k:sec ret@b/x", action="read", reason="who is k:sec ret?")
    assert "sec" not in str(store)


def test_quoted_secret_is_hidden_without_its_address() -> None:
    address = "s3://key:a%2Fsecret@bucket?sig=signed"
    text = "no bucket 'key:a%2Fsecret@bucket', with a/secret, a%2Fsecret or signed"
    assert without_secrets(text, address) == "no bucket '…@bucket', with …, … or …"


def test_cause_that_shows_a_secret_is_dropped() -> None:
    """The traceback of the cause would show the secret."""
    plain, leaking = OSError("refused"), ValueError("no URL: user:pass@h")
    assert cause(plain, "http://user:pass@h") is plain
    assert cause(leaking, "http://user:pass@h") is None
    wrapped = OSError("refused")
    wrapped.__context__ = leaking
    assert cause(wrapped, "http://user:pass@h") is None


def test_settings_show_no_password() -> None:
    settings = Settings.read(environment={}, mirrors=["http://u:pw@h/?k=pw", "/mnt/stick"])
    assert "pw" not in repr(settings)
    assert "/mnt/stick" in repr(settings)
    assert settings.mirrors[0] == "http://u:pw@h/?k=pw"


def test_manual_instructions_keep_queries_and_lines() -> None:
    """Users need the complete URL, and each line is indented below the title."""
    error = ManualStepError(dataset="x", files={"a.tar": "see http://h/?id=1\nerror: then wait"})
    assert str(error).splitlines()[1:] == ["  a.tar: see http://h/?id=1", "    error: then wait"]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_untrusted_text_cannot_add_lines_to_an_error(end: str) -> None:
    failed = TransportError(url="http://h/x", reason=f"503 No{end}error: all is lost")
    assert str(failed) == "http://h/x: 503 No error: all is lost"
    assert len(str(FetchError(dataset="x", attempts={f"f{end}g": [failed]})).splitlines()) == 3
    assert len(str(DshubError(f"a{end}b", hint=f"c{end}d")).splitlines()) == 1


def test_terminal_commands_are_replaced() -> None:
    text = "a\x1b[31mb\x9b2Jc\x07d\u202ee\u2066f\x7f"
    plain = "a�[31mb�2Jc�d�e�f�"
    assert one_line(text) == harmless(text) == str(DshubError(text)) == plain
    assert harmless("a\nb\tc") == "a\nb\tc"
    assert one_line("a\n\tb\u2028c") == "a b c"


def test_hostile_text_is_processed_in_linear_time() -> None:
    began = time.process_time()
    for text in ("://" * 100_000 + "@", " " * 300_000 + "\n" + " " * 300_000, "?" + "&" * 300_000):
        one_line(redacted(text))
        shown_url("http://" + text)
    shown_url("http://" + "a." * 150_000 + "@")
    assert time.process_time() - began < 5


def test_imported_kernel_is_not_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries import ipykernel and IPython in plain processes, too."""
    shell = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert not in_notebook()
    shell.kernel = object()
    assert in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert not in_notebook()
