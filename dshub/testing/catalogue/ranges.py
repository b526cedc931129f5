"""Downloads that were cut, and every way to answer when the rest is asked for."""

from dshub.testing.answers import Fault
from dshub.testing.scenarios import HALF, Scenario, header, passes

CUT = Fault("cut", times=1, after=HALF)


def _resumed(name: str, *faults: Fault, most: float = 2.0, patient: bool = False) -> Scenario:
    """The first answer is cut in its middle; then the fault."""
    return passes(name, CUT, *faults, most=most, patient=patient)


SCENARIOS = (
    _resumed("ranges work", most=1),
    _resumed("a range begins at 0", Fault("start", after=0, only="range")),
    _resumed("a range begins too late", Fault("start", after=HALF + 1000, only="range")),
    _resumed("a range begins too early", Fault("start", after=HALF - 1000, only="range")),
    _resumed("a range has another total", Fault("total", only="range")),
    _resumed(
        "a range has no Content-Range",
        Fault("plain", only="range", headers=header("Content-Range", "")),
    ),
    _resumed(
        "a range has a nonsense Content-Range",
        Fault("plain", only="range", headers=header("Content-Range", "bytes banana")),
    ),
    _resumed("a range is multipart", Fault("multipart", only="range")),
    # a client that waits has time to do what it should not: to ask for parts again meanwhile
    _resumed("a range is another one's bytes", Fault("misplaced", only="range"), patient=True),
    _resumed("a range has too many bytes", Fault("extra", only="range")),
    _resumed("a range looks complete and is short", Fault("short", only="range", times=1)),
    _resumed("a range ends early", Fault("cut", only="range", times=1, after=300_000), most=1),
    _resumed("a range comes in small parts", Fault("capped", only="range", after=300_000), most=1),
    _resumed(
        "a range comes in small parts, each on a connection of its own",
        Fault(("capped", "last-on-connection"), only="range", after=300_000),
        most=1,
    ),
    _resumed("ranges are ignored", Fault("no-range"), most=1.5),
    *(
        _resumed(
            f"ranges are answered with {status}",
            Fault("status", status=status, only="range"),
            most=1.5,
        )
        for status in (416, 403)
    ),
    _resumed("ranges fail once with 503", Fault("status", times=1, only="range"), most=1),
    _resumed("the page of a portal in place of a range", Fault("page", times=1), most=1.5),
    passes(
        "a portal's page in the middle of a download, as 206",
        CUT,
        Fault("other", times=1, only="range"),
    ),
    passes("the file changed meanwhile", Fault(("old", "cut"), times=1, after=HALF), most=1.5),
    passes(
        "the file changed, and If-Range is ignored",
        Fault(("old", "cut"), times=1, after=HALF),
        Fault("if-range", only="range"),
        patient=True,
    ),
    passes(
        "the file changed, and its ETag did not",
        Fault(("other", "cut"), times=1, after=HALF),
    ),
    _resumed("a weak ETag", Fault("plain", headers=header("ETag", 'W/"about-the-same"')), most=1.5),
    passes("no validator", Fault("cut", times=1, after=HALF, headers=header("ETag", "")), most=1.5),
    passes(
        "another ETag from each mirror of one name",
        Fault("cut", times=1, after=HALF, headers=header("ETag", '"one"')),
        Fault("plain", headers=header("ETag", '"{count}"')),
        most=1.5,
    ),
    Scenario(
        "gone after the first half",
        "lasts",
        (CUT, Fault("status", status=404)),
        says="404",
        most=1.05,
    ),
)
