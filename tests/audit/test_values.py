"""Empty tensors and lost weights are named, and what starts at zero is not."""

import pytest
import torch
from tests.audit.made_up_steps import audit_of, flags_of, named, shards


def ungathered(state):
    """Every second tensor without its entries."""
    return {n: w[:0].reshape(-1) if k % 2 else w for k, (n, w) in enumerate(state.items())}


def test_empty_tensors_are_named_with_what_gathers_them(tmp_path):
    weights, _ = shards(4)
    weights[2] = ungathered(weights[2])
    (flag,) = audit_of(tmp_path, weights).flags
    assert (flag.step, flag.flag) == (20, "empty")
    assert flag.evidence.startswith("3 of 6 tensors: no entries")
    assert "zero_to_fp32.py" in flag.evidence


def test_step_with_holes_that_is_else_a_copy_is_the_guilty_one():
    weights, _ = shards(4)
    weights[2] = ungathered(weights[0])
    assert flags_of(weights) == [(20, "empty"), (20, "of_another_step")]


def test_where_most_steps_are_empty_the_whole_ones_are_not_named():
    weights, _ = shards(5)
    holes = [ungathered(state) for state in weights[:3]]
    assert flags_of([*holes, *weights[3:]]) == named("empty", range(3))


ZERO_AT_FIRST = {
    "lora_B": "layers.0.q.lora_B.default.weight",
    "embedding": "embed.lora_embedding_B.default",
    "output": "head.zero_initialized.weight",
    "adaLN": "blocks.0.adaLN_modulation.1.weight",
}


@pytest.mark.parametrize("name", ZERO_AT_FIRST.values(), ids=ZERO_AT_FIRST)
@pytest.mark.parametrize("count", [1, 6])
def test_what_is_initialized_to_zero_is_no_fault(name, count):
    weights, _ = shards(count)
    for time, state in enumerate(weights):
        state[name] = time * torch.ones(16, 8)
        state["layers.0.bias"] = torch.zeros(16)
    assert flags_of(weights) == []


def test_adapter_that_starts_anew_is_no_fault():
    weights, _ = shards(6)
    for time, state in enumerate(weights):
        state["q.lora_B.weight"] = (time % 3) * torch.randn(16, 8)
    assert flags_of(weights) == []


def test_weights_that_are_zero_at_every_step_are_told(tmp_path):
    weights, _ = shards(3)
    for state in weights:
        state["lost.weight"] = torch.zeros(4, 4)
    audit = audit_of(tmp_path, weights)
    assert audit.flags == ()
    assert "1 weight matrices are 0 at every step: lost.weight" in audit.notes
