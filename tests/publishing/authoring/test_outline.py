import time

import pytest

from dshub.errors import DshubError
from dshub.publishing.authoring.outline import cover


def test_many_folders_are_covered_in_linear_time() -> None:
    names = [f"{i}/x.jpg" for i in range(5000)]
    began = time.process_time()
    assert cover(names, [*names, "sample.jpg"], "") == sorted(f"{i}/*.jpg" for i in range(5000))
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("others", "patterns"),
    [
        ([], ["a/*"]),
        (["a/x/notes.txt", "b/1.png"], ["a/*.png"]),
        (["a/1.png"], ["a/x/*.png"]),
    ],
)
def test_widest_pattern_without_other_files_is_used(others: list[str], patterns: list[str]) -> None:
    assert cover(["a/x/1.png"], ["a/x/1.png", *others], "a/") == patterns


def test_files_without_a_common_pattern_are_rejected() -> None:
    """The error names a file that the pattern would match by mistake."""
    with pytest.raises(DshubError, match=r"such as 'a/2\.png'"):
        cover(["a/1.png"], ["a/1.png", "a/2.png"], "a/")
