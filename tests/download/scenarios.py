"""Behavior of download sources, each with a name and the expected outcome.

Run a downloader against each scenario, which `play` sets up::

    write_files(folder)
    for scenario in SCENARIOS:
        with play(scenario, folder) as stage:
            ...  # download stage.url + "/data-0.gz", and check the result

Offsets of faults are for the 2 MB files that `write_files` writes.
"""

from typing import Any

from dshub.testing.answers import PAUSE, Fault
from tests.download.stage import FILE_SIZE, Scenario

HALF = FILE_SIZE // 2


def _transient(name: str, *faults: Fault, most: float = 1, **options: Any) -> Scenario:
    return Scenario(name, "transient", faults, most=most, **options)


def _resumes(name: str, *faults: Fault, most: float = 2, **options: Any) -> Scenario:
    """Cut the first response halfway, then apply the faults."""
    return Scenario(name, "transient", (_CUT, *faults), most=most, **options)


def _permanent(name: str, says: str, *faults: Fault, **options: Any) -> Scenario:
    return Scenario(name, "permanent", faults, says=says, **options)


def _valid(name: str, *faults: Fault, **options: Any) -> Scenario:
    return Scenario(name, "valid", faults, most=1, **options)


def _headers(*lines: str, kind: str | tuple[str, ...] = "plain", **options: Any) -> Fault:
    """Return a fault that replaces headers, each in the form `Name: value`."""
    pairs = (line.partition(": ") for line in lines)
    return Fault(kind, headers=tuple((name, value) for name, _, value in pairs), **options)


def _redirect(location: str, **options: Any) -> Fault:
    return _headers(f"Location: {location}", kind="redirect", status=302, **options)


_SLOW = 10.0  # bytes per second
_SILENCE = "timed out|too slow|no answer|stall"
_CLOSED = "ended|cut|closed"
_PORTAL, _ELSEWHERE = "{elsewhere}/portal", "{elsewhere}{path}"
_FUTURE = "Tue, 01 Jan 2999 12:00"
_CUT = Fault("cut", times=1, after=HALF)

# columns: name, pattern of the error, faults with kind, `times` and `after`
SCENARIOS: tuple[Scenario, ...] = (
    # connections that fail or close early
    _transient("reset before the response, three times", Fault("abort", 3)),
    _transient("closed before the response, three times", Fault("hang-up", 3)),
    _transient("no response, once", Fault("silent", 1)),
    _transient("not HTTP, once", Fault("garbage", 1)),
    _transient("reset in the body, three times", Fault("reset", 3, 500_000), most=1.5),
    _transient(
        "reset in a body without length", Fault(("no-length", "reset"), 2, 500_000), most=1.5
    ),
    _transient("reset after the headers, twice", Fault("reset", 2, 0)),
    _transient("closed in the body, three times", Fault("cut", 3, 500_000)),
    _transient("closed in the body, thirty times", Fault("cut", 30, 60_000)),
    _transient("closed one byte before the end", Fault("cut", 1, -1)),
    _transient("closed after the headers, twice", Fault("cut", 2, 0)),
    _transient("closed in a body without length", Fault(("no-length", "cut"), 3, 500_000)),
    _transient("closed in a chunked body, twice", Fault(("chunked", "cut"), 2, 500_000)),
    _transient("a short body that looks complete", Fault("short", 1, HALF), most=1.5),
    _permanent("connections refused", "refused|cannot connect", place="refused"),
    _permanent("no connection", "no connection|timed out|cannot connect", place="backlog"),
    _permanent("unknown host", "no address|not known|resolve", place="unknown-host"),
    _permanent("certificate of an unknown authority", "certificate", place="self-signed"),
    _permanent("certificate for another host", "certificate", place="other-name"),
    _permanent("expired certificate", "certificate", place="expired"),
    _permanent("reset before every response", "reset|cut|closed", Fault("abort")),
    _permanent("closed before every response", _CLOSED, Fault("hang-up")),
    _permanent("never HTTP", ".", Fault("garbage")),
    _permanent("reset after every head", "reset|cut|ended", Fault("reset", after=0)),
    _permanent("closed after every head", _CLOSED, Fault("cut", after=0)),
    _permanent("closed after 400 bytes of every body", _CLOSED, Fault("cut", after=400)),
    # each try downloads the first half again
    _permanent(
        "closed halfway, no ranges", _CLOSED, Fault(("no-range", "cut"), after=HALF), most=3.5
    ),
    # slow responses
    _transient("a stall in the body", Fault("stall", 1, 500_000)),
    _transient("a stall before the first byte", Fault("stall", 1, 0)),
    _transient("a stall in chunks", Fault(("chunked", "stall"), 1, 500_000)),
    _transient("a stall after the status line", Fault("stall-head", 1, 17)),
    _transient("a stall in the headers", Fault("stall-head", 1, 60)),
    _transient("a dripping body, once", Fault("plain", 1, rate=_SLOW)),
    _transient("dripping chunks, once", Fault("odd-chunks", 1, rate=_SLOW)),
    _transient("dripping headers, once", Fault("drip-head", 1, rate=_SLOW)),
    _permanent("never a response", _SILENCE, Fault("silent")),
    _permanent("every head stalls", _SILENCE, Fault("stall-head", after=17)),
    _permanent("every body stalls", _SILENCE, Fault("stall", after=0)),
    _permanent("every body drips", _SILENCE, Fault("plain", rate=_SLOW)),
    _permanent("every head drips", _SILENCE, Fault("drip-head", rate=_SLOW)),
    # error statuses
    *(
        _transient(f"{status}, twice", Fault("status", 2, status=status))
        for status in (408, 425, 429, 500, 502, 503, 504)
    ),
    *(
        _transient(f"{status}, {line}", _headers(line, kind="status", times=2, status=status))
        for status, line in (
            (503, "Retry-After: 0"),
            (429, "Retry-After: -5"),
            (503, "Retry-After: soon"),
            (503, "Retry-After: 0.5"),
            (429, "Retry-After: {past}"),
            (503, "Retry-After: 99999999999999999999999999"),
        )
    ),
    *(
        _transient(
            f"{status}, {line}, then 403 for clients that do not wait",
            _headers(line, kind="busy", status=status),
            patient=True,
        )
        for status, line in (
            (503, f"Retry-After: {PAUSE:.0f}"),
            (429, f"Retry-After: {PAUSE:.0f}"),
            (503, "Retry-After: {soon}"),
        )
    ),
    _transient(
        "503, with a date to retry after, by a clock that is years ahead",
        _headers(
            f"Date: {_FUTURE}:00 GMT", f"Retry-After: {_FUTURE}:01 GMT", kind="status", times=2
        ),
    ),
    _transient("500 with an endless body, twice", Fault(("status", "long"), 2, status=500)),
    _transient("503 with a page, twice", Fault(("status", "page"), 2)),
    _transient("511 with a page, once", Fault(("status", "page"), 1, status=511)),
    *(
        _permanent(f"always {status}", str(status), Fault("status", status=status))
        for status in (304, 400, 401, 403, 404, 408, 410, 429, 451, 500, 503, 999)
    ),
    _permanent("always 204", "204|empty|0 bytes", Fault("status", status=204)),
    _permanent("503 for a day", "503.*86,?400", _headers("Retry-After: 86400", kind="status")),
    _permanent(
        "429 until the year 2999",
        "429.*retry after",
        _headers(f"Retry-After: {_FUTURE}:00 GMT", kind="status", status=429),
    ),
    _permanent("404 with an endless body", "404", Fault(("status", "long"), status=404)),
    _permanent("511 with a page, always", "511", Fault(("status", "page"), status=511)),
    # bodies with wrong content, and wrong lengths
    _transient("a page, once", Fault("page", 1)),
    _transient("an encoded page, once", Fault(("page", "gzip"), 1)),
    _transient("an empty 200, once", Fault("short", 1, 0)),
    _transient("204, once", Fault("status", 1, status=204)),
    _transient("other bytes of the right size, once", Fault("other", 1), most=2),
    _transient("a flipped bit, once", Fault("flip", 1, HALF), most=2),
    _transient("a tail of zeros, once", Fault("zeros", 1, HALF), most=2),
    _transient("bytes after the end, once", Fault("extra", 1), most=2),
    _transient("half of the file as 206, unasked", Fault("capped", 1, HALF), most=2),
    _permanent("always a page", "HTML page", Fault("page"), code=5),
    _permanent("always an encoded page", "page|bytes", Fault(("page", "gzip")), code=5),
    _permanent("always an empty 200", "empty|0 bytes", Fault("short", after=0), code=5),
    _permanent("always half", "short|bytes", Fault(("no-range", "short"), after=HALF), code=5),
    _permanent("always other bytes of the right size", "sha256", Fault("other"), code=5),
    _permanent("always a flipped bit", "sha256", Fault("flip", after=HALF), code=5),
    _permanent("always a tail of zeros", "sha256", Fault("zeros", after=HALF), code=5),
    _permanent("always another version", "sha256", Fault("old"), code=5),
    _permanent("an endless body", "more bytes", Fault("long"), code=5),
    _permanent(
        "an endless body without length", "more bytes", Fault(("no-length", "long")), code=5
    ),
    _permanent("endless chunks", "more bytes", Fault(("chunked", "long")), code=5),
    _permanent("a gzip bomb", "bytes", Fault("bomb"), code=5),
    _permanent("endless headers", "header|cut|ended|answer", Fault("flood")),
    _permanent(
        "endless interim responses",
        "answer|cut|too slow|timed out|ended|closed|heading|header",
        Fault(("early", "hang-up"), status=100, after=1_000_000),
    ),
    *(
        _transient(f"{' and '.join(lines)}, twice", _headers(*lines, times=2), most=2)
        for lines in (
            ["Content-Length: -5"],
            ["Content-Length: plenty"],
            ["Content-Length: \xb2"],
            ["Content-Length: {size}", "Content-Length: {half}"],
        )
    ),
    _transient("half the Content-Length", _headers("Content-Length: {half}", times=1), most=1.5),
    _transient("a Content-Length too large, always", _headers("Content-Length: {more}")),
    _transient(
        "chunks and a Content-Length",
        _headers("Content-Length: 5", kind="chunked", times=1),
        most=2,
    ),
    _transient("chunks without a size, once", Fault("bad-chunk", 1)),
    # resumed downloads
    _resumes("ranges work", most=1),
    _resumes("a range begins at 0", Fault("start", after=0, only="range")),
    _resumes("a range begins too late", Fault("start", after=HALF + 1000, only="range")),
    _resumes("a range begins too early", Fault("start", after=HALF - 1000, only="range")),
    _resumes("a range has another total", Fault("total", only="range")),
    _resumes("a range without Content-Range", _headers("Content-Range: ", only="range")),
    _resumes("a nonsense Content-Range", _headers("Content-Range: bytes banana", only="range")),
    _resumes("a range is multipart", Fault("multipart", only="range")),
    # `patient`: while the client waits, it must not request parts again
    _resumes("a range has bytes of another", Fault("misplaced", only="range"), patient=True),
    _resumes("a range has too many bytes", Fault("extra", only="range")),
    _resumes("a range looks complete and is short", Fault("short", 1, only="range")),
    _resumes("a range ends early", Fault("cut", 1, 300_000, only="range"), most=1),
    _resumes("a range in small parts", Fault("capped", after=300_000, only="range"), most=1),
    _resumes(
        "a range in small parts, each on its own connection",
        Fault(("capped", "last-on-connection"), after=300_000, only="range"),
        most=1,
    ),
    _resumes("ranges are ignored", Fault("no-range"), most=1.5),
    _resumes("416 for ranges", Fault("status", status=416, only="range"), most=1.5),
    _resumes("403 for ranges", Fault("status", status=403, only="range"), most=1.5),
    _resumes("503 for one range", Fault("status", 1, only="range"), most=1),
    _resumes("a portal's page instead of a range", Fault("page", 1), most=1.5),
    _resumes("a portal's bytes instead of a range", Fault("other", 1, only="range")),
    _transient("the file changed during the download", Fault(("old", "cut"), 1, HALF), most=1.5),
    _transient(
        "the file changed, and If-Range is ignored",
        Fault(("old", "cut"), 1, HALF),
        Fault("if-range", only="range"),
        most=2,
        patient=True,
    ),
    _transient("the file changed, its ETag did not", Fault(("other", "cut"), 1, HALF), most=2),
    _resumes("a weak ETag", _headers('ETag: W/"about-the-same"'), most=1.5),
    _transient("no validator", _headers("ETag: ", kind="cut", times=1, after=HALF), most=1.5),
    _transient(
        "another ETag in each response",
        _headers('ETag: "one"', kind="cut", times=1, after=HALF),
        _headers('ETag: "{count}"'),
        most=1.5,
    ),
    _permanent("gone after the first half", "404", _CUT, Fault("status", status=404), most=1.05),
    # redirects
    *(
        _valid(f"a {status} redirect", Fault("redirect", after=1, status=status), requests=2)
        for status in (301, 302, 303, 307, 308)
    ),
    *(
        _valid(f"a redirect to {target}", _redirect(location, after=1), requests=2)
        for target, location in {
            "another host": _ELSEWHERE,
            "https": "{secure}{path}",
            "an address without a scheme": "//{host}{path}?hop=1",
            "an address with a space and an umlaut": "{path}?hop=1&name=na\xc3\xafve file",
        }.items()
    ),
    _valid("ten redirects", Fault("redirect", after=10, status=302), requests=11),
    _valid("an endless redirect", Fault(("redirect", "long"), after=1, status=302), requests=2),
    _transient("a redirect to a portal, once", _redirect(_PORTAL, times=1)),
    _valid("a redirect to another host, with a password", _redirect(_ELSEWHERE), login=True),
    _permanent("a redirect loop", "redirect", Fault("redirect", status=302)),
    *(
        _permanent(f"a redirect to {target}", "redirect|address|302", _redirect(location))
        for target, location in {
            "file:": "file://{folder}/data-0.gz",
            "ftp:": "ftp://127.0.0.1/data-0.gz",
            "data:": "data:application/gzip;base64,H4sIAAAAAAAA",
            "javascript:": "javascript:alert(1)",
            "nowhere": "",
            "an invalid address": "http://[nowhere",
        }.items()
    ),
    _permanent("a redirect to a portal, always", "HTML page", _redirect(_PORTAL), code=5),
    _permanent("a redirect from https to http", "redirect", _redirect(_ELSEWHERE), place="https"),
    # unusual but valid responses
    _valid("nothing odd"),
    _valid("https", place="https"),
    _valid("no length", Fault("no-length")),
    _valid("HTTP/1.0", Fault("http10")),
    _valid("HTTP/1.0 without length", Fault(("http10", "no-length"))),
    _valid("chunks", Fault("chunked")),
    _valid("chunks of odd sizes, with extensions and trailers", Fault("odd-chunks")),
    _valid("100, then the response", Fault("early", after=1, status=100)),
    _valid("102, then the response", Fault("early", after=1, status=102)),
    _valid("103, then the response", Fault("early", after=1, status=103)),
    _valid("103 five times, then the response", Fault("early", after=5, status=103)),
    _valid("HEAD refused", Fault("status", status=405, only="HEAD")),
    _valid("HEAD lies", _headers("Content-Length: 5", 'ETag: "no"', only="HEAD")),
    _valid("no ranges", _headers("Accept-Ranges: none", kind="no-range")),
    _valid("encoded, unasked", Fault("gzip")),
    _valid("encoded and in chunks", Fault(("gzip", "chunked"))),
    *(
        _valid(line[:60], _headers(line))
        for line in (
            "Content-Encoding: gzip",
            "Content-Encoding: identity",
            "Content-Encoding: binary",
            "Content-Type: text/html; charset=utf-8",
            'Content-Disposition: attachment; filename="../../outside"',
            "ETag: ",
            f"Content-Security-Policy: {'x' * 8000}",
        )
    ),
    _valid("Content-Length twice", _headers("Content-Length: {size}", "Content-Length: {size}")),
    _valid("header names in odd case", Fault("case")),
    _valid("a header over several lines", Fault("fold")),
    _valid("Connection: close", _headers("Connection: close", kind="last-on-connection")),
    _valid("closed after each response", Fault("last-on-connection"), files=6),
    _valid("2 MB/s", Fault("plain", rate=2e6), requests=0),
    _valid("10 MB/s", Fault("plain", rate=1e7), requests=0),
    *(
        _transient(
            f"two requests at a time, {status} for more",
            _headers("Retry-After: 1", kind="crowded", after=2, status=status, rate=4e6),
            files=6,
            patient=True,
        )
        for status in (429, 503)
    ),
)
