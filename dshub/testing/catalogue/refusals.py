"""Answers that say no, for now or for good."""

from dshub.testing.answers import Fault
from dshub.testing.kinds import PAUSE
from dshub.testing.scenarios import header, lasts, passes

SCENARIOS = (
    *(
        passes(f"{status}, twice", Fault("status", times=2, status=status), most=1)
        for status in (408, 425, 429, 500, 502, 503, 504)
    ),
    *(
        passes(
            f"{status} with Retry-After: {value or 'nothing'}",
            Fault("status", times=2, status=status, headers=header("Retry-After", value)),
            most=1,
        )
        for status, value in (
            (503, "0"),
            (429, "-5"),
            (503, "soon"),
            (503, "0.5"),
            (429, "{past}"),
            (503, "99999999999999999999999999"),
        )
    ),
    *(
        passes(
            f"{status} with Retry-After {told}, and a ban for those who do not wait",
            Fault("busy", status=status, headers=header("Retry-After", value)),
            most=1,
            patient=True,
        )
        for status, told, value in (
            (503, "in seconds", f"{PAUSE:.0f}"),
            (429, "in seconds", f"{PAUSE:.0f}"),
            (503, "with a date", "{soon}"),
        )
    ),
    passes(
        "503 with Retry-After at a date, by a clock that is years ahead",
        Fault(
            "status",
            times=2,
            headers=(
                ("Date", "Tue, 01 Jan 2999 12:00:00 GMT"),
                ("Retry-After", "Tue, 01 Jan 2999 12:00:01 GMT"),
            ),
        ),
        most=1,
    ),
    passes(
        "500 with an endless body, twice", Fault(("status", "long"), times=2, status=500), most=1
    ),
    passes("503 with a page, twice", Fault(("status", "page"), times=2), most=1),
    passes("511, once", Fault(("status", "page"), times=1, status=511), most=1),
    *(
        lasts(f"always {status}", Fault("status", status=status), str(status))
        for status in (400, 401, 403, 404, 408, 410, 429, 451, 500, 503)
    ),
    lasts(
        "503 with Retry-After: 86400",
        Fault("status", headers=header("Retry-After", "86400")),
        "503.*86,?400",
    ),
    lasts(
        "429 with Retry-After in the year 2999",
        Fault("status", status=429, headers=header("Retry-After", "Tue, 01 Jan 2999 12:00:00 GMT")),
        "429.*wait",
    ),
    lasts("404 with an endless body", Fault(("status", "long"), status=404), "404"),
    lasts("always 204", Fault("status", status=204), "204|empty|0 bytes"),
    lasts("always 304", Fault("status", status=304), "304"),
    lasts("always 999", Fault("status", status=999), "999"),
)
