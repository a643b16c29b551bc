import numpy as np
import pytest

from specflow.figures.samples import draw_samples
from specflow.params.figures import FiguresParams
from specflow.tables.reading import Tables

SETTINGS = {"experiments": (), "connections": {}, "samples": ("faces", "others")}


def panels_of(folder):
    return draw_samples(Tables(folder), "faces", FiguresParams()).axes


def shown_in(axes) -> np.ndarray:
    return np.asarray(axes.images[0].get_array())


def test_titles_say_what_is_kept(make_tables):
    panels = panels_of(make_tables(**SETTINGS, fractions=(0.25, 0.5)))
    assert [axes.get_title(loc="left") or axes.get_title() for axes in panels] == [
        "full model",
        "top 50% of the spectrum kept",
        "bottom 50% of the spectrum kept",
    ]


@pytest.mark.parametrize(
    ("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (5, 2, 3), (16, 4, 4)]
)
def test_images_fill_a_square_row_by_row(make_tables, count, rows, columns):
    for axes in panels_of(make_tables(**SETTINGS, num_images=count)):
        mosaic = shown_in(axes)
        assert mosaic.shape == (rows * 30 - 2, columns * 30 - 2)
        corners = mosaic[::30, ::30].ravel()
        assert corners.tolist() == [*range(count), *[255] * (rows * columns - count)]


def test_images_of_three_channels_are_in_colour(make_tables):
    assert shown_in(panels_of(make_tables(**SETTINGS, channels=3))[0]).shape == (118, 118, 3)


def test_image_that_is_not_finite_is_white(make_tables):
    folder = make_tables(**SETTINGS, num_images=1)
    table = folder / "samples.csv"
    lines = table.read_text().splitlines()
    lines[1] = lines[1].rpartition(",")[0] + ","
    table.write_text("\n".join(lines) + "\n")
    full, *pruned = map(shown_in, panels_of(folder))
    assert (full == 255).all()
    assert all((mosaic < 255).any() for mosaic in pruned)
