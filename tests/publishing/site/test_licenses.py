"""Explanations of licenses."""

import pytest

from dshub.catalog.manifest import License
from dshub.publishing.site.licenses import explain


@pytest.mark.parametrize(
    ("spdx", "sentence", "listed"),
    [
        ("MIT", "keep the copyright notice", True),
        ("CC-BY-ND-3.0-IGO", "Do not share adaptations", True),
        ("CC0-1.0", "No conditions", True),
        ("MIT AND CC-BY-SA-3.0", "under the same license", False),
        ("LicenseRef-Theirs", "unknown", False),
        (None, "unknown", False),
    ],
)
def test_license_is_explained(spdx: str | None, sentence: str, listed: bool) -> None:
    """Known licenses are explained, with a link to their text; others are not."""
    terms = explain(License(spdx=spdx))
    assert sentence in " ".join(terms.conditions)
    assert bool(terms.url) == listed


def test_choice_of_licenses_has_no_conditions() -> None:
    """The user chooses one of them, so the conditions of neither apply for sure."""
    either = explain(License(spdx="MIT OR CC-BY-NC-4.0"))
    assert either.conditions == explain(License()).conditions
