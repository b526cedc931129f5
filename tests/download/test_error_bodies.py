"""Test the recognition of errors that are sent as the content of a file."""

import pytest

from dshub.download.error_bodies import LONGEST, error_in

S3 = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>
<Key>a.gz</Key><RequestId>4442587FB7D0A2F9</RequestId></Error>"""
AZURE = b"""\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>
<Error><Code>AuthenticationFailed</Code>
<Message>Server failed to authenticate the request.\nTime:2026-01-01</Message></Error>"""
MOVED = "newer version of the dataset"


@pytest.mark.parametrize(
    ("body", "message", "step"),
    [
        (S3, "NoSuchKey: The specified key does not exist.", MOVED),
        (b"<Error><Code>SlowDown</Code></Error>", "SlowDown", "try again later"),
        (AZURE, "AuthenticationFailed: Server failed to auth", "has not expired"),
        (
            b"<Error><Code>AccessDenied</Code><Message>A &amp; B</Message></Error>",
            "A & B",
            "access",
        ),
        (b'{"error": {"code": 403, "message": "Forbidden"}}', "403: Forbidden", "access"),
        (b'{"status": 404, "message": "PID does not exist."}', "PID does not exist.", MOVED),
        (b'{"error":"Repository not found"}', "Repository not found", MOVED),
        (b'{"errors": [{"detail": "Too Many Requests"}]}', "Too Many Requests", "try again later"),
        (b'{"detail": "\\u001b[31mbroken"}', "[31mbroken", "browser"),
        (b"404: Not Found", "404: Not Found", MOVED),
    ],
)
def test_errors_name_their_message_and_the_next_step(body: bytes, message: str, step: str) -> None:
    found = error_in(body, binary=True)
    assert found is not None
    assert message in found[0]
    assert "\x1b" not in found[0]
    assert step in found[1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x1f\x8b\x08\x00",
        b"a,b\n1,2\n",
        b'{"rows": [{"message": "hello"}]}',
        b'[{"error": 0.25}]',
        b'{"error": "cut',
        b"<annotation><object><name>Error</name></object></annotation>",
        b'{"message": "' + b"x" * LONGEST + b'"}',
        b"[" * 9_000,
    ],
)
def test_other_content_is_not_an_error(body: bytes) -> None:
    assert error_in(body, binary=False) is None
