"""Answers that are unusual, and right."""

from dshub.testing.answers import Fault
from dshub.testing.scenarios import Scenario, header, legal

SCENARIOS = (
    legal("nothing odd"),
    Scenario("https", "legal", place="https", most=1),
    legal("no length", Fault("no-length")),
    legal("HTTP/1.0", Fault("http10")),
    legal("HTTP/1.0 without a length", Fault(("http10", "no-length"))),
    legal("chunks", Fault("chunked")),
    legal("chunks of odd sizes, with extensions and trailers", Fault("odd-chunks")),
    *(
        legal(f"{status}, then the answer", Fault("early", status=status, after=1))
        for status in (100, 102, 103)
    ),
    legal("103 five times, then the answer", Fault("early", status=103, after=5)),
    legal("HEAD refused", Fault("status", status=405, only="HEAD")),
    legal(
        "HEAD lies",
        Fault("plain", only="HEAD", headers=(("Content-Length", "5"), ("ETag", '"no"'))),
    ),
    legal("ranges unknown", Fault("no-range", headers=header("Accept-Ranges", "none"))),
    legal("encoded, though nobody asked", Fault("gzip")),
    legal("encoded and in chunks", Fault(("gzip", "chunked"))),
    *(
        legal(f"{told}", Fault("plain", headers=headers))
        for told, headers in (
            ("labelled as encoded", header("Content-Encoding", "gzip")),
            ("Content-Encoding: identity", header("Content-Encoding", "identity")),
            ("Content-Encoding: binary", header("Content-Encoding", "binary")),
            ("Content-Type: text/html", header("Content-Type", "text/html; charset=utf-8")),
            (
                "a file name that leads out",
                header("Content-Disposition", 'attachment; filename="../../outside"'),
            ),
            ("no ETag", header("ETag", "")),
            ("a header of 8,000 bytes", header("Content-Security-Policy", "x" * 8000)),
            ("Content-Length twice", (("Content-Length", "{size}"), ("Content-Length", "{size}"))),
        )
    ),
    legal("header names in odd case", Fault("case")),
    legal("a header over several lines", Fault("fold")),
    legal("Connection: close", Fault("last-on-connection", headers=header("Connection", "close"))),
    Scenario(
        "each connection is closed after one answer",
        "legal",
        (Fault("last-on-connection"),),
        most=1,
        files=6,
    ),
    legal("2 MB/s", Fault("plain", rate=2e6), requests=0),
    legal("10 MB/s", Fault("plain", rate=1e7), requests=0),
    *(
        Scenario(
            f"two requests at a time, {status} for more",
            "passes",
            (
                Fault(
                    "crowded", after=2, status=status, rate=4e6, headers=header("Retry-After", "1")
                ),
            ),
            most=1,
            files=6,
            patient=True,
        )
        for status in (429, 503)
    ),
)
