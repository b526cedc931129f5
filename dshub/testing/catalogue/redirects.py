"""Redirects, where they may lead and where they may not."""

from dshub.testing.answers import Fault
from dshub.testing.scenarios import Scenario, header, lasts, legal, passes

SCENARIOS = (
    *(
        legal(f"a {status} redirect", Fault("redirect", after=1, status=status), requests=2)
        for status in (301, 302, 303, 307, 308)
    ),
    *(
        legal(
            f"a redirect to {told}",
            Fault("redirect", after=1, status=302, headers=header("Location", location)),
            requests=2,
        )
        for told, location in (
            ("another host", "{elsewhere}{path}"),
            ("https", "{secure}{path}"),
            ("an address without a scheme", "//{host}{path}?hop=1"),
            ("an address with a space and an umlaut", "{path}?hop=1&name=na\xc3\xafve file"),
        )
    ),
    legal("ten redirects", Fault("redirect", after=10, status=302), requests=11),
    legal(
        "a redirect with an endless body",
        Fault(("redirect", "long"), after=1, status=302),
        requests=2,
    ),
    passes(
        "the redirect of a portal, once",
        Fault("redirect", times=1, status=302, headers=header("Location", "{elsewhere}/portal")),
        most=1,
    ),
    Scenario(
        "a redirect to another host, with a password",
        "legal",
        (Fault("redirect", status=302, headers=header("Location", "{elsewhere}{path}")),),
        most=1,
        login=True,
    ),
    lasts("a redirect loop", Fault("redirect", status=302), "redirect"),
    *(
        lasts(
            f"a redirect to {told}",
            Fault("redirect", status=302, headers=header("Location", location)),
            "redirect|address|302",
        )
        for told, location in (
            ("file:", "file://{folder}/data-0.gz"),
            ("ftp:", "ftp://127.0.0.1/data-0.gz"),
            ("data:", "data:application/gzip;base64,H4sIAAAAAAAA"),
            ("javascript:", "javascript:alert(1)"),
            ("nowhere", ""),
            ("no address", "http://[nowhere"),
        )
    ),
    lasts(
        "a redirect to a portal",
        Fault("redirect", status=302, headers=header("Location", "{elsewhere}/portal")),
        "HTML page",
        code=5,
    ),
    Scenario(
        "a redirect from https to http",
        "lasts",
        (Fault("redirect", status=302, headers=header("Location", "{elsewhere}{path}")),),
        place="https",
        says="redirect",
    ),
)
