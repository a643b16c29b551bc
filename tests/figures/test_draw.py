"""All figures of a folder of tables: which there are, what the index says, errors, bytes."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tests.sealed import write_csv

from specflow.errors import SpecflowError
from specflow.figures import registry
from specflow.figures.draw import draw_all, draw_checkpoints, drawings
from specflow.figures.index import FigureEntry
from specflow.figures.registry import kinds
from specflow.figures.section import FiguresParams
from specflow.frames import Tables
from specflow.studies.comparisons import Groups

NO_GROUPS = Groups(weight_decay={}, labels={})
GROUPS = Groups.model_validate(
    {
        "weight_decay": {"vgg": {"base": "vgg", "weight_decays": {"vgg": 0.1}}},
        "labels": {"vgg": {"true_labels": "vgg", "random_labels": "vgg"}},
    }
)
PANEL = {
    "experiments": ["vgg"],
    "matrix": "layers.1.weight",
    "pair": "embedding -> block 1 attention in",
    "scale": "log",
}
EVERYTHING = {
    "steps": (0, 5, 20),
    "checkpoints": {"hub": (0, 1, 2, 4, 8, 512)},
    "connections": ("vgg",),
    "tickets": {"drawn": ("random", 0.05, 5)},
    "samples": ("images",),
}
IN_FULL = (
    *("singular_values", "agreement", "alignment"),
    *("step_agreement", "pairwise_agreement", "quantities"),
)
OF_SPECTRA = ("effective_rank", "other_ranks", *IN_FULL)
SEVERAL = ("several_singular_values", "several_agreement", "several_alignment")
OF_TICKETS = (
    *("tickets", "ticket_training", "ticket_pruning"),
    *("ticket_agreement", "ticket_settling"),
)
ON_DEMAND = ("noise", "power_laws", "change_spectra", "heads")  # in test_on_demand
OF_CHECKPOINTS = ("by_depth", "changes")
OF_ONE_STEP = ("spectrum",)  # in test_one_step
OF_A_WATCH = ("leading", "given")  # in test_training
OF_TWO_MODELS = ("moved_by_depth", "moved_spectra")
COMPARED = ("weight_decay", "best_epoch", "rank_and_norm", "labels")


def params(**settings) -> FiguresParams:
    return FiguresParams.model_validate({"dpi": 50, **settings})


def test_every_kind_is_drawn_and_listed_once(make_tables, tmp_path):
    small = {"matrices": ["layers.1.weight"], "pairs": [PANEL["pair"]]}
    settings = params(grokking=PANEL, problems=["vgg"], experiments={"vgg": small})
    drawn = draw_all(make_tables(**EVERYTHING), tmp_path, settings, GROUPS)
    assert {one.members for one in drawn if one.kind == "problems_pruning"} == {("vgg",)}
    elsewhere = {*OF_TWO_MODELS, *ON_DEMAND, *OF_ONE_STEP, *OF_A_WATCH}
    assert {entry.kind for entry in drawn} == set(kinds()) - elsewhere
    assert len({entry.file for entry in drawn}) == len(drawn)
    of_vgg, of_hub = ([one.kind for one in drawn if one.subject == name] for name in ("vgg", "hub"))
    assert of_vgg[:3] == ["losses", "effective_rank", "singular_values"]
    of_connection = ["barriers", "interpolation", "across", "perturbation"]
    of_ends = ["endpoint_agreement", "endpoint_diagonal"]
    others = ["losses", *of_connection, *of_ends, *OF_TICKETS, *COMPARED]
    assert sorted(of_vgg) == sorted([*OF_SPECTRA, *SEVERAL, *others])
    assert sorted(of_hub) == sorted([*OF_SPECTRA, *OF_CHECKPOINTS])
    for entry in drawn:
        with Image.open(tmp_path / entry.file) as image:
            assert (image.width, image.info["Title"]) == (450, entry.title)


def test_a_figure_of_tickets_says_that_it_shows_all_of_an_experiment(make_tables):
    found = listed(make_tables(**EVERYTHING), params()).values()
    of_tickets = [name for name, kind in kinds().items() if "ticket" in kind.of]
    assert {one.kind: (one.of, one.shows) for one in found if one.shows} == dict.fromkeys(
        of_tickets, ("experiments", "tickets")
    )
    assert of_tickets[:2] == ["tickets", "ticket_training"]


@pytest.mark.parametrize("of", [("distance",), ("experiment", "experiments"), ()])
def test_a_figure_of_no_known_kind_of_subject_is_refused(of):
    with pytest.raises(
        ValueError, match=r"@figure of drawn: got \(.*; expected some of experiment,"
    ):

        @registry.figure(*of, title="Drawn", caption="Never.")
        def drawn(fig, tables, subject): ...

    assert "drawn" not in registry._kinds


def test_numbers_alone_change_bytes_and_neither_time_nor_workers(make_tables, tmp_path):
    def draw(run: str, steps: tuple[int, ...], workers: int = 1) -> dict[str, bytes]:
        tables = make_tables(samples=("images",), in_full=False, steps=steps, num_matrices=2)
        drawn = draw_all(tables, tmp_path / run, params(), NO_GROUPS, workers)
        return {one.file: (tmp_path / run / one.file).read_bytes() for one in drawn}

    first = draw("first", (0, 20))
    assert draw("again", (0, 20), workers=2) == first
    other = draw("other", (0, 9))
    assert {name for name in first if first[name] == other[name]} == {
        *("samples_images.png", "schematic.png")
    }


def listed(folder, settings, groups=NO_GROUPS) -> dict[str, FigureEntry]:
    tables = Tables(folder)
    found = drawings(tables, settings, groups)
    entries = [kinds()[name].entry(subject, tables) for name, subject in found]
    return {entry.file: entry for entry in entries}


def test_index_says_what_a_figure_is_of_and_which_claims_it_bears_on(make_tables):
    tables = make_tables(connections=("vgg",), checkpoints={"hub": (0, 5)}, samples=("images",))
    found = listed(tables, params())
    rank = found["effective_rank_vgg.png"]
    assert (rank.kind, rank.of, rank.subject) == ("effective_rank", "experiments", "vgg")
    assert rank.title == "Normalized effective rank of all matrices: vgg"
    assert "rank_falls" in rank.claims
    assert found["effective_rank_hub.png"].of == "checkpoints"
    assert found["barriers_vgg.png"].of == "connections"
    images = found["samples_images.png"]
    assert (images.of, images.title) == ("samples", "Images made from the same noise: vgg")
    assert "Mean over seeds" in rank.caption
    assert "seeds" not in found["effective_rank_hub.png"].caption
    assert (rank.folded, found["other_ranks_vgg.png"].folded) == (False, True)
    errors = found["errors.png"]
    assert (errors.of, errors.subject, errors.members) == ("project", None, ())


def test_order_of_kinds_is_not_that_of_imports(monkeypatch):
    before = list(kinds())
    monkeypatch.setattr(registry, "_kinds", dict(reversed(registry._kinds.items())))
    assert list(kinds.__wrapped__()) == before


def test_kinds_cannot_be_mistaken_for_another_kind_of_a_subject():
    # an experiment may have any name, that of a kind's end too
    assert not any(longer.startswith(f"{kind}_") for kind in kinds() for longer in kinds())
    assert all(kind.caption.endswith(".") for kind in kinds().values())


@pytest.mark.parametrize(
    "world",
    [
        {
            **{"seeds": (0,), "indices": (1,), "num_matrices": 2, "fractions": ()},
            **{"steps": (0,), "splits": (0,), "undefined_agreement": True},
        },
        {"steps": (0, 20), "splits": (0, 20), "num_matrices": 20, "fractions": (0.1, 0.5)},
    ],
    ids=str,
)
def test_unusual_tables_are_drawn(make_tables, tmp_path, world):
    settings = params(experiments={"vgg": {"scale": "log"}}, problems=["vgg"])
    tickets = {"drawn": ("random", 0.05, 0)}
    tables = make_tables(connections=("vgg",), tickets=tickets, **world)
    expected = {"losses", "barriers", "across", "problems_alignment", *OF_TICKETS, *OF_SPECTRA}
    drawn = draw_all(tables, tmp_path / "figures", settings, NO_GROUPS)
    assert expected <= {entry.kind for entry in drawn}


@pytest.mark.parametrize(
    ("world", "missing"),
    [
        ({"across": False}, ["across", "barrier_and_agreement"]),
        ({"scales": ()}, ["perturbation"]),
        ({"with_pairs": False}, ["alignment", "problems_alignment"]),
        ({"in_full": False}, IN_FULL),
    ],
)
def test_what_tables_do_not_have_is_not_drawn(make_tables, world, missing):
    tables = make_tables(connections=("vgg",), steps=(0, 20), splits=(0, 20), **world)
    problems = [] if "in_full" in world else ["vgg"]
    found = listed(tables, params(problems=problems))
    left_out = {"grokking", "samples", *COMPARED, *OF_TICKETS, *SEVERAL}
    left_out |= {*OF_CHECKPOINTS, *OF_TWO_MODELS, *ON_DEMAND, *OF_ONE_STEP, *OF_A_WATCH}
    left_out |= {kind for kind in kinds() if kind.startswith("problems") and not problems}
    assert {entry.kind for entry in found.values()} == set(kinds()) - left_out - {*missing}


def test_without_connections_nothing_of_connections_is_read(make_tables):
    tables = make_tables()
    for name in ("barriers", "interpolation", "endpoint_agreement", "endpoint_diagonal"):
        (tables / f"{name}.csv").unlink()
    assert {entry.of for entry in listed(tables, params()).values()} == {"experiments", "project"}


@pytest.mark.parametrize("steps", [(3,), (0, 10**6)])
def test_checkpoints_alone_need_no_table_of_runs(make_tables, tmp_path, steps):
    tables = make_tables(experiments=(), checkpoints={"own": steps}, prefix=r"$\frac{" + 99 * "x")
    for name in ("history", "pruning", "connections", "tickets", "samples"):
        (tables / f"{name}.csv").unlink()
    noted: list[Path] = []
    drawn = draw_checkpoints(tables, tmp_path / "figures", params(), noted.append)
    expected = {*OF_SPECTRA, *OF_CHECKPOINTS}
    if len(steps) == 1:  # of which nothing can change
        expected -= {"agreement", "step_agreement", "pairwise_agreement", "quantities", "changes"}
        expected = expected - {"effective_rank", "singular_values"} | {*OF_ONE_STEP}
    assert sorted(entry.kind for entry in drawn) == sorted(expected)
    assert noted == [tmp_path / "figures" / entry.file for entry in drawn]
    assert all(path.is_file() for path in noted)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"grokking": {**PANEL, "experiments": ["absent"]}}, "'absent'; the tables have vgg"),
        ({"experiments": {"absent": {}}}, "the experiment 'absent'"),
        ({"problems": ["vgg", "absent"]}, "the experiment 'absent'"),
        ({"checkpoints": {"absent": {}}}, "the checkpoints 'absent'; the tables have hub"),
        ({"checkpoints": {"vgg": {}}}, "the checkpoints 'vgg'"),
        ({"experiments": {"vgg": {"matrix": "w"}}}, "vgg.matrix: got 'w'; expected"),
        ({"experiments": {"vgg": {"pair": "a -> b"}}}, "vgg.pair: got 'a -> b'"),
        ({"checkpoints": {"hub": {"pair": "a -> b"}}}, "checkpoints.hub.pair: got 'a -> b'"),
        ({"grokking": {**PANEL, "matrix": "w"}}, "figures.grokking.matrix: got 'w'"),
    ],
    ids=str,
)
def test_names_that_the_tables_lack_are_refused_before_anything_is_written(
    make_tables, tmp_path, settings, message
):
    tables = make_tables(checkpoints={"hub": (0, 5)}, steps=(0, 20))
    with pytest.raises(ValueError, match=message):
        draw_all(tables, tmp_path / "figures", params(**settings), NO_GROUPS)
    assert not (tmp_path / "figures").exists()


def test_groups_of_other_tables_are_refused(make_tables, tmp_path):
    with pytest.raises(ValueError, match="the experiment 'vgg'; the tables have lstm"):
        draw_all(make_tables(experiments=("lstm",)), tmp_path / "figures", params(), GROUPS)
    assert not (tmp_path / "figures").exists()


def test_a_broken_table_is_an_error_with_figure_and_column_that_comes_through_from_a_worker(
    make_tables, tmp_path
):
    tables = make_tables(steps=(0, 20), in_full=False, with_pairs=False, num_matrices=2)
    write_csv(tables / "pruning.csv", "experiment,split\nvgg,train\n")
    with pytest.raises(SpecflowError, match=r"tables: losses_vgg\.png: no 'keep") as raised:
        draw_all(tables, tmp_path / "figures", params(), NO_GROUPS)
    received = pickle.loads(pickle.dumps(raised.value))
    assert (type(received), str(received)) == (type(raised.value), str(raised.value))


def test_a_missing_table_is_named(make_tables, tmp_path):
    tables = make_tables(steps=(0, 20))
    (tables / "matrices.csv").unlink()
    with pytest.raises(SpecflowError, match=r"matrices\.csv"):
        draw_all(tables, tmp_path / "figures", params(), NO_GROUPS)


def test_listing_kinds_imports_neither_torch_nor_pyplot():
    program = (
        "import sys\nfrom specflow.figures import draw\n"
        "assert 'losses' in draw.kinds()\n"
        "print({'torch', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert result.stdout.strip() == "set()", result.stderr
