"""The audit on the command line: what it says, and how it ends."""

from pathlib import Path

import pytest
import torch
from tests.audit.made_up_steps import save_steps, walk
from tests.commands import ended_with

import specflow
from specflow.checkpoints.broken import Broken
from specflow.checkpoints.remote.http import UnreachableError


@pytest.fixture
def folder(workplace):
    save_steps(workplace / "run", range(0, 80, 10), walk())
    return workplace / "run"


def test_audit_names_the_steps_and_ends_with_status_3(folder, capsys, undrawn):
    weights = walk()
    weights[2], weights[5] = weights[5], weights[2]
    save_steps(folder, range(0, 80, 10), weights)
    assert ended_with("audit", "run/*.pt") == 3
    said = capsys.readouterr().out.splitlines()
    lines = [line for line in said if line.startswith("step ")]
    found = [line.partition(": all: ")[0] for line in lines]
    assert found == ["step 20: out_of_order", "step 50: out_of_order"]
    assert "fits in the place of step 50; distance to step" in lines[0]
    assert [path.name for path in folder.parent.iterdir()] == ["run"]
    assert ended_with("analyze", "run/*.pt", "-o", "out") == 3
    assert "<td>out of order</td>" in Path("out/index.html").read_text()


def test_audit_of_sound_steps_ends_with_status_0(folder, capsys):
    assert ended_with("audit", *map(str, folder.glob("*.pt"))) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "no flags: 8 steps, 3 tensors"


def test_what_cannot_be_read_as_weights_is_counted_by_reason(folder, capsys):
    """Nothing of such a file is a tensor that a layer applies: no tensor may lack in silence."""
    factors = {"lora_A": (4, 8), "lora_B": (8, 4), "lora_E": (4, 4)}
    weights = {f"{at}.{name}.weight": torch.ones(s) for at in "ab" for name, s in factors.items()}
    save_steps(folder, [0], [weights | {"epoch": 3}])
    assert ended_with("audit", "run/step0.pt") == 0
    said = capsys.readouterr().out.splitlines()
    third = "LoRA with a third factor: B A is not what is added"
    assert f"left out: 4 x {third}: a.lora_A.weight, a.lora_B.weight, ..." in said
    assert "left out: 1 x of type int: no tensor: epoch" in said


def test_audit_needs_no_matrix(folder, capsys):
    """Of a state that was saved without gathering it, and of one without any weight matrix."""
    save_steps(folder, [0], [{"module": {"a.weight": torch.empty(0), "b.bias": torch.empty(0)}}])
    assert ended_with("audit", "run/step0.pt") == 3
    said = capsys.readouterr().out
    assert said.startswith("step 0: empty: a.weight, b.bias: 2 of 2 tensors: no entries")
    assert "zero_to_fp32.py" in said
    assert ended_with("analyze", "run/step0.pt", "-o", "out") == 1
    assert (
        "no matrix is left of 2 tensors; left out: 2 x no entries: a.weight, b.bias"
        in capsys.readouterr().err
    )
    save_steps(folder, [0, 1], [{"norm.weight": torch.full((9,), 1.0 + n)} for n in range(2)])
    assert ended_with("audit", "run/step0.pt", "run/step1.pt") == 0
    assert capsys.readouterr().out == "no flags: 2 steps, 1 tensor\n"


def test_frozen_tensors_are_told_on_the_terminal(folder, capsys):
    weights = walk()
    save_steps(
        folder, range(0, 80, 10), [w | {"base": weights[0]["layers.0.weight"]} for w in weights]
    )
    assert ended_with("audit", "run/*.pt") == 0
    *_, note, end = capsys.readouterr().out.splitlines()
    assert note == "note: 1 tensors are the same at all steps (frozen): base"
    assert end.startswith("no flags: ")


def test_step_that_is_given_goes_before_the_path(folder, capsys):
    assert ended_with("audit", "7=run/step0.pt", "run/step10.pt", "100=run/step20.pt") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "no flags: 3 steps, 3 tensors"
    table = specflow.analyze(["7=run/step0.pt", Path("run/step10.pt"), "100=run/step20.pt"])
    assert list(table["step"].unique()) == [7, 10, 100]


def test_order_that_names_do_not_say_is_noted(folder, capsys):
    Path("run/step0.pt").rename("Base-7B-v0.3.pt")
    Path("run/step10.pt").rename("Base-7B-chat-v0.3.pt")
    assert ended_with("audit", "Base-7B-v0.3.pt", "Base-7B-chat-v0.3.pt") == 0
    *_, note, end = capsys.readouterr().out.splitlines()
    assert note.startswith("note: steps: numbered in the order given, as no number in their names")
    assert end == "no flags: 2 steps, 3 tensors"


def test_what_is_made_of_parts_and_what_stays_packed_is_told_on_the_terminal(folder, capsys):
    state = {
        "a.weight_g": torch.ones(6, 1),
        "a.weight_v": torch.randn(6, 4),
        "b.qweight": torch.zeros(2, 8, dtype=torch.int32),
        "b.scales": torch.ones(1, 8),
        "b.qzeros": torch.zeros(1, 1, dtype=torch.int32),
        "b.g_idx": torch.zeros(16, dtype=torch.int32),
    }
    save_steps(folder, [0], [state])
    assert ended_with("audit", "run/step0.pt") == 3
    said = capsys.readouterr().out
    assert "read as: 1 x weight norm: a.weight" in said
    assert "left out: 1 x quantized, GPTQ: packed integers: b.qweight" in said


def test_all_steps_that_cannot_be_read_are_named_at_once(folder, capsys):
    for step in (20, 50):
        path = folder / f"step{step}.pt"
        path.write_bytes(path.read_bytes()[:300])
    assert ended_with("audit", "run/*.pt") == 1
    said = capsys.readouterr().err
    assert "run/step20.pt: broken" in said
    assert "run/step50.pt: broken" in said
    assert said.endswith("; 2 of 8 steps cannot be read: name the others alone\n")
    for step in (10, 40):
        (folder / f"step{step}.pt").write_bytes(b"")
    assert ended_with("audit", "run/*.pt") == 1
    said = capsys.readouterr().err
    assert said.startswith("error: run/step10.pt: empty; copy or download it again; run/step40.pt:")
    assert ended_with("audit", *(f"run/step{step}.pt" for step in (0, 30, 60, 70))) == 0


def test_server_that_does_not_answer_is_asked_for_one_step_alone(monkeypatch):
    broken = Broken()
    with pytest.raises(UnreachableError), broken.noted():
        raise UnreachableError("nobody")
    broken.check()
