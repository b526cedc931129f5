"""Bodies that are not the file, and lengths that are not theirs."""

from dshub.testing.answers import Fault
from dshub.testing.scenarios import HALF, header, lasts, passes

_BODY = (
    passes("a page, once", Fault("page", times=1), most=1),
    passes("an encoded page, once", Fault(("page", "gzip"), times=1), most=1),
    passes("an empty 200, once", Fault("short", times=1, after=0), most=1),
    passes("204, once", Fault("status", times=1, status=204), most=1),
    passes("other bytes of the right size, once", Fault("other", times=1)),
    passes("a flipped bit, once", Fault("flip", times=1, after=HALF)),
    passes("a tail of zeros, once", Fault("zeros", times=1, after=HALF)),
    passes("bytes after the end, once", Fault("extra", times=1)),
    passes("half of it as 206, unasked, once", Fault("capped", times=1, after=HALF)),
    lasts("always a page", Fault("page"), "HTML page", code=5),
    lasts("always an encoded page", Fault(("page", "gzip")), "page|bytes", code=5),
    lasts("511 and a page", Fault(("status", "page"), status=511), "511"),
    lasts("always an empty 200", Fault("short", after=0), "empty|0 bytes", code=5),
    lasts(
        "always half of it, looking complete",
        Fault(("no-range", "short"), after=HALF),
        "short|bytes",
        code=5,
    ),
    lasts("always other bytes of the right size", Fault("other"), "sha256", code=5),
    lasts("always a flipped bit", Fault("flip", after=HALF), "sha256", code=5),
    lasts("always a tail of zeros", Fault("zeros", after=HALF), "sha256", code=5),
    lasts("always another version", Fault("old"), "sha256", code=5),
    lasts("an endless body", Fault("long"), "more bytes", code=5),
    lasts("an endless body of unknown length", Fault(("no-length", "long")), "more bytes", code=5),
    lasts("endless chunks", Fault(("chunked", "long")), "more bytes", code=5),
    lasts("a gzip bomb", Fault("bomb"), "bytes", code=5),
    lasts("endless headers", Fault("flood"), "header|cut|ended|answer"),
    lasts(
        "endless interim answers",
        Fault(("early", "hang-up"), status=100, after=1_000_000),
        "answer|cut|too slow|timed out|ended|closed|heading|header",
    ),
)

_LENGTH = (
    *(
        passes(f"Content-Length: {told}", Fault("plain", times=2, headers=headers), most=most)
        for told, headers, most in (
            ("negative", header("Content-Length", "-5"), 2),
            ("nonsense", header("Content-Length", "plenty"), 2),
            ("not a digit", header("Content-Length", "\xb2"), 2),
            (
                "two different ones",
                (("Content-Length", "{size}"), ("Content-Length", "{half}")),
                2,
            ),
        )
    ),
    passes(
        "Content-Length: half, once",
        Fault("plain", times=1, headers=header("Content-Length", "{half}")),
        most=1.5,
    ),
    passes(
        "Content-Length: too large, always",
        Fault("plain", headers=header("Content-Length", "{more}")),
        most=1,
    ),
    passes(
        "chunks and a Content-Length, once",
        Fault("chunked", times=1, headers=header("Content-Length", "5")),
    ),
    passes("chunks without a size, once", Fault("bad-chunk", times=1), most=1),
)

SCENARIOS = (*_BODY, *_LENGTH)
