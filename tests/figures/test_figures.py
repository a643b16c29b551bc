"""What the figures show: the numbers of the tables under the right labels."""

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from specflow.errors import SpecflowError
from specflow.figures.registry import kinds
from specflow.figures.section import FiguresParams
from specflow.figures.style import KEEP_COLOURS, KIND_LOOKS, LABEL_COLOURS, NULL_LINE, SPLIT_COLOURS
from specflow.figures.subjects import subjects
from specflow.figures.variants import BATCH_NORM, variants_of
from specflow.figures.weight_decay import decay_label
from specflow.frames import Tables, at_end, where
from specflow.spectra import QUANTITIES
from specflow.studies.comparisons import Groups

# by name, as in a config file: not by weight decay
DECAYS = {"base": 0.1, "none": 0.0, "strong": 1.0}
ASCENDING = ("none", "base", "strong")
GROUPS = Groups.model_validate(
    {
        "weight_decay": {"base": {"base": "base", "weight_decays": DECAYS}},
        "labels": {"base": {"true_labels": "base", "random_labels": "none"}},
    }
)
RANK = "normalized_effective_rank"


def draw(kind: str, folder, of: str | None = None, place: int = 0, **settings) -> Figure:
    """Draw a figure of the first of its subjects, or that at a place."""
    tables, found, fig = Tables(folder), kinds()[kind], Figure(layout="constrained")
    section = FiguresParams.model_validate(settings)
    subject = subjects(of or found.of[0], tables, section, GROUPS)[place]
    found.draw(fig, tables, subject)
    return fig


def title_of(axes) -> str:
    return axes.get_title(loc="left") or axes.get_title()


def legend_of(fig, place: int = 0) -> list[str]:
    return [text.get_text() for text in fig.legends[place].get_texts()]


def colours_of(axes) -> list:
    return [line.get_color() for line in axes.lines]


def meshes_of(fig) -> list[QuadMesh]:
    """Heatmaps, without strips and colour bars."""
    return [
        one
        for axes in fig.axes
        for one in axes.collections
        if isinstance(one, QuadMesh) and axes.get_label() != "<colorbar>"
    ]


def final(folder, table: str, column: str, **rows) -> float:
    return at_end(where(Tables(folder)[table], **rows))[column].mean()


def test_losses_show_every_variant_of_every_metric_in_true_epochs(make_tables):
    folder = make_tables()
    fig = draw("losses", folder)
    assert list(map(title_of, fig.axes)) == [
        *("train loss", "train error", "validation loss", "validation error")
    ]
    for axes in fig.axes:
        assert colours_of(axes) == list(KEEP_COLOURS.values())
    assert fig.axes[0].lines[0].get_xdata().tolist() == [0, 0.2, 0.5, 1, 2, 3]
    top = {"split": "validation", "keep": "top", "metric": "loss"}
    shown = fig.axes[2].lines[1].get_ydata()[-1]
    assert shown == pytest.approx(final(folder, "pruning", "value", **top))
    assert fig.legends[0].get_title().get_text() == BATCH_NORM


def test_without_pruning_losses_are_those_of_the_full_model(make_tables):
    fig = draw("losses", make_tables(fractions=()))
    assert [len(axes.lines) for axes in fig.axes] == [1] * 4
    assert legend_of(fig) == ["full model"]
    assert fig.legends[0].get_title().get_text() == ""


def test_fractions_are_told_apart_by_dashes_and_legends_keep_their_columns(make_tables):
    folder = make_tables(fractions=(0.125, 0.5), loss_baseline=3.5)
    variants = variants_of(Tables(folder)["pruning"])
    assert [(v.keep, v.keep_fraction, v.rank) for v in variants] == [
        *(("full", 1.0, 0), ("top", 0.5, 0), ("top", 0.125, 1)),
        *(("bottom", 0.5, 0), ("bottom", 0.125, 1)),
    ]
    assert variants[1].line["linestyle"] != variants[2].line["linestyle"]
    assert legend_of(draw("losses", folder)) == [
        *("full model", " ", "top 50% of the spectrum kept", "top 12.5% of the spectrum kept"),
        *("bottom 50% of the spectrum kept", "bottom 12.5% of the spectrum kept"),
        *("baseline", " "),
    ]


@pytest.mark.parametrize(("kind", "shown"), [("losses", [0, 2]), ("interpolation", [0, 1, 2])])
def test_baseline_is_a_line_in_sight_in_the_panels_of_its_metric(make_tables, kind, shown):
    fig = draw(kind, make_tables(connections=("vgg",), loss_baseline=90.0))
    for place, axes in enumerate(fig.axes):
        lines = [line for line in axes.lines if line.get_color() == NULL_LINE["color"]]
        assert [line.get_ydata()[0] for line in lines] == ([90.0] if place in shown else [])
        low, high = axes.get_ylim()
        assert low < 90 < high or place not in shown
    assert "baseline" in legend_of(fig)


def test_problems_are_the_columns_of_the_figures_of_one(make_tables):
    names = ["vgg", "lstm", "unet"]
    folder = make_tables(experiments=tuple(names))
    settings = {
        "problems": names,
        "experiments": {"unet": {"x": "step", "matrix": "layers.1.weight"}},
    }
    fig = draw("problems_spectra", folder, **settings)
    assert [title_of(axes) for axes in fig.axes[:3]] == [
        *("vgg\nblock 1 attention out", "lstm\nblock 1 attention out", "unet\nblock 1 attention in")
    ]
    assert [axes.get_xlabel() for axes in fig.axes[3:6]] == ["epoch", "epoch", "step"]
    assert [axes.get_xlim()[1] for axes in fig.axes[3:6]] == [3, 3, 30]
    assert {mesh.get_clim() for mesh in meshes_of(fig)[:3]} == {meshes_of(fig)[0].get_clim()}
    ranks = meshes_of(fig)[2].get_array()
    one = final(folder, "spectra", RANK, experiment="unet", matrix="layers.4.weight")
    assert ranks[4, -1] == pytest.approx(one)
    fig = draw("problems_pruning", folder, **settings)
    assert [axes.get_ylabel() for axes in fig.axes] == [
        "train loss",
        "",
        "",
        "validation loss",
        "",
        "",
    ]
    assert all(colours_of(axes) == list(KEEP_COLOURS.values()) for axes in fig.axes)
    assert fig.axes[0].get_ylim() == fig.axes[3].get_ylim()


@pytest.mark.parametrize(
    ("name", "table", "key"),
    [("agreement", "spectra", "matrix"), ("alignment", "alignment", "pair")],
)
def test_diagonals_stand_above_scores_on_one_scale_with_null_levels(make_tables, name, table, key):
    folder = make_tables(experiments=("vgg", "lstm"))
    one, both = draw(name, folder), draw(f"problems_{name}", folder, problems=["vgg", "lstm"])
    for fig, count in ((one, 2), (both, 4)):
        heatmaps = [axes for axes in fig.axes if axes.get_title() or axes.get_title(loc="left")]
        assert len(heatmaps) == count
        assert all("null level 0." in title_of(axes) for axes in heatmaps)
        assert len({mesh.get_clim() for mesh in meshes_of(fig)}) == 1
    last = Tables(folder)[table][key].iloc[-1]
    expected = final(folder, table, f"{name}_score", experiment="vgg", **{key: last})
    assert meshes_of(one)[1].get_array()[-1, -1] == pytest.approx(expected)
    diagonal = meshes_of(one)[0].get_array()
    assert diagonal.shape == (6, 6)
    assert one.axes[0].get_ylim() == (9.5, 0.5)  # the last two indices are 3 apart


def test_every_singular_value_has_a_line_of_its_colour_in_all_columns(make_tables):
    folder = make_tables(experiments=("vgg", "lstm"))
    table = folder / "singular_values.csv"
    rows = table.read_text().splitlines()
    kept = [row for row in rows if not row.startswith("lstm") or row.split(",")[3] in "123"]
    table.write_text("\n".join(kept) + "\n")
    fig = draw("problems_spectra", folder, problems=["vgg", "lstm"])
    first, second = ([line for line in axes.lines][::-1] for axes in fig.axes[:2])
    assert [line.get_ydata()[0] for line in first] == pytest.approx(
        [1, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 9], 1e-3
    )
    assert len(second) == 3
    for one, other in zip(first, second, strict=False):
        assert same_color(one.get_color(), other.get_color())


def test_every_registered_quantity_has_a_panel_under_its_label(make_tables):
    folder = make_tables()
    fig = draw("quantities", folder)
    panels = fig.axes[: len(QUANTITIES)]
    assert [title_of(axes) for axes in panels] == [one.label for one in QUANTITIES.values()]
    for axes, name in zip(panels, QUANTITIES, strict=True):
        shown = axes.lines[2].get_ydata()[-1]
        assert shown == pytest.approx(final(folder, "spectra", name, matrix="layers.2.weight"))


def test_checkpoints_made_elsewhere_are_drawn_against_their_steps(make_tables):
    folder = make_tables(checkpoints={"hub": (0, 1, 2, 4, 8, 512)})
    for kind in ("effective_rank", "singular_values", "step_agreement", "pairwise_agreement"):
        axes = draw(kind, folder, of="checkpoints").axes[0]
        assert (axes.get_xlabel(), axes.get_xlim(), axes.get_xscale()) == (
            "step",
            (0, 512),
            "symlog",
        )
    fig = draw("pairwise_agreement", folder, of="checkpoints")
    assert [title_of(axes) for axes in fig.axes[:2]] == ["block 1 attention out", "mean of all"]
    square = meshes_of(fig)[1].get_array()
    np.testing.assert_allclose(square, square.T)
    np.testing.assert_allclose(np.diag(square), 1)
    relative, cosine = meshes_of(draw("changes", folder, of="checkpoints"))
    assert relative.get_array()[0].tolist() == pytest.approx(
        np.log10([1, 1 / 2, 1 / 4, 1 / 8, 1 / 512]), 1e-4
    )
    np.testing.assert_allclose(cosine.get_array(), 0.9)


def test_step_agreement_says_that_the_first_checkpoint_has_none(make_tables):
    fig = draw("step_agreement", make_tables())
    assert np.ma.getmaskarray(meshes_of(fig)[0].get_array())[:, 0].all()
    assert fig.axes[-1].get_ylabel() == "agreement score\n(grey: not defined)"


def test_errors_have_a_panel_an_experiment_on_one_axis_and_own_up_to_more_than_one(make_tables):
    names = ("a", "b", "c", "d", "e", "f")
    folder = make_tables(experiments=names, steps=(0, 5))
    fig = draw("errors", folder)
    drawn = [axes for axes in fig.axes if axes.lines]
    assert [title_of(axes) for axes in drawn] == list(names)
    assert len({axes.get_ylim() for axes in drawn}) == 1
    assert all(colours_of(axes) == list(SPLIT_COLOURS.values()) for axes in drawn)
    assert fig.legends[0].get_title().get_text() == ""
    with (folder / "history.csv").open("a") as file:
        file.write("a,7,5,train,error,9\n")
    assert "above 1" in draw("errors", folder).legends[0].get_title().get_text()


def test_grokking_has_a_row_for_each_condition_with_one_scale_of_alignment(make_tables):
    panel = {"experiments": ["b", "a"], "matrix": "layers.1.weight", "x": "step", "scale": "log"}
    panel["pair"] = "block 1 attention out -> block 1 MLP in"
    fig = draw("grokking", make_tables(experiments=("a", "b")), grokking=panel)
    rows = np.array(fig.axes[:12]).reshape(3, 4)[:2]
    assert [axes.get_ylabel() for axes in rows[:, 0]] == ["b", "a"]
    assert [axes.get_xlabel() for axes in rows[1]] == ["step"] * 4
    assert {axes.get_xscale() for axes in rows.flat} == {"symlog"}
    assert [title_of(axes) for axes in rows[0]] == [
        *("error", "singular values of\nblock 1 attention in"),
        *(
            "normalized effective rank\nof all matrices",
            "alignment: block 1: attention out\n→ MLP in",
        ),
    ]
    assert len({mesh.get_clim() for axes in rows[:, 3] for mesh in axes.collections}) == 1
    assert len(rows[0, 2].lines) == len(legend_of(fig)) == 5


def test_grokking_without_errors_says_so(make_tables):
    folder = make_tables()
    history = folder / "history.csv"
    history.write_text(history.read_text().replace(",error,", ",loss,"))
    pair = Tables(folder)["pairs"]["pair"][0]
    panel = {"experiments": ["vgg"], "matrix": "layers.1.weight", "pair": pair}
    with pytest.raises(SpecflowError, match="history has no metric 'error' of vgg"):
        draw("grokking", folder, grokking=panel)


def test_ends_of_training_stand_by_ascending_weight_decay_and_the_base_is_marked(make_tables):
    folder = make_tables(experiments=tuple(DECAYS), weight_decays=DECAYS)
    fig = draw("weight_decay", folder)
    rank, norm, alignment, loss = fig.axes[:4]
    for axes, table, column in (
        *((rank, "spectra", RANK), (norm, "spectra", "frobenius_norm")),
        (alignment, "alignment", "alignment_score"),
    ):
        assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "0.1", "1"]
        expected = [final(folder, table, column, experiment=name) for name in ASCENDING]
        assert axes.lines[0].get_ydata().tolist() == pytest.approx(expected)
    (band,) = rank.patches
    assert (band.get_x(), band.get_width()) == (0.5, 1.0)
    widths = [line.get_linewidth() for line in fig.axes[4].lines]
    assert widths[1] > widths[0] == widths[2]
    assert legend_of(fig) == ["0", "0.1", "1", "base, base"]
    dots = [line.get_ydata() for line in rank.lines if line.get_marker() == "."]
    low, high = rank.get_ylim()
    assert [len(own) for own in dots] == [3, 3, 3]
    assert low <= np.min(dots) <= np.max(dots) <= high
    joints = [line for line in loss.lines if line.get_marker() == "None"]
    assert [line.get_color() for line in joints] == list(KEEP_COLOURS.values())
    top = {"split": "validation", "metric": "loss", "keep": "top"}
    expected = [final(folder, "pruning", "value", experiment=name, **top) for name in ASCENDING]
    assert joints[1].get_ydata().tolist() == pytest.approx(expected)


def test_comparisons_without_pairs_or_pruning_are_drawn(make_tables):
    world = {"experiments": tuple(DECAYS), "with_pairs": False, "fractions": ()}
    fig = draw("weight_decay", make_tables(**world))
    assert "null level not defined" in title_of(fig.axes[2])
    assert any(
        "no middle pairs" in title_of(axes) for axes in draw("labels", make_tables(**world)).axes
    )


@pytest.mark.parametrize(
    ("decay", "label"), [(0.0, "0"), (1e-4, "1e-4"), (0.01, "0.01"), (0.1, "0.1"), (10.0, "10")]
)
def test_weight_decays_are_short(decay, label):
    assert decay_label(decay) == label


def test_labels_have_their_colours_and_middle_pairs_leave_out_the_outer_two(make_tables):
    folder = make_tables(experiments=("base", "none"))
    fig = draw("labels", folder)
    panels = {axes.get_label(): axes for axes in fig.axes}
    for name in ("rank", "alignment", "train", "validation"):
        assert colours_of(panels[name])[:2] == list(LABEL_COLOURS.values())
    middle = list(Tables(folder)["pairs"]["pair"].unique()[1:-1])
    for line, name in zip(panels["alignment"].lines, ("base", "none"), strict=False):
        expected = final(folder, "alignment", "alignment_score", experiment=name, pair=middle)
        assert line.get_ydata()[-1] == pytest.approx(expected)
    assert len(panels["matrices"].containers) == 10
    rank = final(folder, "spectra", RANK, experiment="base", matrix="layers.0.weight")
    assert panels["matrices"].containers[0].lines[0].get_xdata()[0] == pytest.approx(rank)


def test_tickets_have_a_curve_in_every_panel_beside_source_or_null(make_tables):
    tickets = {kind: (kind, 0.05, 5) for kind in reversed(KIND_LOOKS)}
    folder = make_tables(tickets=tickets)
    fig = draw("tickets", folder)
    masks, agreement, *metrics = fig.axes
    colours = [colour for colour, _ in KIND_LOOKS.values()]
    assert colours_of(masks)[:-1] == colours_of(agreement)[:-1] == colours
    labels = [text.get_text() for text in masks.get_yticklabels()]
    assert labels == [
        "embedding",
        "block 1 attention in",
        "block 1 attention out",
        "block 1 MLP in",
    ]
    first = final(folder, "ticket_spectra", "agreement_score", ticket="magnitude")
    assert agreement.lines[0].get_ydata()[-1] == pytest.approx(first)
    for axes, metric in zip(metrics, ("loss", "error"), strict=True):
        assert title_of(axes) == f"validation {metric}"
        assert colours_of(axes)[1:] == colours
        assert axes.lines[0].get_xdata()[0] == 0
        assert axes.lines[1].get_xdata().tolist() == [0.5, 1, 2, 3]
    assert legend_of(fig)[-2:] == ["source", "unrelated matrices (null level 0.004)"]


def test_tickets_are_told_apart_by_density_and_by_rewind_step(make_tables):
    tickets = {
        f"{kind}_{step}": (kind, 0.05, step) for step in (5, 10) for kind in ("random", "magnitude")
    }
    tickets["dense"] = ("magnitude", 0.5, 5)
    fig = draw("tickets", make_tables(tickets=tickets))
    assert legend_of(fig)[:5] == [
        "magnitude, 50% of weights, from step 5",
        "magnitude, 5% of weights, from step 5",
        "magnitude, 5% of weights, from step 10",
        "random, 5% of weights, from step 5",
        "random, 5% of weights, from step 10",
    ]
    dense, sparse, _, other = fig.axes[1].lines[:4]
    assert dense.get_color() == sparse.get_color() != other.get_color()
    assert dense.get_linestyle() != sparse.get_linestyle() == other.get_linestyle()


def test_across_has_a_curve_within_and_one_across_in_every_panel(make_tables):
    folder = make_tables(connections=("vgg",))
    fig = draw("across", folder)
    full = {"keep": "full", "split": "validation", "metric": "error"}
    for place, relation in enumerate(("within", "across")):
        rows = where(Tables(folder)["barriers"], relation=relation, split_step=20, **full)
        line = fig.axes[1].lines[place]
        assert line.get_xdata().tolist() == [0, 0.5, 2]
        assert line.get_ydata()[-1] == pytest.approx(rows["barrier"].mean())
        scores = where(Tables(folder)["endpoint_agreement"], relation=relation, split_step=20)
        shown = fig.axes[2].lines[place].get_ydata()[-1]
        assert shown == pytest.approx(scores["agreement_score"].mean())
    assert legend_of(fig) == [
        *("two branches of one trunk", "branches of two trunks", "unrelated matrices (0.004)")
    ]
    step = draw("across", folder, experiments={"vgg": {"x": "step"}})
    assert step.axes[0].get_xlabel() == "step of the split"


def test_scale_zero_of_a_perturbation_is_its_own_split_point(make_tables):
    folder = make_tables(connections=("vgg",))
    fig = draw("perturbation", folder)
    line = fig.axes[0].lines[0]
    assert line.get_xdata().tolist() == [0, 0.5, 2.5]
    full = {"keep": "full", "split": "validation", "metric": "loss", "split_step": 20}
    for place, relation, scale in ((0, "within", 0), (-1, "perturbed", 2.5)):
        rows = where(Tables(folder)["barriers"], relation=relation, scale=scale, **full)
        assert line.get_ydata()[place] == pytest.approx(rows["barrier"].mean())
    assert fig.axes[0].get_xlabel() == "scale of perturbation at epoch 2"


def test_barriers_and_endpoint_agreement_stand_against_the_split_point(make_tables):
    folder = make_tables(connections=("vgg",))
    fig = draw("barriers", folder)
    assert [title_of(axes) for axes in fig.axes] == [
        *("train loss", "train error", "validation loss", "validation error")
    ]
    assert fig.axes[0].lines[0].get_xdata().tolist() == [0, 0.5, 2]
    assert fig.axes[2].get_xlabel() == "epoch of the split"
    fig = draw("endpoint_agreement", folder)
    rows = where(Tables(folder)["endpoint_agreement"], relation="within", split_step=20)
    own = where(rows, matrix="layers.3.weight")["agreement_score"].mean()
    assert meshes_of(fig)[0].get_array()[3, -1] == pytest.approx(own)
    assert fig.axes[1].lines[0].get_ydata()[-1] == pytest.approx(rows["agreement_score"].mean())


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (5, 2, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_fill_a_square_row_by_row(make_tables, count, rows, columns, channels):
    folder = make_tables(
        samples=("faces",), num_images=count, channels=channels, fractions=(0.1, 0.5)
    )
    fig = draw("samples", folder)
    assert [title_of(axes) for axes in fig.axes] == [
        *("full model", "top 50% of the spectrum kept", "bottom 50% of the spectrum kept")
    ]
    for axes in fig.axes:
        mosaic = np.asarray(axes.images[0].get_array())
        assert mosaic.shape[:2] == (rows * 8 - 2, columns * 8 - 2)
        corners = mosaic[::8, ::8].reshape(rows * columns, -1)[:, 0]
        assert corners.tolist() == [*range(count), *[255] * (rows * columns - count)]


def test_image_that_is_not_finite_is_white(make_tables):
    folder = make_tables(samples=("faces",), num_images=1)
    table = folder / "samples.csv"
    lines = table.read_text().splitlines()
    lines[1] = lines[1].rpartition(",")[0] + ","
    table.write_text("\n".join(lines) + "\n")
    full, *pruned = (axes.images[0].get_array() for axes in draw("samples", folder).axes)
    assert (full == 255).all()
    assert all((mosaic < 255).any() for mosaic in pruned)
