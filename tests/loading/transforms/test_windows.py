import pytest

from dshub.loading.transforms.windows import Window


@pytest.mark.parametrize(
    ("region", "divisor"),
    [(223, 1), (447, 1), (448, 2), (895, 2), (896, 4), (1791, 4), (1792, 8), (9000, 8)],
)
def test_image_is_scaled_only_if_the_part_still_covers_the_result(
    region: int, divisor: int
) -> None:
    for size in ((region, 9999), (9999, region)):
        assert Window.of((0, 0, *size), (224, 224)).divisor == divisor


def test_scaled_window_covers_the_same_part() -> None:
    window = Window((10, 20, 101, 203), (11, 21, 100, 200), (20, 30)).scaled(4, 26, 51)
    assert window.region == (2, 5, 26, 51)
    assert window.box == (2.75, 5.25, 25, 50)
    assert window.inner_box == (0.75, 0.25, 23, 45)
    assert window.size == (20, 30)


def test_window_of_a_full_image_stays_the_same() -> None:
    window = Window.of((0, 0, 5, 6), (7, 8))
    assert window.scaled(1, 5, 6) is window
