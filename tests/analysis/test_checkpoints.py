"""Checkpoints from the command line and from Python, without DVC."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock, Timeout
from tests.audit.made_up_steps import save_steps, walk
from tests.commands import ended_with
from tests.measure.made_up import Killed, dies_after
from torch import nn

import specflow
from specflow import paths
from specflow.analysis.folder import name_of
from specflow.checkpoints.kept_steps import TrajectoryCheckpoints
from specflow.errors import SpecflowError
from specflow.frames import where
from specflow.hdf5 import open_file
from specflow.measure.layouts import SPECTRA
from specflow.measure.settings import SpectraParams
from specflow.measure.spectra import measure_spectra
from specflow.scratch import Scratch
from specflow.spectra import QUANTITIES
from specflow.studies.tables import entries_of
from specflow.training.runs import TrainingRun, train_runs


@pytest.fixture
def folder(workplace):
    save_steps(workplace / "run", range(0, 80, 10), walk())
    return workplace / "run"


def test_python_call_gives_a_row_for_each_step_and_matrix(folder):
    table = specflow.analyze(sorted(folder.glob("*.pt")))
    scores = ["agreement_score", "step_agreement_score"]
    assert list(table.columns) == ["step", "matrix", *QUANTITIES, *scores]
    quick = specflow.analyze(sorted(folder.glob("*.pt")), quick=True)
    families = {name: QUANTITIES[name].family for name in quick.columns if name in QUANTITIES}
    assert set(families.values()) == {None, "random_matrix"}
    pd.testing.assert_frame_equal(quick, table[quick.columns])
    assert len(table) == 8 * 2
    S = np.linalg.svd(walk()[3]["layers.1.weight"].double().numpy(), compute_uv=False)
    (row,) = where(table, step=30, matrix="layers.1").to_dict("records")
    assert row["stable_rank"] == pytest.approx((S**2).sum() / S[0] ** 2, rel=1e-4)
    assert row["log_norm"] == pytest.approx(np.log10((S**2).sum()), rel=1e-4)
    assert where(table, step=70)["agreement_score"].tolist() == pytest.approx([1, 1])
    assert [path.name for path in folder.parent.iterdir()] == ["run"]


def test_python_call_takes_a_pattern_and_keeps_what_is_asked_for(folder, undrawn):
    table = specflow.analyze("run/*.pt", exclude=["layers.0*"], output="out")
    assert set(table["matrix"]) == {"layers.1"}
    assert Path("out/index.html").is_file()
    pd.testing.assert_frame_equal(table, specflow.analyze("run/*.pt", exclude=["layers.0*"]))


def test_killed_analysis_goes_on_to_the_same_files(folder, monkeypatch, undrawn):
    specflow.analyze("run/*.pt", output="whole")
    for survived in (1, 3, 9, 14):
        killed = Path(f"killed{survived}")
        with monkeypatch.context() as patched:
            patched.setattr(Scratch, "save", dies_after(survived, Scratch.save))
            with pytest.raises(Killed):
                specflow.analyze("run/*.pt", output=killed)
        specflow.analyze("run/*.pt", output=killed)
        for name in ("spectra.h5", "audit.json"):
            assert (killed / name).read_bytes() == Path("whole", name).read_bytes()
        assert not (killed / ".partial").exists()


def test_what_a_killed_analysis_left_is_not_taken_for_that_of_another_structure(
    workplace, monkeypatch, undrawn
):
    """The modules of two networks with the same weights may have other groups of channels."""
    one, other = nn.Conv2d(4, 4, 3, groups=2), nn.Conv2d(2, 4, 3)
    other.load_state_dict(one.state_dict())
    with monkeypatch.context() as patched:  # when all is measured, and nothing written
        patched.setattr("specflow.measure.steps.unpacked", dies_after(0, list))
        with pytest.raises(Killed):
            specflow.analyze(one, output="killed")
    table = specflow.analyze(other, output="killed")
    pd.testing.assert_frame_equal(table, specflow.analyze(other))
    assert not table.equals(specflow.analyze(one))


def test_weights_in_memory_are_step_0_and_have_the_numbers_of_their_file(folder):
    model = nn.Sequential(nn.Linear(9, 12), nn.ReLU(), nn.Linear(12, 10))
    torch.save(model.state_dict(), "step0.pt")
    expected = specflow.analyze("step0.pt")
    assert list(expected["step"]) == [0, 0]
    for weights in (model, model.state_dict()):
        pd.testing.assert_frame_equal(specflow.analyze(weights), expected)


def test_module_tells_its_transposed_convolutions(workplace):
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ConvTranspose2d(4, 6, 3))
    kernel = model[1].weight.detach()
    expected = np.linalg.norm(kernel.transpose(0, 1).reshape(6, -1), 2)
    said = {"transposed": ["1.weight"]}
    for table in (specflow.analyze(model), specflow.analyze(model.state_dict(), **said)):
        (norm,) = where(table, matrix="1")["spectral_norm"]
        assert norm == pytest.approx(expected, rel=1e-4)


def test_inputs_come_first_where_that_is_said(folder, undrawn):
    weight = torch.randn(4, 6, 3, 3, generator=torch.Generator().manual_seed(0))
    save_steps(folder, [0], [{"up.weight": weight}])
    expected = np.linalg.norm(weight.transpose(0, 1).reshape(6, -1), 2)
    (norm,) = specflow.analyze("run/step0.pt", transposed=["up"])["spectral_norm"]
    assert norm == pytest.approx(expected, rel=1e-4)
    (other,) = specflow.analyze("run/step0.pt")["spectral_norm"]
    assert other != pytest.approx(expected, rel=1e-3)
    assert ended_with("analyze", "run/step0.pt", "--transposed", "up", "-o", "out") == 0
    with open_file(Path("out/spectra.h5"), SPECTRA) as file:
        (matrix,) = entries_of(file, "matrices").values()
        assert matrix.attrs["rows"] == 6
    assert ended_with("audit", "run/step0.pt", "--transposed", "down") == 1


def test_what_is_no_checkpoint_is_refused():
    with pytest.raises(SpecflowError, match=r"checkpoints: got int; expected paths, patterns, a "):
        specflow.analyze(3)


def test_parametrized_transposed_convolution_is_analysed(workplace):
    module = nn.utils.parametrizations.weight_norm(nn.ConvTranspose1d(4, 6, 3)).double()
    outputs_first = module.weight.detach().transpose(0, 1).flatten(1)
    table = specflow.analyze(module)
    assert table["matrix"].tolist() == ["weight"]
    assert table["spectral_norm"].item() == pytest.approx(
        torch.linalg.matrix_norm(outputs_first, 2).item(), rel=1e-12
    )


def test_trajectory_of_a_unet_has_the_numbers_that_are_measured_of_it(diffusion_run):
    path, target = paths.trajectory("images", 0), Path("spectra.h5")
    train_runs([TrainingRun("m", diffusion_run, 0, 0, path, diffusion_run.kept_steps, "")], "train")
    wiring = diffusion_run.model.wiring(diffusion_run.shape)
    assert sum(matrix.view.transposed for matrix in wiring.matrices) > 1
    settings = SpectraParams(diagonal_length=100, score_length=10, mass=0.9)
    scratch, checkpoints = Scratch(Path("scratch")), TrajectoryCheckpoints(path)
    with scratch.locked():
        measure_spectra(checkpoints, wiring, settings, target, scratch, print, workers=1)
    table = specflow.analyze(path)
    with open_file(target, SPECTRA) as file:
        for name, entry in entries_of(file, "matrices").items():
            own = where(table, matrix=name.removesuffix(".weight"))
            for quantity in ("effective_rank", "frobenius_norm", "agreement_score"):
                assert own[quantity].tolist() == entry[quantity][:].tolist(), name


def test_analyze_writes_tables_figures_and_a_page(folder, capsys):
    assert ended_with("analyze", "run/*.pt", "--step-from", r"step(\d+)", "-o", "My out") == 0
    first, *said, last = capsys.readouterr().out.splitlines()
    assert (first, last) == ("page: My out/index.html", "no flags: 8 steps, 3 tensors")
    assert said[:2] == [
        "structure: from names and shapes",
        "layout: none found; matrices are whole, neighbours unknown",
    ]
    assert said[2] == "analysed: 2 matrices, 228 of 238 parameters (95.8%)"
    written = {path.name for path in Path("My out").iterdir()}
    assert written == {
        "audit.json",
        "spectra.h5",
        "written.json",
        "tables",
        "figures",
        "index.html",
    }
    page = Path("My out/index.html").read_text()
    pictures = re.findall(r'<img src="([^"]{22})', page)
    assert len(pictures) == len(list(Path("My out/figures").glob("*.png")))
    assert set(pictures) == {"data:image/png;base64,"}
    assert "8 steps, 0 to 70; 2 matrices" in page
    assert "No flags" in page
    assert page.count("layers.1.bias") == 1


def test_quick_says_what_it_leaves_out_on_the_terminal_and_on_the_page(folder, capsys, undrawn):
    said = (
        "quick: without permuted entries, power laws, changes between steps and products of heads"
    )
    for options in ([], ["--quick"]):
        assert ended_with("analyze", "run/*.pt", "-o", "out", *options) == 0
        assert (said in capsys.readouterr().out.splitlines()) == bool(options)
        assert (f"<p>{said}</p>" in Path("out/index.html").read_text()) == bool(options)


def test_partial_results_are_removed_while_no_one_else_may_write_there(
    folder, monkeypatch, undrawn
):
    remove, removed = Scratch.remove, []

    def remove_if_locked(self):
        with pytest.raises(Timeout):
            FileLock(self.lock).acquire(timeout=0)
        removed.append(self.folder.name)
        remove(self)

    monkeypatch.setattr(Scratch, "remove", remove_if_locked)
    assert ended_with("analyze", "run/*.pt", "-o", "out") == 0
    assert removed[-2:] == [".partial", ".writing"]
    assert list(Path("out").glob(".*")) == []


@pytest.fixture
def fused(workplace):
    generator = torch.Generator().manual_seed(0)
    made = {"a.qkv.weight": (18, 6), "a.o.weight": (6, 6), "a.experts": (3, 4, 6)}
    state = {name: torch.randn(shape, generator=generator) for name, shape in made.items()}
    torch.save(state, "step0.pt")
    return state


def spectral_norms(table):
    return dict(zip(table["matrix"], table["spectral_norm"], strict=True))


def test_fused_tensors_and_pairs_are_those_of_params(fused):
    said = {"fused": ["*.qkv=q:1,k:1,v:1", "*.experts=*"], "pairs": ["*.qkv:v -> *.o"]}
    table = specflow.analyze("step0.pt", **said)
    q, k, v = fused["a.qkv.weight"].numpy().reshape(3, 6, 6)
    expected = {"a.qkv:q": q, "a.qkv:k": k, "a.qkv:v": v, "a.o": fused["a.o.weight"].numpy()}
    expected |= {f"a.experts:{n}": one.numpy() for n, one in enumerate(fused["a.experts"])}
    norms = {name: np.linalg.norm(matrix, 2) for name, matrix in expected.items()}
    assert spectral_norms(table) == pytest.approx(norms, rel=1e-4)
    as_in_params = {
        "fused": [
            {"match": "*.qkv", "split": ["q", "k", "v"]},
            {"match": "*.experts", "split": None},
        ],
        "pairs": [{"from": "*.qkv:v", "to": "*.o"}],
    }
    pd.testing.assert_frame_equal(specflow.analyze("step0.pt", **as_in_params), table)


def test_fused_tensors_and_pairs_are_said_on_the_command_line(fused, undrawn):
    options = ["--fused", "*.qkv=q,k,v", "--fused", "*.experts=*", "--pair", "*.qkv:v -> *.o"]
    assert ended_with("analyze", "step0.pt", *options, "-o", "out") == 0
    with open_file(Path("out/spectra.h5"), SPECTRA) as file:
        assert list(entries_of(file, "pairs")) == ["a.qkv v -> a.o"]
        assert len(entries_of(file, "matrices")) == 7


UNREADABLE = [
    (["absent*.pt"], "'absent*.pt' matches nothing"),
    (["run/*.pt", "--layout", "none_such"], "layout: got 'none_such'; expected"),
    (["run/*.pt", "--step-from", "step"], "expected one group for the step"),
    (["run/*.pt", "--key", "model"], "model"),
    (["run/*.pt", "--fused", "*.qkv"], "fused: got '*.qkv'; expected a pattern and its parts, as"),
    (["run/*.pt", "--fused", "*=q,k,v/heads"], "num_heads is null; expected a number"),
    (["run/*.pt", "--pair", "a, b"], "pairs: got 'a, b'; expected two patterns, as '*.v -> *.o'"),
    (["run/*.pt", "--pair", "* -> b"], "from has 1 `*` and to has 0; expected as many"),
    (["5=run/*.pt"], "run/*.pt: there is no such file"),
]


@pytest.mark.parametrize(("arguments", "message"), UNREADABLE)
@pytest.mark.parametrize("command", [["audit"], ["analyze", "-o", "out"]])
def test_what_cannot_be_read_is_one_line_and_writes_nothing(
    folder, capsys, command, arguments, message
):
    assert ended_with(*command, *arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert said.count("\n") == 1
    assert [path.name for path in folder.parent.iterdir()] == ["run"]


def test_python_call_raises_what_the_command_prints(folder):
    with pytest.raises(SpecflowError, match="layout: got 'none_such'; expected"):
        specflow.analyze("run/*.pt", layout="none_such")


@pytest.mark.parametrize("command", ["audit", "analyze"])
def test_help_tells_flags_from_errors(command, capsys):
    assert ended_with(command, "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "0 if the audit has no flags, 3 if it has, 1 on an error, 2 if" in text


@pytest.mark.parametrize(
    ("folder_name", "expected"),
    [("out", "out"), ("My Out-2", "my_out_2"), ("2024", "checkpoints_2024"), ("__", "checkpoints")],
)
def test_checkpoints_are_called_after_the_folder_of_their_results(folder_name, expected):
    assert name_of(Path(folder_name)) == expected
