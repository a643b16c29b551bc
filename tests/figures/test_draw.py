import os
import struct
import subprocess
import sys

import pytest
from PIL import Image

from specflow.errors import SpecflowError
from specflow.figures.catalogue import OF_CONNECTION, OF_RELATION, drawings
from specflow.figures.draw import draw_all
from specflow.params.figures import FiguresParams
from specflow.params.groups import Groups
from specflow.report.evidence import group_of_kind
from specflow.tables.reading import Tables

NO_GROUPS = Groups(weight_decay={}, labels={})
DECAYS = {"none": 0.0, "grokking": 0.1, "strong": 1.0}
GROUPS = Groups.model_validate(
    {
        "weight_decay": {"grokking": {"base": "grokking", "weight_decays": DECAYS}},
        "labels": {"grokking": {"true_labels": "grokking", "random_labels": "memorizing"}},
    }
)
PANEL = {
    "experiments": ["grokking", "grokking_no_decay"],
    "matrix": "layers.1.weight",
    "pair": "embedding -> block 1 attention in",
    "scale": "log",
}


def params(**settings) -> FiguresParams:
    return FiguresParams.model_validate({"dpi": 60, **settings})


def names(entries) -> set[str]:
    return {entry.file.removesuffix(".png") for entry in entries}


def test_every_figure_is_drawn_small_and_as_wide_as_a_readme(make_tables, tmp_path):
    experiments = ("grokking", "digits_vgg")
    panel = {**PANEL, "experiments": experiments}
    settings = params(
        dpi=130,
        grokking=panel,
        experiments={"grokking": {"scale": "log", "x": "step"}},
        problems=experiments,
    )
    tables = make_tables(experiments=experiments, samples=("digits_unet",))
    drawn = draw_all(tables, tmp_path / "figures", settings, NO_GROUPS)
    of_experiment = {"losses", "singular_values", "effective_rank", "agreement", "alignment"}
    expected = {f"{figure}_{name}" for figure in of_experiment for name in experiments}
    expected |= {"barriers_digits_vgg", "interpolation_digits_vgg", "end_agreement_digits_vgg"}
    expected |= {"across_digits_vgg", "perturbation_digits_vgg", "samples_digits_unet"}
    expected |= {f"problems_{name}" for name in ("spectra", "pruning", "alignment", "agreement")}
    assert names(drawn) == expected | {"grokking", "errors"}
    for entry in drawn:
        content = (tmp_path / "figures" / entry.file).read_bytes()
        (width,) = struct.unpack(">I", content[16:20])
        assert width == 1170
        assert len(content) < 200_000


def test_the_same_numbers_give_the_same_bytes_and_others_do_not(make_tables, tmp_path):
    def draw(run: str, count: int, connections: dict, settings: FiguresParams):
        tables = make_tables(
            num_checkpoints=count,
            experiments=("grokking",),
            connections=connections,
            splits=(0, count),
            samples=("images",),
            num_images=count,
        )
        drawn = draw_all(tables, tmp_path / run, settings, NO_GROUPS)
        return {entry.file: (tmp_path / run / entry.file).read_bytes() for entry in drawn}

    everything = ({"grokking": "grokking"}, params(grokking={**PANEL, "experiments": ["grokking"]}))
    first = draw("first", 4, *everything)
    assert draw("second", 4, *everything) == first
    other = draw("other", 5, {}, params())
    assert all(first[name] != content for name, content in other.items())


def test_every_figure_is_listed_with_kind_and_subject_and_knows_its_title(make_tables, tmp_path):
    settings = params(grokking={**PANEL, "experiments": ["grokking"]})
    tables = make_tables(
        num_checkpoints=4, experiments=("grokking",), connections={"grokking": "grokking"}
    )
    drawn = {
        entry.file: entry for entry in draw_all(tables, tmp_path / "figures", settings, NO_GROUPS)
    }
    rank = drawn["effective_rank_grokking.png"]
    assert (rank.kind, rank.subject) == ("effective_rank", "grokking")
    barriers = drawn["end_agreement_grokking.png"]
    assert (barriers.kind, barriers.subject) == ("end_agreement", "grokking")
    assert drawn["grokking.png"].subject is None
    with Image.open(tmp_path / "figures" / rank.file) as image:
        assert image.info["Title"] == "Normalized effective rank of all matrices: grokking"
    for name in drawn:
        with Image.open(tmp_path / "figures" / name) as image:
            assert image.info["Title"]


@pytest.mark.parametrize(
    "world",
    [
        {"seeds": (0,), "num_values": 1, "num_matrices": 2, "fractions": ()},
        {"num_checkpoints": 1, "splits": (0,), "undefined_agreement": True},
        {"num_checkpoints": 2, "num_matrices": 20, "fractions": (0.1, 0.25, 0.5, 0.9)},
    ],
    ids=str,
)
def test_unusual_tables_are_drawn(make_tables, tmp_path, world):
    settings = {"num_checkpoints": 5, "experiments": ("digits_vgg",), **world}
    drawn = draw_all(
        make_tables(**settings),
        tmp_path / "figures",
        params(experiments={"digits_vgg": {"scale": "log"}}, problems=["digits_vgg"]),
        NO_GROUPS,
    )
    assert len(drawn) == 15


def test_without_lines_across_trunks_and_perturbed_ones_their_figures_are_not_drawn(
    make_tables, tmp_path
):
    world = {"experiments": ("digits_vgg",), "num_checkpoints": 3}
    drawn = draw_all(
        make_tables(**world, across=False, scales=()), tmp_path / "none", params(), NO_GROUPS
    )
    assert names(drawn) & {"across_digits_vgg", "perturbation_digits_vgg"} == set()
    assert "barriers_digits_vgg" in names(drawn)
    drawn = draw_all(make_tables(**world, across=False), tmp_path / "one", params(), NO_GROUPS)
    assert names(drawn) & {"across_digits_vgg", "perturbation_digits_vgg"} == {
        "perturbation_digits_vgg"
    }


def test_without_connections_nothing_of_connections_is_read(make_tables, tmp_path):
    tables = make_tables(connections={}, experiments=("digits_vgg",), num_checkpoints=4)
    for name in ("barriers", "interpolation", "end_agreement"):
        (tables / f"{name}.csv").unlink()
    drawn = draw_all(tables, tmp_path / "figures", params(), NO_GROUPS)
    assert names(drawn) & {"barriers_digits_vgg", "interpolation_digits_vgg"} == set()
    assert len(drawn) == 6


def test_an_experiment_that_is_not_in_full_has_no_figures_of_single_values(make_tables, tmp_path):
    tables = make_tables(connections={}, experiments=("digits_vgg",), num_checkpoints=4)
    for name in ("singular_values", "agreement_diagonal", "alignment_diagonal"):
        table = tables / f"{name}.csv"
        table.write_text(table.read_text().splitlines()[0] + "\n")
    drawn = draw_all(tables, tmp_path / "figures", params(), NO_GROUPS)
    assert names(drawn) == {"losses_digits_vgg", "effective_rank_digits_vgg", "errors"}


def test_an_experiment_without_pairs_has_no_alignment_figure(make_tables, tmp_path):
    tables = make_tables(connections={}, experiments=("digits_vgg",), num_checkpoints=4)
    for name in ("pairs", "alignment", "alignment_diagonal"):
        table = tables / f"{name}.csv"
        table.write_text(table.read_text().splitlines()[0] + "\n")
    drawn = draw_all(tables, tmp_path / "figures", params(problems=["digits_vgg"]), NO_GROUPS)
    assert names(drawn) == {
        "errors",
        *(f"problems_{name}" for name in ("spectra", "pruning", "agreement")),
        *(
            f"{name}_digits_vgg"
            for name in ("losses", "singular_values", "effective_rank", "agreement")
        ),
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"grokking": {**PANEL, "experiments": ["absent"]}},
            "'absent'; the tables have digits_vgg",
        ),
        ({"experiments": {"absent": {}}}, "'absent'"),
        ({"problems": ["digits_vgg", "absent"]}, "'absent'"),
        ({"experiments": {"digits_vgg": {"matrix": "w"}}}, "digits_vgg.matrix: got 'w'; expected"),
        ({"experiments": {"digits_vgg": {"pair": "a -> b"}}}, "digits_vgg.pair: got 'a -> b'"),
        (
            {"grokking": {**PANEL, "experiments": ["digits_vgg"], "matrix": "w"}},
            "figures.grokking.matrix: got 'w'",
        ),
    ],
)
def test_names_that_the_tables_lack_are_refused_before_anything_is_written(
    make_tables, tmp_path, settings, message
):
    tables = make_tables(experiments=("digits_vgg",), num_checkpoints=3)
    with pytest.raises(ValueError, match=message):
        draw_all(tables, tmp_path / "figures", params(**settings), NO_GROUPS)
    assert not (tmp_path / "figures").exists()


def test_groups_of_other_tables_are_refused(make_tables, tmp_path):
    tables = make_tables(experiments=("grokking",), connections={}, num_checkpoints=3)
    with pytest.raises(ValueError, match="'memorizing'; the tables have grokking"):
        draw_all(tables, tmp_path / "figures", params(), GROUPS)
    assert not (tmp_path / "figures").exists()


def test_figures_of_two_kinds_never_have_one_file(make_tables):
    experiments = (*DECAYS, "memorizing")
    tables = make_tables(experiments=experiments, samples=("images",), num_checkpoints=3)
    panel = {**PANEL, "experiments": ["grokking"]}
    entries = drawings(Tables(tables), params(problems=["none"], grokking=panel), GROUPS)
    kinds = {entry.kind for entry in entries}
    # an experiment may have any name, that of a kind's end too
    assert not any(longer.startswith(f"{kind}_") for kind in kinds for longer in kinds)
    assert len({entry.file for entry in entries}) == len(entries)
    own = {entry.kind for entry in entries if entry.subject in {"digits_vgg", "images"}}
    assert own >= {*OF_CONNECTION, "across", "perturbation", "samples"}
    groups = {kind: group_of_kind(kind) for kind in kinds}
    relations = {kind for kind, _ in OF_RELATION.values()}
    assert {k for k, group in groups.items() if group == "connections"} == {
        *OF_CONNECTION,
        *relations,
    }
    assert {k for k, group in groups.items() if group == "samples"} == {"samples"}


def test_groups_have_figures_and_workers_change_no_byte(make_tables, tmp_path):
    experiments = (*DECAYS, "memorizing")
    tables = make_tables(experiments=experiments, connections={}, num_checkpoints=4)
    settings = params(problems=["grokking", "none"])
    alone = draw_all(tables, tmp_path / "alone", settings, GROUPS)
    assert names(alone) >= {"weight_decay_grokking", "labels_grokking"}
    together = draw_all(tables, tmp_path / "together", settings, GROUPS, workers=2)
    assert together == alone
    for entry in alone:
        one, other = (tmp_path / run / entry.file for run in ("alone", "together"))
        assert one.read_bytes() == other.read_bytes()


def test_a_broken_table_ends_a_worker_with_its_name(make_tables, tmp_path):
    tables = make_tables(experiments=("grokking",), connections={}, num_checkpoints=3)
    (tables / "history.csv").write_text("experiment,split\n")
    with pytest.raises(SpecflowError, match=r"history\.csv has no column"):
        draw_all(tables, tmp_path / "figures", params(), NO_GROUPS, workers=2)


def test_a_missing_table_is_named(make_tables, tmp_path):
    tables = make_tables(experiments=("digits_vgg",), num_checkpoints=3)
    (tables / "matrices.csv").unlink()
    with pytest.raises(ValueError, match=r"matrices\.csv"):
        draw_all(tables, tmp_path / "figures", params(), NO_GROUPS)


def test_drawing_imports_neither_torch_nor_pyplot():
    program = (
        "import sys, specflow.figures.draw\n"
        "print({'torch', 'pandas', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert result.stdout.strip() == "set()", result.stderr
