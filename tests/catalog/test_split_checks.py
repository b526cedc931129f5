"""Test the rules for the files, steps and figures of a split."""

import pytest

from dshub.catalog.parsing import parse
from dshub.errors import ManifestError
from tests.catalog.faulty import GOOD, faults_of

FILES = 'files = { image = "train-images", label = "train-labels" }'
JOIN = 'step = "join", part = "label", reader = { format = "lines" }, on = ["i"], columns = ["t"]'


def with_steps(*steps: str) -> str:
    """Return the manifest with steps in its first split."""
    assert FILES in GOOD
    return GOOD.replace(FILES, f"{FILES}\nsteps = [{', '.join(steps)}]", 1)


@pytest.mark.parametrize(
    ("step", "place", "message"),
    [
        (
            '{ step = "attach", part = "x", column = "a", path = "{i}" }',
            "part",
            "'x' is not among the split's files",
        ),
        (
            '{ step = "attach", part = "label", column = "a", path = "label.gz" }',
            "path",
            "'label.gz' must contain columns in braces",
        ),
        (
            '{ step = "attach", part = "label", column = "a", path = "{i!r}" }',
            "path",
            "'{i!r}' must contain columns in braces",
        ),
        (
            '{ step = "attach", part = "label", column = "a", path = "{i" }',
            "path",
            "'{i': expected '}'",
        ),
        (
            '{ step = "attach", part = "label", column = "a", path = "{i}.png" }',
            "path",
            "'{i}.png' matches no file of 'label': train-labels",
        ),
        (
            '{ step = "match", part = "label", reader = { format = "x" }, on = ["i"] }',
            "reader.format",
            "'x' is not a reader",
        ),
        (
            '{ step = "match", part = "label", reader = { format = "lines" }, on = [] }',
            "on",
            "must not be empty",
        ),
        ('{ step = "cut", column = "a", before = "" }', "before", "must not be empty"),
        (
            f'{{ {JOIN}, number = "n" }}',
            "number",
            "'n' is not among `on`",
        ),
    ],
)
def test_invalid_step_is_a_fault(step: str, place: str, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse(with_steps(step), source="own.toml")
    assert f"splits.train.steps[0].{place}: {message}" in str(caught.value)


def test_steps_are_limited() -> None:
    step = '{ step = "number", column = "n" }'
    assert "more than 64" in faults_of(with_steps(*[step] * 65))["splits.train.steps"].message


@pytest.mark.parametrize(
    ("files", "place", "message"),
    [
        ("{}", "", "must not be empty"),
        ("{ image = [] }", ".image", "must not be empty"),
        ('{ image = "x" }', ".image", "'x' is not among the resources"),
        ('{ image = "train-images:" }', ".image", "has an empty member"),
        ('{ image = "train-images:./" }', ".image", "has an empty member"),
        ('{ image = "train-images:/a" }', ".image", "leads out of the archive"),
    ],
)
def test_invalid_reference_is_a_fault(files: str, place: str, message: str) -> None:
    assert FILES in GOOD
    faults = faults_of(GOOD.replace(FILES, f"files = {files}", 1))
    assert message in faults[f"splits.train.files{place}"].message


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        ("x-sum = 3", "must be <column>-counts or <column>-sum"),
        ("image-mean = 3", "must be <column>-counts or <column>-sum"),
        ("image-counts = [1]", "must be a list of counts, one for each class"),
        ("label-counts = [1]", "has 1 counts for 10 classes"),
        ("image-sum = [1]", "must be an integer"),
    ],
)
def test_invalid_figure_is_a_fault(figure: str, message: str) -> None:
    name = figure.partition(" ")[0]
    unknown_figures = GOOD.replace("label-counts", "label-others", 1).replace(
        "image-sum", "image-other", 1
    )
    text = unknown_figures.replace("figures = {", f"figures = {{ {figure},", 1)
    assert message in faults_of(text)[f"splits.train.figures.{name}"].message
