"""What figures of connections show: barriers, paths and agreement of branch endpoints."""

import numpy as np
import pandas as pd
import pytest
from tests.figures.drawn import draw, legend_of, meshes_of, title_of

from specflow.figures.style import KEEP_COLOURS
from specflow.frames import Tables, where, write_table

COLOURS = [KEEP_COLOURS[keep] for keep in ("full", "top", "bottom")]
LOSS = {"split": "validation", "metric": "loss"}


def curves_of(axes) -> list:
    """The curves of a panel, without the levels that cross it."""
    return [line for line in axes.lines if line.get_marker() == "o"]


def levels_of(axes) -> set[float]:
    return {line.get_ydata()[0] for line in axes.lines if line.get_marker() == "None"}


def mean(folder, table: str, column: str, **rows) -> float:
    return where(Tables(folder)[table], **rows)[column].mean()


def test_barriers_are_shares_of_the_full_models_across_trunks(make_tables):
    folder = make_tables(connections=("vgg",))
    fig = draw("barriers", folder)
    assert [title_of(axes) for axes in fig.axes] == [
        *("train loss", "train error", "validation loss", "validation error")
    ]
    whole = mean(folder, "barriers", "barrier", relation="across", keep="full", **LOSS)
    curves = curves_of(fig.axes[2])
    assert [curve.get_color() for curve in curves] == COLOURS
    for curve, keep in zip(curves, ("full", "top", "bottom"), strict=True):
        assert curve.get_xdata().tolist() == [0, 0.5, 2]
        own = {"relation": "within", "split_step": 20, "keep": keep, **LOSS}
        expected = mean(folder, "barriers", "barrier", **own) / whole
        assert curve.get_ydata()[-1] == pytest.approx(expected)
    assert levels_of(fig.axes[2]) == {0, 1}
    assert "mean barrier across trunks" in legend_of(fig)
    assert fig.axes[2].get_xlabel() == "epoch of the split"


def test_barriers_are_absolute_where_there_are_none_across_trunks(make_tables):
    folder = make_tables(connections=("vgg",), across=False)
    fig = draw("barriers", folder)
    own = {"relation": "within", "split_step": 0, "keep": "full", **LOSS}
    shown = curves_of(fig.axes[2])[0].get_ydata()[0]
    assert shown == pytest.approx(mean(folder, "barriers", "barrier", **own))
    assert levels_of(fig.axes[2]) == {0}
    assert fig.axes[0].get_ylabel() == "barrier"
    assert "mean barrier across trunks" not in legend_of(fig)


def test_what_one_row_of_paths_is_called_fits_its_height(make_tables):
    folder = make_tables(connections=("vgg",))
    for name in ("metrics", "interpolation"):
        write_table(folder / f"{name}.csv", where(Tables(folder)[name], metric="loss"))
    fig = draw("interpolation", folder)
    fig.canvas.draw()
    [label] = [text for text in fig.texts if "rise above the chord" in text.get_text()]
    assert "share of the barrier" in label.get_text()
    extent = label.get_window_extent()
    assert fig.bbox.y0 <= extent.y0 < extent.y1 <= fig.bbox.y1


@pytest.mark.parametrize("across", [False, True])
def test_paths_rise_above_the_chord_of_their_ends(make_tables, across):
    folder = make_tables(connections=("vgg",), across=across)
    fig = draw("interpolation", folder)
    assert [title_of(axes) for axes in fig.axes[:3]] == [
        *("full model", "top 50% of the spectrum kept", "bottom 50% of the spectrum kept")
    ]
    curve = fig.axes[0].lines[0]  # of the first split
    start, middle, end = (
        mean(folder, "interpolation", "value", keep="full", metric="loss", split_step=0, alpha=at)
        for at in (0.0, 0.5, 1.0)
    )
    assert start != end
    rise = middle - (start + end) / 2
    if across:
        rise /= mean(folder, "barriers", "barrier", relation="across", keep="full", **LOSS)
    assert curve.get_ydata().tolist() == pytest.approx([0, rise, 0], abs=1e-9)
    assert legend_of(fig) == ["0", "0.5", "2"]


def test_agreement_has_a_cell_of_one_width_for_every_split(make_tables):
    folder = make_tables(connections=("vgg",))
    fig = draw("endpoint_agreement", folder)
    own = {"relation": "within", "split_step": 20}
    (mesh,) = meshes_of(fig)
    one = mean(folder, "endpoint_agreement", "agreement_score", matrix="layers.3.weight", **own)
    assert mesh.get_array()[3, -1] == pytest.approx(one)
    assert len(set(np.diff(mesh.get_coordinates()[0, :, 0]))) == 1
    assert [text.get_text() for text in fig.axes[0].get_xticklabels()] == ["0", "0.5", "2"]
    shown = fig.axes[1].lines[0].get_ydata()[-1]
    assert shown == pytest.approx(mean(folder, "endpoint_agreement", "agreement_score", **own))


def test_of_two_trunks_there_are_barriers_of_all_prunings_and_agreement_of_all_matrices(
    make_tables,
):
    folder = make_tables(connections=("vgg",))
    fig = draw("across", folder)
    panels = {title_of(axes): axes for axes in fig.axes}
    assert {"train loss", "train error", "validation loss", "validation error"} < set(panels)
    across = {"relation": "across", "split_step": 5}
    curves = curves_of(panels["train error"])
    assert [curve.get_color() for curve in curves] == COLOURS
    own = {"relation": "across", "split": "train", "metric": "error"}
    bottom = mean(folder, "barriers", "barrier", keep="bottom", split_step=5, **own)
    whole = mean(folder, "barriers", "barrier", keep="full", **own)
    assert curves[2].get_ydata()[1] == pytest.approx(bottom / whole)
    scores = panels["mean over matrices"]
    for curve, relation in zip(curves_of(scores), ("across", "within"), strict=True):
        own = across | {"relation": relation}
        expected = mean(folder, "endpoint_agreement", "agreement_score", **own)
        assert curve.get_ydata()[1] == pytest.approx(expected)
    alone = draw("endpoint_agreement", folder).axes[1].lines[0]
    assert alone.get_color() == curves_of(scores)[1].get_color()
    one = mean(folder, "endpoint_agreement", "agreement_score", matrix="layers.1.weight", **across)
    assert meshes_of(fig)[0].get_array()[1, 1] == pytest.approx(one)
    step = draw("across", folder, experiments={"vgg": {"x": "step"}})
    assert "step of the split" in {axes.get_xlabel() for axes in step.axes}


def with_perturbed_at(folder, step: int) -> None:
    """Perturb another split point too, with twice the barriers."""
    for table in ("barriers", "endpoint_agreement"):
        rows = Tables(folder)[table]
        more = where(rows, relation="perturbed").assign(split_step=step)
        if table == "barriers":
            more = more.assign(barrier=2 * more["barrier"])
        write_table(folder / f"{table}.csv", pd.concat([rows, more]))


def test_every_perturbed_split_point_is_there_with_scale_zero_of_its_own(make_tables):
    folder = make_tables(connections=("vgg",))
    with_perturbed_at(folder, 5)
    fig = draw("perturbation", folder)
    whole = mean(folder, "barriers", "barrier", relation="across", keep="full", **LOSS)
    panels = [axes for axes in fig.axes if title_of(axes) == "validation loss"]
    assert [axes.get_xlabel() for axes in panels] == [
        *("scale of the perturbation at epoch 2", "scale of the perturbation at epoch 0.5")
    ]
    for axes, step in zip(panels, (20, 5), strict=True):
        curve = curves_of(axes)[0]
        assert curve.get_xdata().tolist() == [0, 0.5, 2.5]
        own = {"keep": "full", "split_step": step, **LOSS}
        for place, relation, scale in ((0, "within", 0), (-1, "perturbed", 2.5)):
            at = {"relation": relation, "scale": scale, **own}
            expected = mean(folder, "barriers", "barrier", **at) / whole
            assert curve.get_ydata()[place] == pytest.approx(expected)


def test_diagonals_have_a_column_for_every_relation(make_tables):
    folder = make_tables(connections=("vgg",))
    fig = draw("endpoint_diagonal", folder, experiments={"vgg": {"matrix": "layers.1.weight"}})
    meshes, own = meshes_of(fig), {"matrix": "layers.1.weight", "index": 3}
    assert [title_of(axes) for axes in fig.axes[:3]] == [
        *("two branches of one trunk", "branches of two trunks", "perturbed at epoch 2")
    ]
    assert [mesh.get_array().shape for mesh in meshes] == [(6, 3)] * 3
    for mesh, column, at in (
        (meshes[0], 1, {"relation": "within", "split_step": 5}),
        (meshes[1], 2, {"relation": "across", "split_step": 20}),
        (meshes[2], 0, {"relation": "within", "split_step": 20}),
        (meshes[2], 2, {"relation": "perturbed", "scale": 2.5}),
    ):
        expected = mean(folder, "endpoint_diagonal", "mean", **own, **at)
        assert mesh.get_array()[2, column] == pytest.approx(expected)


def test_every_path_is_a_point_of_barrier_against_agreement(make_tables):
    folder = make_tables(experiments=("vgg", "lstm"), connections=("vgg", "lstm"))
    (axes,) = draw("barrier_and_agreement", folder).axes
    tables, path = Tables(folder), ["trunks", "split_step", "scale", "branches"]
    points = [line for line in axes.lines if line.get_linestyle() == "None"]
    naive = []
    for relation in ("within", "perturbed", "across"):
        for name in ("vgg", "lstm"):
            of = {"connection": name, "keep": "full", **LOSS}
            whole = where(tables["barriers"], relation="across", **of)["barrier"].mean()
            own = where(tables["barriers"], relation=relation, **of)
            ends = where(tables["endpoint_agreement"], relation=relation, connection=name)
            naive.append(
                {
                    (rows["agreement_score"].mean(), barrier / whole)
                    for key, rows in ends.groupby(path)
                    for barrier in where(own, **dict(zip(path, key, strict=True)))["barrier"]
                }
            )
    for line, expected in zip(points, naive, strict=True):
        shown = sorted(zip(line.get_xdata(), line.get_ydata(), strict=True))
        np.testing.assert_allclose(shown, sorted(expected))
    assert len({line.get_marker() for line in points}) == 3
    assert len({line.get_color() for line in points}) == 2


def test_more_connections_than_colours_are_all_there(make_tables):
    names = tuple(f"net_{place}" for place in range(9))
    folder = make_tables(experiments=names, connections=names, num_matrices=2)
    fig = draw("barrier_and_agreement", folder)
    assert legend_of(fig, 0) == [name.replace("_", " ") for name in names]
    drawn = [line for line in fig.axes[0].lines if line.get_linestyle() == "None"]
    assert len(drawn) == 3 * len(names)


def test_connections_without_a_barrier_across_trunks_have_no_point(make_tables):
    folder = make_tables(experiments=("vgg", "lstm"), connections=("vgg", "lstm"))
    barriers = Tables(folder)["barriers"]
    flat = (barriers["connection"] == "lstm") & (barriers["relation"] == "across")
    write_table(folder / "barriers.csv", barriers.assign(barrier=barriers["barrier"] * ~flat))
    fig = draw("barrier_and_agreement", folder)
    assert legend_of(fig, 0) == ["vgg"]
