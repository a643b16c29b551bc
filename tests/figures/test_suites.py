import pytest
from PIL import Image

from specflow.errors import SpecflowError
from specflow.figures.draw import draw_suites
from specflow.figures.suites import _timeline, shortened
from specflow.params.figures import FiguresParams, SuiteFigureParams
from specflow.tables.reading import Tables

KINDS = (
    "suite_singular_values",
    "suite_effective_rank",
    "suite_agreement",
    "suite_any_two",
    "suite_alignment",
)
NOTHING = {"experiments": (), "connections": {}}


def drawn(tables, folder, **settings):
    entries = draw_suites(tables, folder, FiguresParams.model_validate({"dpi": 60, **settings}))
    return [(entry.kind, entry.subject) for entry in entries]


def test_each_suite_has_its_figures_which_know_their_titles(make_tables, tmp_path):
    tables = make_tables(**NOTHING, suites={"public": (0, 1, 2, 4, 8, 512), "own": (0, 5, 10)})
    found = drawn(tables, tmp_path / "figures")
    assert found == [(kind, suite) for suite in ("public", "own") for kind in KINDS]
    with Image.open(tmp_path / "figures" / "suite_agreement_own.png") as image:
        title = "Agreement of singular vectors (null level 0.004): own"
        assert image.info["Title"] == title


def test_suite_without_pairs_has_no_figure_of_alignment(make_tables, tmp_path):
    tables = make_tables(**NOTHING, suites={"own": (0, 5, 10)}, suite_pairs=False)
    assert drawn(tables, tmp_path / "figures") == [(kind, "own") for kind in KINDS[:-1]]


@pytest.mark.parametrize("steps", [(3,), (3, 4), (0, 10**6)])
def test_suites_of_few_steps_are_drawn(make_tables, tmp_path, steps):
    tables = make_tables(**NOTHING, suites={"own": steps})
    settings = {"suites": {"own": {"scale": "auto"}}}
    assert len(drawn(tables, tmp_path / "figures", **settings)) == 5


@pytest.mark.parametrize(
    ("steps", "asked", "scale"),
    [
        ((0, 1, 2, 4, 8, 512, 1000), "auto", "log"),
        ((0, 100, 200, 300), "auto", "linear"),
        ((0, 100, 200, 300), "log", "log"),
        ((0, 1, 2, 4, 8, 512, 1000), "linear", "linear"),
        ((7,), "auto", "linear"),
    ],
)
def test_axis_of_steps_is_log_where_half_of_them_are_in_its_first_tenth(
    make_tables, steps, asked, scale
):
    table = Tables(make_tables(**NOTHING, suites={"own": steps}))["suite_spectra"]
    timeline = _timeline(SuiteFigureParams(scale=asked), table.numbers("step"))
    assert timeline.scale == scale


def test_dollars_and_long_names_are_drawn(make_tables, tmp_path):
    folder = make_tables(**NOTHING, suites={"own": (0, 5, 10)})
    names = Tables(folder)["suite_matrices"].column("label")
    for table in ("suite_matrices", "suite_pairs", "suite_alignment"):
        path = folder / f"{table}.csv"
        text = path.read_text()
        for name in names:
            text = text.replace(name, rf"$\frac{{{name}$" + 300 * "x")
        path.write_text(text)
    assert len(drawn(folder, tmp_path / "figures")) == len(KINDS)


def test_long_labels_lose_their_middle():
    assert shortened("short $label$") == "short $label$"
    label = shortened("start" + 100 * "." + "end")
    assert len(label) == 60
    assert label.startswith("start.")
    assert label.endswith(".end")


def test_missing_table_is_named(make_tables, tmp_path):
    tables = make_tables(**NOTHING, suites={"own": (0, 1)})
    (tables / "suite_spectra.csv").unlink()
    with pytest.raises(SpecflowError, match=r"suite_spectra\.csv"):
        drawn(tables, tmp_path / "figures")
