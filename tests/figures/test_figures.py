"""What figures of experiments and checkpoints show: tables' numbers under the right labels."""

import numpy as np
import pytest
from matplotlib.colors import same_color
from tests.figures.conftest import LABELS
from tests.figures.drawn import RANK, colours_of, draw, final, legend_of, meshes_of, title_of
from tests.quantities import ALWAYS
from tests.sealed import write_csv

from specflow.figures.losses import variants_of
from specflow.figures.style import KEEP_COLOURS, NULL_LINE, SPLIT_COLOURS
from specflow.frames import Tables, where, write_table
from specflow.spectra import QUANTITIES

PAIR = "block 1 attention out -> block 1 MLP in"


def test_losses_show_every_variant_of_every_metric_in_true_epochs(make_tables):
    folder = make_tables()
    fig = draw("losses", folder)
    assert list(map(title_of, fig.axes)) == [
        *("train loss", "train error", "validation loss", "validation error")
    ]
    for axes in fig.axes:
        assert colours_of(axes) == [KEEP_COLOURS[keep] for keep in ("full", "top", "bottom")]
    assert fig.axes[0].lines[0].get_xdata().tolist() == [0, 0.2, 0.5, 1, 2, 3]
    top = {"split": "validation", "keep": "top", "metric": "loss"}
    shown = fig.axes[2].lines[1].get_ydata()[-1]
    assert shown == pytest.approx(final(folder, "pruning", "value", **top))
    assert fig.legends[0].get_title().get_text() == ""


def test_with_batch_norm_the_full_model_is_there_with_both_statistics(make_tables):
    folder = make_tables(batch_norm=True, fractions=(0.25, 0.5))
    fig = draw("losses", folder)
    running, reestimated = fig.axes[2].lines[:2]
    loss = {"split": "validation", "metric": "loss"}
    assert running.get_ydata()[-1] == pytest.approx(final(folder, "history", "value", **loss))
    expected = final(folder, "pruning", "value", keep="reestimated", **loss)
    assert reestimated.get_ydata()[-1] == pytest.approx(expected)
    assert running.get_color() != reestimated.get_color()
    assert legend_of(fig)[:2] == ["full model", "full model, statistics re-estimated"]
    assert fig.legends[0].get_title().get_text().startswith("BatchNorm statistics")


def test_metrics_have_the_names_and_the_order_that_people_give_them(make_tables):
    folder = make_tables(metrics={"vgg": {"error": "share of errors"}})
    fig = draw("losses", folder)
    assert list(map(title_of, fig.axes)) == ["train share of errors", "validation share of errors"]


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


def test_baseline_is_a_line_in_sight_in_the_panels_of_its_metric(make_tables):
    fig = draw("losses", make_tables(loss_baseline=90.0))
    for place, axes in enumerate(fig.axes):
        lines = [line for line in axes.lines if line.get_color() == NULL_LINE["color"]]
        assert [line.get_ydata()[0] for line in lines] == ([90.0] if place in (0, 2) else [])
        low, high = axes.get_ylim()
        assert low < 90 < high or place not in (0, 2)
    assert "baseline" in legend_of(fig)


def test_problems_have_a_row_each_and_a_column_each_of_losses(make_tables):
    names = ["vgg", "lstm", "unet"]
    folder = make_tables(experiments=tuple(names))
    settings = {
        "problems": names,
        "experiments": {"unet": {"x": "step", "matrix": "layers.1.weight", "title": "A UNet"}},
    }
    fig = draw("problems_spectra", folder, **settings)
    rows = np.array(fig.axes[:9]).reshape(3, 3)
    assert [title_of(axes) for axes in rows[:, 0]] == [
        *("vgg\nblock 1 attention out", "lstm\nblock 1 attention out"),
        "A UNet\nblock 1 attention in",
    ]
    for row, (unit, end) in zip(rows, [("epoch", 3), ("epoch", 3), ("step", 30)], strict=True):
        assert {axes.get_xlabel() for axes in row} == {unit}
        assert {axes.get_xlim()[1] for axes in row} == {end}
        assert [text.get_text() for text in row[1].get_yticklabels()] == [*LABELS, "output"]
    (ranks,), (changes,) = (axes.collections for axes in rows[2, 1:])
    own = {"experiment": "unet", "matrix": "layers.4.weight"}
    end, start = final(folder, "spectra", RANK, **own), Tables(folder)["spectra"]
    start = where(start, step=0, **own)[RANK].mean()
    assert ranks.get_array()[4, -1] == pytest.approx(end)
    assert changes.get_array()[4, -1] == pytest.approx(end - start)
    assert not np.any(changes.get_array()[:, 0])
    fig = draw("problems_pruning", folder, **settings)
    labels = [axes.get_ylabel() for axes in fig.axes]
    assert labels == [*("train loss", "", ""), *("validation loss", "", "")]
    looks = [KEEP_COLOURS[keep] for keep in ("full", "top", "bottom")]
    assert all(colours_of(axes) == looks for axes in fig.axes)


@pytest.mark.parametrize(
    ("name", "table", "key"),
    [("agreement", "spectra", "matrix"), ("alignment", "alignment", "pair")],
)
def test_diagonals_stand_by_scores_on_one_scale_with_null_levels(make_tables, name, table, key):
    folder = make_tables(experiments=("vgg", "lstm"))
    one, both = draw(name, folder), draw(f"problems_{name}", folder, problems=["vgg", "lstm"])
    for fig, count in ((one, 2), (both, 4)):
        heatmaps = [axes for axes in fig.axes if title_of(axes)]
        assert len(heatmaps) == count
        assert all("null level 0." in title_of(axes) for axes in heatmaps)
        assert {mesh.get_clim() for mesh in meshes_of(fig)} == {(0, 1)}
    last = Tables(folder)[table][key].iloc[-1]
    expected = final(folder, table, f"{name}_score", experiment="vgg", **{key: last})
    assert meshes_of(one)[1].get_array()[-1, -1] == pytest.approx(expected)
    diagonal = meshes_of(one)[0].get_array()
    assert diagonal.shape == (6, 6)
    assert one.axes[0].get_ylim() == (9.5, 0.5)  # the last two indices are 3 apart


def test_small_panels_show_what_params_choose_in_order_of_depth(make_tables):
    folder = make_tables()
    matrices = {"layers.2.weight": LABELS[2], "layers.1.weight": LABELS[1]}
    settings = {"experiments": {"vgg": {"matrices": list(matrices), "pairs": [PAIR]}}}
    values = draw("several_singular_values", folder, **settings)
    agreement = draw("several_agreement", folder, **settings)
    for fig in (values, agreement):
        panels = [axes for axes in fig.axes if title_of(axes)]
        assert [title_of(axes) for axes in panels] == [LABELS[1], LABELS[2]]
        assert [axes.get_xlabel() for axes in panels] == ["epoch", "epoch"]
    assert len(values.axes[0].lines) == 6
    assert (values.axes[0].get_ylabel(), agreement.axes[0].get_ylabel()) == (
        *("singular value", "index i"),
    )
    assert meshes_of(agreement)[0].get_array()[1].tolist() == pytest.approx(
        (np.linspace(0, 1, 6) ** 2).tolist(), rel=1e-4
    )
    (mesh,) = meshes_of(draw("several_alignment", folder, **settings))
    assert mesh.get_array()[2, -1] == pytest.approx(1 / 3, rel=1e-4)


def test_stable_rank_is_a_share_of_directions_beside_the_other_measures(make_tables):
    folder = make_tables()
    mass, stable, gini = meshes_of(draw("other_ranks", folder))
    for mesh, name, directions in ((mass, "mass_rank", 1), (stable, "stable_rank", 32)):
        expected = final(folder, "spectra", name, matrix="layers.3.weight") / directions
        assert mesh.get_array()[3, -1] == pytest.approx(expected)
    assert {mesh.get_clim() for mesh in (mass, stable, gini)} == {(0, 1)}


def test_every_singular_value_has_a_line_of_its_colour_in_all_problems(make_tables):
    folder = make_tables(experiments=("vgg", "lstm"))
    table = folder / "singular_values.csv"
    rows = table.read_text().splitlines()
    kept = [row for row in rows if not row.startswith("lstm") or row.split(",")[3] in "123"]
    write_csv(table, "\n".join(kept) + "\n")
    fig = draw("problems_spectra", folder, problems=["vgg", "lstm"])
    first, second = ([line for line in axes.lines][::-1] for axes in (fig.axes[0], fig.axes[3]))
    assert [line.get_ydata()[0] for line in first] == pytest.approx(
        [1, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 9], 1e-3
    )
    assert len(second) == 3
    for one, other in zip(first, second, strict=False):
        assert same_color(one.get_color(), other.get_color())


def test_every_registered_quantity_has_a_panel_under_its_label(make_tables):
    folder = make_tables()
    fig = draw("quantities", folder)
    panels = fig.axes[: len(ALWAYS)]
    assert [title_of(axes) for axes in panels] == [QUANTITIES[name].label for name in ALWAYS]
    for axes, name in zip(panels, ALWAYS, strict=True):
        shown = axes.lines[2].get_ydata()[-1]
        assert shown == pytest.approx(final(folder, "spectra", name, matrix="layers.2.weight"))
    depths = [float(text.get_text()) for text in fig.axes[-1].get_yticklabels()]
    assert depths == [1, 2, 3, 4, 5]


def test_checkpoints_made_elsewhere_are_drawn_against_their_steps(make_tables):
    folder = make_tables(checkpoints={"hub": (0, 1, 2, 4, 8, 512)})
    for kind in ("effective_rank", "singular_values", "step_agreement", "changes"):
        axes = draw(kind, folder, of="checkpoints").axes[0]
        shown = (axes.get_xlabel(), axes.get_xlim(), axes.get_xscale())
        assert shown == ("step", (0, 512), "symlog")
    fig = draw("pairwise_agreement", folder, of="checkpoints")
    assert [title_of(axes) for axes in fig.axes[:2]] == ["block 1 attention out", "mean of all"]
    for axes in fig.axes[:2]:  # each checkpoint has a row and a column of one size
        assert axes.get_xlim() == axes.get_ylim()[::-1] == (0, 6)
        assert axes.get_xticks().tolist() == axes.get_yticks().tolist()
        texts = [tick.get_text() for tick in axes.get_xticklabels()]
        assert texts == ["0", "1", "2", "4", "8", "512"]
    square = meshes_of(fig)[1].get_array()
    np.testing.assert_allclose(square, square.T)
    np.testing.assert_allclose(np.diag(square), 1)
    relative, cosine = meshes_of(draw("changes", folder, of="checkpoints"))
    assert relative.get_array()[0].mask.tolist() == [True, *5 * [False]]
    assert relative.get_array()[0, 1:].tolist() == pytest.approx(
        np.log10([1, 1 / 2, 1 / 4, 1 / 8, 1 / 512]), 1e-4
    )
    np.testing.assert_allclose(cosine.get_array(), 0.9)


def test_agreement_with_a_final_checkpoint_that_has_no_singular_vectors_says_so(make_tables):
    folder = make_tables(checkpoints={"hub": (0, 1, 2)})
    assert not draw("agreement", folder, of="checkpoints").axes[0].texts
    for name, column in (("agreement_diagonal", "mean"), ("spectra", "agreement_score")):
        write_table(folder / f"{name}.csv", Tables(folder)[name].assign(**{column: np.nan}))
    for axes in draw("agreement", folder, of="checkpoints").axes[:2]:
        (text,) = axes.texts
        assert text.get_text().startswith(
            "not defined: the final checkpoint has no singular vectors"
        )


def test_step_agreement_says_that_the_first_checkpoint_has_none(make_tables):
    fig = draw("step_agreement", make_tables())
    assert np.ma.getmaskarray(meshes_of(fig)[0].get_array())[:, 0].all()
    assert fig.axes[-1].get_ylabel() == "agreement score\n(grey: not defined)"


def test_errors_of_one_kind_stand_together_on_one_axis(make_tables):
    letters = {"loss": "loss", "error": "wrong letters"}
    kinds = {"b": letters, "d": letters, "e": {"loss": "missed noise"}}
    folder = make_tables(experiments=("a", "b", "c", "d", "e"), steps=(0, 5), metrics=kinds)
    history = folder / "history.csv"
    write_csv(history, history.read_text() + "b,7,5,train,error,9\n")
    drawn = [axes for axes in draw("errors", folder).axes if axes.lines]
    assert [title_of(axes) for axes in drawn] == ["a", "c", "b", "d", "e"]
    named = [axes.get_ylabel() for axes in drawn]
    assert [named[place] for place in (0, 2, 4)] == ["error", "wrong letters", "missed noise"]
    one, same, letter, other, loss = (axes.get_ylim() for axes in drawn)
    assert one == same != letter == other != loss
    shown = np.concatenate([line.get_ydata() for line in drawn[2].lines])
    assert letter[0] < shown.min() < 2 < shown.max() < letter[1]
    assert all(colours_of(axes) == list(SPLIT_COLOURS.values()) for axes in drawn)
    expected = final(folder, "history", "value", experiment="e", metric="loss", split="train")
    assert drawn[-1].lines[0].get_ydata()[-1] == pytest.approx(expected)
