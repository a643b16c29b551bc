"""Checkpoints made elsewhere: their section, how they are read, and their tables."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tests.checkpoints import trajectories
from tests.studies.made_up import AUDIT, PAIRS, write_spectra

from specflow.audit.findings import write_audit
from specflow.datasets.shapes import ImageShape
from specflow.errors import SpecflowError
from specflow.models.unet import UnetParams
from specflow.section_errors import problems_of
from specflow.studies.checkpoints.analysis import read_checkpoints
from specflow.studies.checkpoints.settings import ReadingParams
from specflow.studies.checkpoints.study import (
    CheckpointsParams,
    checkpoint_tables,
    measured_checkpoints,
)
from specflow.studies.rows import rows_in
from specflow.studies.shown import ShownParams

SPECTRA = {"diagonal_length": 100, "score_length": 10, "mass": 0.9}
LEAST = {"path": "models", "files": ["*.pt"], "spectra": SPECTRA}
SPLIT = {"match": "*qkv", "split": ["q", "k", "v"]}


def test_most_of_a_section_has_a_usual_value():
    params = CheckpointsParams.model_validate(LEAST)
    assert (params.layout, params.include, params.exclude) == ("auto", ("*",), ())
    assert (params.key, params.num_heads, params.step_from) == (None, None, None)
    assert ReadingParams.model_validate({"files": ["*.pt"]}).layout == "auto"


def test_errors_within_lists_name_the_entry_and_the_keys_that_are_expected():
    data = LEAST | {
        "files": ["a", {"path": 3}],
        "fused": [SPLIT, SPLIT | {"axes": 1}],
        "pairs": [{"from": "a", "too": "b"}],
    }
    with pytest.raises(ValidationError) as error:
        CheckpointsParams.model_validate(data)
    keys = "from, to, from_side, to_side"
    assert problems_of(error.value, CheckpointsParams, data) == [
        "files.1.path: got 3; expected a valid string",
        "fused.1.axes: unknown key (value 1); expected one of match, split, axis, "
        "shares, interleaved_by (did you mean axis?)",
        f"pairs.0.too: unknown key (value 'b'); expected one of {keys} (did you mean to?)",
    ]


def test_section_survives_json():
    section = CheckpointsParams.model_validate(
        LEAST
        | {
            "files": [{"path": "a.pt", "step": 3}, "b*.pt"],
            "num_heads": 4,
            "fused": [SPLIT | {"interleaved_by": "heads"}, {"match": "*w1", "split": None}],
            "pairs": [{"from": "*.v", "to": "*.o", "from_side": "right"}],
        }
    )
    assert CheckpointsParams.model_validate_json(section.model_dump_json()) == section


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"files": []}, "at least 1 item"),
        ({"files": [{"path": "a", "step": -1}]}, "greater than or equal to 0"),
        ({"step_from": "step"}, "expected one group for the step"),
        ({"step_from": "("}, "expected a regular expression"),
        ({"include": []}, "at least 1 item"),
        ({"fused": [SPLIT | {"split": ["q"]}]}, "at least 2 items"),
        ({"fused": [SPLIT | {"split": ["q", "q"]}]}, "each once"),
        ({"fused": [SPLIT | {"split": ["a/b", "c"]}]}, "should match pattern"),
        ({"fused": [SPLIT | {"shares": [1, 2]}]}, "2 shares of 3 parts"),
        ({"fused": [SPLIT | {"split": None, "shares": [1]}]}, "neither shares nor interleaved"),
        ({"fused": [SPLIT | {"interleaved_by": "heads"}]}, "num_heads is null; expected a number"),
        ({"pairs": [{"from": "*.v", "to": "o"}]}, r"from has 1 `\*` and to has 0"),
        ({"pairs": [{"from": "a", "to": "b", "to_side": "top"}]}, "Input should be 'left'"),
    ],
)
def test_faulty_value_is_refused(change, match):
    with pytest.raises(ValidationError, match=match):
        CheckpointsParams.model_validate(LEAST | change)


MODEL = {"kind": "unet", "channels": [4, 8], "embedding_width": 4, "fourier_scale": 1.0}
SHAPE = {"kind": "images", "channels": 1, "size": 28, "num_classes": 10}


def read(folder, *files, **more):
    return read_checkpoints(ReadingParams.model_validate({"files": files} | more), folder)


@pytest.fixture
def network():
    section = UnetParams.model_validate(MODEL)
    return section.build(ImageShape.model_validate(SHAPE))


def test_own_trajectory_tells_which_parameters_have_their_inputs_first(tmp_path, network):
    expected = {m.view.tensor: m.view.transposed for m in network.wiring.matrices}
    assert len(set(expected.values())) == 2
    own = json.dumps([name for name, transposed in expected.items() if transposed])
    weights = {name: p.detach().numpy() for name, p in network.named_parameters()}
    origin = replace(trajectories.ORIGIN, transposed=own)
    trajectories.write(tmp_path / "trajectory.h5", [0, 5], weights, origin=origin)
    _, wiring = read(tmp_path, "trajectory.h5")
    assert {m.view.tensor: m.view.transposed for m in wiring.matrices} == expected


def test_wiring_is_that_of_what_most_steps_hold(tmp_path):
    for step in range(3):
        torch.save({"w": torch.ones(2, 3 + (step == 1))}, tmp_path / f"step{step}.pt")
    checkpoints, wiring = read(tmp_path, "step*.pt")
    assert [step.number for step in checkpoints.steps] == [0, 1, 2]
    assert [(m.name, m.view.shape) for m in wiring.matrices] == [("w", (2, 3))]


@pytest.fixture
def places(tmp_path):
    """Spectra and audit of four steps."""
    write_audit(tmp_path / "audit.json", AUDIT)
    shapes = {name: (8, 6) for name in "abcd"}
    return write_spectra(tmp_path / "spectra.h5", shapes=shapes), tmp_path / "audit.json"


def test_tables_are_those_of_runs_with_seed_0_and_those_of_the_audit(places):
    tables = checkpoint_tables("theirs", *places, rows_in(places[0]))
    for table in tables.values():
        assert set(table["experiment"]) <= {"theirs"}
    assert tables["spectra"]["seed"].unique().tolist() == [0]
    assert tables["audit"].to_numpy().tolist() == [
        ["theirs", 3, "a", "non_finite", '1 of 48, "all"']
    ]
    changes = tables["changes"]
    assert list(changes) == ["experiment", "step", "matrix", "relative_change", "cosine"]
    assert changes["step"].tolist() == [3, 6, 10] * 2
    np.testing.assert_array_equal(changes["relative_change"], [np.nan, np.nan, 0.5, 1, 2, 3])


def test_the_middle_matrix_and_pair_are_in_full_or_those_named(places):
    spectra, _ = places
    rows = rows_in(spectra)
    middle = measured_checkpoints("theirs", spectra, rows)
    assert (middle.matrices.full, middle.pairs.full) == (("c",), (PAIRS[1],))
    shown = ShownParams(matrix="a", pair=PAIRS[0], matrices="all")
    named = measured_checkpoints("theirs", spectra, rows, shown)
    assert (named.matrices.full, named.pairs.full) == (("a",), (PAIRS[0],))
    assert (named.matrices.small, named.pairs.small) == (("b", "c", "d"), ())
    for key, expected in (("matrix", "a, b, c, d"), ("pair", "z -> a/b, a -> out")):
        message = f"figures.checkpoints.theirs.{key}: got 'more'; expected one of {expected}"
        with pytest.raises(SpecflowError, match=message):
            measured_checkpoints("theirs", spectra, rows, ShownParams(**{key: "more"}))


def test_missing_results_are_named(tmp_path, places):
    with pytest.raises(SpecflowError, match=r"absent\.h5: there is no such file"):
        rows_in(tmp_path / "absent.h5")
    with pytest.raises(SpecflowError, match=r"absent\.json: there is no such file"):
        checkpoint_tables("theirs", places[0], tmp_path / "absent.json", rows_in(places[0]))
